"""`cgdmer plot`: draw one recording on ECG paper, as SVG or PNG."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.commands import destinations, outputs
from cgdmer.errors import ConfigError, DataError, RecordError, printable
from cgdmer.files import atomic
from cgdmer.page import printout
from cgdmer.recordings import ArrayMetadata, Recording, read_file
from cgdmer.signals.leads import LEADS, canonical_leads, standard_rows

DPI = 200
SECONDS = 10.0
"""Length of a sheet unless `--seconds` says otherwise; the caption says what was cut."""
MAX_SECONDS, MAX_START = 60.0, 10_000_000


@dataclass(frozen=True)
class Drawing:
    """Where to write a picture, which seconds of the recording it shows, and whether it may replace other files."""

    output: Path | None = None
    """None for the name of the recording with `.svg`, in the working directory."""
    start: float = 0.0
    seconds: float = SECONDS
    overwrite: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture that was written, and what is doubtful about its recording."""

    path: Path
    doubts: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([str(self.path), *(f"doubtful: {doubt}" for doubt in self.doubts)])


def plot(path: str, drawing: Drawing, metadata: ArrayMetadata) -> Picture:
    """Draw the chosen seconds, unfiltered, at 25 mm/s and 10 mm/mV.

    RecordError if the recording cannot be read, cannot be an ECG or has none of the twelve leads; ConfigError for a
    suffix other than .svg and .png, or a file that may not be replaced.
    """
    target = _target(path, drawing)
    recording = read_file(path, metadata=metadata, start=drawing.start)
    picture = printout.standalone(_caption(path, recording, drawing), *_sheet(recording, drawing.seconds), LEADS)
    content = _png(picture) if target.suffix == ".png" else f"{picture}{destinations.SVG_MARK}".encode()
    try:
        with atomic(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise DataError(
            f"{printable(str(target))} cannot be written: {error.strerror}", fix="--output NAME.svg"
        ) from error
    return Picture(target, recording.doubts)


def _target(path: str, drawing: Drawing) -> Path:
    """Return the path of the picture; ConfigError if it may not be written."""
    if not (0 <= drawing.start <= MAX_START and 1 <= drawing.seconds <= MAX_SECONDS):
        raise ConfigError(
            f"--start {drawing.start:g} --seconds {drawing.seconds:g}",
            allowed=f"a start from 0 to {MAX_START:,} and 1 to {MAX_SECONDS:g} seconds",
            fix=f"--start 0 --seconds {SECONDS:g}",
        )
    target = drawing.output if drawing.output is not None else Path(f"{Path(path).stem}.svg")
    outputs.check_format(target, (".svg", ".png"))
    destinations.claim(target, [path], overwrite=drawing.overwrite)
    return target


def _sheet(recording: Recording, seconds: float) -> tuple[np.ndarray, float]:
    """Return the twelve leads in microvolt, NaN for those that were not recorded, and the rate; RecordError if none."""
    rows = standard_rows(recording.leads)
    leads = canonical_leads([recording.leads[row] for row in rows])
    if not leads or not recording.signal.shape[1]:
        raise RecordError(f"it holds no sample of a standard lead, but {', '.join(recording.leads)[:80]}")
    microvolt = np.full((len(LEADS), min(recording.signal.shape[1], round(seconds * recording.fs))), np.nan)
    for row, lead in zip(rows, leads, strict=True):
        microvolt[LEADS.index(lead)] = recording.signal[row, : microvolt.shape[1]].astype(np.float64) * 1000
    return microvolt, recording.fs


def _caption(path: str, recording: Recording, drawing: Drawing) -> str:
    """Return the line below the sheet: name, seconds, scale, and what is doubtful."""
    length = recording.signal.shape[1] / recording.fs
    shown = f"first {drawing.seconds:g} of {length:g} s" if length > drawing.seconds else f"{length:g} s"
    shown += f" from {drawing.start:g} s" if drawing.start else ""
    facts = [printable(Path(path).name), f"{shown} at {recording.fs:g} Hz", "25 mm/s", "10 mm/mV", "as recorded"]
    facts += [f"doubtful: {', '.join(recording.doubts)[:120]}"] if recording.doubts else []
    return " · ".join(facts)


def _png(picture: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise ConfigError(
            "writing PNG needs resvg-py", fix="pip install 'cgdmer[png]', or --output NAME.svg"
        ) from error
    content = bytes(resvg_py.svg_to_bytes(svg_string=picture, dpi=DPI))
    return content.removesuffix(destinations.PNG_END) + destinations.PNG_MARK + destinations.PNG_END
