"""`cgdmer plot`: draw one recording on ECG paper, as SVG or PNG."""

from dataclasses import dataclass
from pathlib import Path

from cgdmer.commands import destinations, marks, outputs
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.files import atomic
from cgdmer.recordings import ArrayMetadata, read_file, sheet

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
    recording = read_file(path, metadata=metadata, start=drawing.start, seconds=drawing.seconds)
    picture = sheet.draw(printable(Path(path).name), recording, drawing.start, drawing.seconds)
    content = marked(picture, target.suffix)
    try:
        with atomic(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise DataError(
            f"{printable(str(target))} cannot be written: {error.strerror}", fix="--output NAME.svg"
        ) from error
    return Picture(target, recording.doubts)


def marked(picture: str, suffix: str) -> bytes:
    """Return the content of a file `.svg` or `.png` of a picture, with the mark by which it is recognised later."""
    return marks.marked(_png(picture) if suffix == ".png" else picture.encode(), suffix)


def check_part(start: float, seconds: float) -> None:
    """Raise ConfigError for an impossible part of a recording."""
    if not (0 <= start <= MAX_START and 1 <= seconds <= MAX_SECONDS):
        raise ConfigError(
            f"--start {start:g} --seconds {seconds:g}",
            allowed=f"a start from 0 to {MAX_START:,} and 1 to {MAX_SECONDS:g} seconds",
            fix=f"--start 0 --seconds {SECONDS:g}",
        )


def _target(path: str, drawing: Drawing) -> Path:
    """Return the path of the picture; ConfigError if it may not be written."""
    check_part(drawing.start, drawing.seconds)
    target = drawing.output if drawing.output is not None else Path(f"{Path(path).stem}.svg")
    outputs.check_format(target, (".svg", ".png"))
    destinations.claim(target, [path], overwrite=drawing.overwrite)
    return target


def _png(picture: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise ConfigError(
            "writing PNG needs resvg-py", fix="pip install 'cgdmer[png]', or --output NAME.svg"
        ) from error
    return bytes(resvg_py.svg_to_bytes(svg_string=picture, dpi=DPI))
