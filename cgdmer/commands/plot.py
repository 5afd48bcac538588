"""`cgdmer plot`: draw one recording on ECG paper, as SVG or PNG."""

from pathlib import Path

import numpy as np

from cgdmer.errors import ConfigError
from cgdmer.files import atomic
from cgdmer.page import printout
from cgdmer.recordings import ArrayMetadata, read_file
from cgdmer.recordings.discovery import printable
from cgdmer.signals.leads import LEADS, canonical_leads, standard_rows

DPI = 200
SECONDS = 10.0
"""Length of the usual sheet; longer recordings are cut, and the caption says so."""


def plot(path: str, output: Path | None, metadata: ArrayMetadata) -> str:
    """Draw the first ten seconds, unfiltered, at 25 mm/s and 10 mm/mV; return the path of the picture.

    RecordError if the recording cannot be read or has none of the twelve leads; ConfigError for a suffix other than
    .svg and .png.
    """
    target = output or Path(f"{Path(path).stem}.svg")
    if target.suffix not in (".svg", ".png"):
        raise ConfigError(f"--output {target}: '{target.suffix}' is not a picture format", allowed=".svg, .png")
    recording = read_file(path, metadata=metadata)
    rows = standard_rows(recording.leads)
    leads = canonical_leads([recording.leads[row] for row in rows])
    microvolt = np.full((len(LEADS), min(recording.signal.shape[1], round(SECONDS * recording.fs))), np.nan)
    for row, lead in zip(rows, leads, strict=True):
        microvolt[LEADS.index(lead)] = recording.signal[row, : microvolt.shape[1]].astype(np.float64) * 1000
    length = recording.signal.shape[1] / recording.fs
    seconds_shown = f"first {SECONDS:g} of {length:g} s" if length > SECONDS else f"{length:g} s"
    caption = (
        f"{printable(Path(path).name)} · {seconds_shown} at {recording.fs:g} Hz · 25 mm/s · 10 mm/mV · as recorded"
    )
    picture = printout.standalone(caption, microvolt, recording.fs, LEADS)
    with atomic(target) as temporary:
        if target.suffix == ".png":
            temporary.write_bytes(_png(picture))
        else:
            temporary.write_text(picture, encoding="utf-8")
    return str(target)


def _png(picture: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise ConfigError(
            "writing PNG needs resvg-py", fix="pip install 'cgdmer[png]', or --output NAME.svg"
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=picture, dpi=DPI))
