"""Owns `cgdmer plot`: one recording on ECG paper, as SVG or PNG."""

from pathlib import Path

import numpy as np

from cgdmer.errors import ConfigError
from cgdmer.files import atomic
from cgdmer.page import print_out
from cgdmer.recordings import Stated, read_file
from cgdmer.recordings.places import written
from cgdmer.signals.leads import LEADS, canonical_leads, standard_rows

DPI = 200
SECONDS = 10.0
"""The usual sheet; longer recordings are cut, and the caption says so."""


def plot(path: str, output: Path | None, stated: Stated) -> str:
    """Draw the first ten seconds as recorded, unfiltered, at 25 mm/s and 10 mm/mV; return what was written.

    RecordError where it cannot be read or holds no lead of the twelve; ConfigError for another suffix than .svg, .png.
    """
    target = output or Path(f"{Path(path).stem}.svg")
    if target.suffix not in (".svg", ".png"):
        raise ConfigError(f"-o {target}: no picture is called '{target.suffix}'", allowed=".svg, .png")
    found = read_file(path, stated=stated)
    rows = standard_rows(found.leads)
    leads = canonical_leads([found.leads[row] for row in rows])
    microvolt = np.full((len(LEADS), min(found.signal.shape[1], round(SECONDS * found.fs))), np.nan)
    for row, lead in zip(rows, leads, strict=True):
        microvolt[LEADS.index(lead)] = found.signal[row, : microvolt.shape[1]].astype(np.float64) * 1000
    length = found.signal.shape[1] / found.fs
    shown = f"first {SECONDS:g} of {length:g} s" if length > SECONDS else f"{length:g} s"
    caption = f"{written(Path(path).name)} · {shown} at {found.fs:g} Hz · 25 mm/s · 10 mm/mV · as recorded"
    drawn = print_out.standalone(caption, microvolt, found.fs, LEADS)
    with atomic(target) as temporary:
        if target.suffix == ".png":
            temporary.write_bytes(_png(drawn))
        else:
            temporary.write_text(drawn, encoding="utf-8")
    return str(target)


def _png(drawn: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise ConfigError("drawing PNG needs resvg-py", fix="pip install 'cgdmer[png]', or -o NAME.svg") from error
    return bytes(resvg_py.svg_to_bytes(svg_string=drawn, dpi=DPI))
