"""`cgdmer report`: the recordings of folders as static pages, an index and one page for each, without a network."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from cgdmer.commands import examination, report_folder, scorer
from cgdmer.commands.embed import MAX_START
from cgdmer.commands.examination import Inputs, Seen
from cgdmer.commands.outcomes import Counts
from cgdmer.commands.page_scores import about
from cgdmer.commands.scorer import ScoreOptions
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.recordings import plausibility
from cgdmer.viewer import columns, index_page, pages, recording_page
from cgdmer.viewer.catalogue import Catalogue, Entry, Refused

PAGES = "recordings"
"""Folder of the pages of single recordings."""
_UNQUOTED = " /:=,;()!*~-._'"
"""Characters that need no escape in the address of a drawing."""


@dataclass(frozen=True)
class ReportRequest:
    """Which recordings, where to, and what to score them with."""

    inputs: Inputs
    output: Path
    model: str | None = None
    scoring: ScoreOptions = field(default_factory=ScoreOptions)
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome(Counts):
    """How many recordings have a page, and where."""

    output: Path

    def __str__(self) -> str:
        text = f"{self.written} recordings in {printable(str(self.output / 'index.html'))}"
        return text + self.remarks("listed there", "")


def report(request: ReportRequest) -> Outcome:
    """Write the pages and return what they hold.

    ConfigError for impossible options or a folder that may not be replaced; DataError, and no page, if no recording can
    be used.
    """
    check_start(request.inputs.start)
    inputs = [path for path in request.inputs.paths if path != "-"]
    report_folder.claim(request.output, inputs, overwrite=request.overwrite)
    scoring = scorer.prepare(request.model, request.scoring, request.inputs.start)
    found = examination.find(request.inputs, request.output)
    label = printable(str(request.output))
    with TemporaryDirectory(prefix="cgdmer-") as drawings:
        examined = examination.examine(found, request.inputs, scoring, label=label, draw=True)
        entries, refused = collect(examined, Path(drawings))
        catalogue = Catalogue(about(scoring, request.inputs.start), entries, refused)
        with report_folder.writing(request.output, {"recordings": len(entries), "refused": len(refused)}) as folder:
            write(catalogue, Path(drawings), folder)
    doubtful = sum(entry.quality != plausibility.NOTHING for entry in entries)
    return Outcome(len(entries), len(refused), doubtful, request.output)


def check_start(start: float) -> None:
    """Raise ConfigError for a start before the recording, or one that is not a number."""
    if not 0 <= start <= MAX_START:
        raise ConfigError(f"--start {start:g}", allowed=f"seconds from 0 to {MAX_START:,}", fix="--start 0")


def collect(examined: Iterable[Seen | Refused], drawings: Path) -> tuple[list[Entry], list[Refused]]:
    """Return the recordings and the refused files; drawings become files, numbered as the recordings.

    DataError if no recording can be used.
    """
    entries, refused = list[Entry](), list[Refused]()
    for one in examined:
        if isinstance(one, Refused):
            refused.append(one)
            continue
        kind, text = (".svg", one.sheet.svg) if one.sheet.svg is not None else (".txt", one.sheet.why)
        (drawings / f"{len(entries)}{kind}").write_text(text, encoding="utf-8")
        entries.append(one.entry)
    if not entries:
        raise none_usable(refused)
    return entries, refused


def none_usable(refused: Sequence[Refused]) -> DataError:
    """Return the error for recordings of which none can be used, with the most frequent reasons."""
    reasons = Counter(each.reason for each in refused).most_common(3)
    return DataError(
        f"all {len(refused)} recordings could not be used; nothing is written. Most frequent reasons: "
        + "; ".join(f"{printable(reason)} ({count})" for reason, count in reasons),
        fix="check the files, and the options --fs, --unit and --leads",
    )


def write(catalogue: Catalogue, drawings: Path, folder: Path) -> None:
    """Write the index, the table and a page for each recording into a new folder."""
    (folder / PAGES).mkdir()
    around = index_page.Surroundings(lambda place: f"{PAGES}/{_page(place)}", pages.policy([pages.TABLE]))
    (folder / "index.html").write_text(index_page.render(catalogue, around), encoding="utf-8")
    (folder / around.table).write_text(columns.table(catalogue), encoding="utf-8")
    for number, entry in enumerate(catalogue.entries):
        place = recording_page.Place("../index.html", _page, number, pages.policy([pages.PAPER]))
        picture = _read(drawings / f"{number}.svg")
        address = None if picture is None else f"data:image/svg+xml,{quote(picture, safe=_UNQUOTED)}"
        text = recording_page.render(catalogue, entry, address, _read(drawings / f"{number}.txt") or "", place)
        (folder / PAGES / _page(number)).write_text(text, encoding="utf-8")


def _page(number: int) -> str:
    """Return the file of a recording's page; no file is named after a recording."""
    return f"{number + 1:04d}.html"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
