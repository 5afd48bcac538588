"""`cgdmer plot` for many recordings: a folder with a sheet of ECG paper for each, and a table that names them."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cgdmer
from cgdmer.commands import destinations
from cgdmer.commands.outcomes import Counts
from cgdmer.commands.outputs import Rejects, nothing_written, open_output
from cgdmer.commands.plot import SECONDS, check_part, marked
from cgdmer.errors import ConfigError, printable
from cgdmer.files import atomic
from cgdmer.progress import terminal_bar
from cgdmer.recordings import ArrayMetadata, find_recordings, limits, plausibility, sheet
from cgdmer.recordings.batches import Job, map_batches, rejection
from cgdmer.recordings.discovery import Rejected
from cgdmer.recordings.single import as_recorded
from cgdmer.settings import Signal

FORMATS = ("svg", "png")
TABLE = "sheets.csv"
"""Name of the table in the folder: id, file and quality of each recording."""
BATCH = 8
"""Recordings that a worker draws at a time."""
MAX_NAME = 200
"""Bytes of the name of a sheet, without its number and suffix."""
_UNSAFE = re.compile(r"[^\w.-]+|^\.+")


@dataclass(frozen=True)
class FolderRequest:
    """Which recordings to draw, which seconds of each, and where to."""

    paths: Sequence[str]
    folder: Path
    metadata: ArrayMetadata
    kind: str = "svg"
    start: float = 0.0
    seconds: float = SECONDS
    overwrite: bool = False


@dataclass(frozen=True)
class Outcome(Counts):
    """How many sheets were written, and where."""

    folder: Path
    rejects: Path

    def __str__(self) -> str:
        return f"{self.written} sheets in {self.folder}" + self.remarks(self.rejects, f" (column quality of {TABLE})")


@dataclass(eq=False)
class Drawn:
    """The sheets of a batch, and the recordings that were rejected."""

    ids: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    quality: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def plot_all(request: FolderRequest) -> Outcome:
    """Draw every recording that can be read into a file of its own, and list the others.

    ConfigError for impossible options or a folder that holds other files; DataError if nothing could be drawn.
    """
    check_part(request.start, request.seconds)
    table = claim(request)
    names, written, doubtful = Names(), 0, 0
    meta = {destinations.KEY: cgdmer.__version__, "start": request.start, "seconds": request.seconds}
    bar = terminal_bar(unit="sheet", desc=printable(str(request.folder)))
    rejected = Rejects(destinations.rejects_beside(table))
    with _removed_on_failure(request.folder) as added, rejected as rejects, open_output(table, meta) as write, bar:
        found = find_recordings(request.paths, request.metadata, sys.stdin.buffer)
        paths = destinations.unless_replaced(found, table, request.paths)
        work = partial(draw, suffix=f".{request.kind}")
        settings = (request.metadata, Signal(), request.seconds, work, request.start, BATCH)
        with closing(map_batches(paths, *settings)) as results:
            for batch in results:
                rejects.add(batch.rejected)
                if batch.ids:
                    files = [names.file(member, f".{request.kind}") for member in batch.members]
                    _save(request, files, batch.contents, added)
                    write({"id": batch.ids, "file": files, "quality": batch.quality})
                written += len(batch.ids)
                doubtful += sum(text != plausibility.NOTHING for text in batch.quality)
                bar.update(len(batch.ids) + len(batch.rejected))
        if not written:
            raise nothing_written(request.paths, rejects, f"all {rejects.count} recordings")
    return Outcome(written, rejects.count, doubtful, request.folder, rejects.path)


def claim(request: FolderRequest) -> Path:
    """Return the table of the folder; ConfigError if the folder, or what it holds, may not be replaced."""
    folder = request.folder
    shown = printable(str(folder))
    if folder.name in ("", "..", "-"):
        raise ConfigError(f"--output '{shown}' names no folder", allowed="a name such as sheets")
    if folder.suffix in (".svg", ".png") or (os.path.lexists(folder) and not folder.is_dir()):
        raise ConfigError(
            f"--output {shown} is no folder, and there may be many recordings",
            allowed="a new or empty folder, or one of an earlier run", fix="--output sheets",
        )  # fmt: skip
    inputs = [path for path in request.paths if path != "-"]
    present = sorted(folder.iterdir()) if folder.is_dir() and not request.overwrite else []
    if others := [path for path in present if not destinations.written_here(path)]:
        raise ConfigError(
            f"--output {shown} holds other files, for example {printable(others[0].name)}",
            allowed="a new or empty folder, or one of an earlier run", fix="--output sheets, or --overwrite",
        )  # fmt: skip
    destinations.claim(folder / TABLE, inputs, overwrite=request.overwrite)
    return folder / TABLE


def draw(job: Job, suffix: str) -> Drawn:
    """Draw the recordings of a job, in a worker."""
    drawn = Drawn()
    for path in job.paths:
        if isinstance(path, Rejected):
            drawn.rejected.append(path)
            continue
        try:
            with limits.per_file():
                recording = as_recorded(path, job.metadata, job.start, job.seconds)
                name = printable(os.path.basename(path.member))
                content = marked(sheet.draw(name, recording, job.start, job.seconds), suffix)
        except ConfigError:  # a library is missing, for every recording
            raise
        except Exception as error:
            drawn.rejected.append(rejection(path, error))
        else:
            drawn.ids.append(path.id)
            drawn.members.append(path.member)
            drawn.contents.append(content)
            drawn.quality.append(plausibility.text(recording.doubts))
    return drawn


class Names:
    """Names of files for recordings: each is used once, also where case does not count."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._last: dict[str, int] = {}

    def file(self, member: str, suffix: str) -> str:
        """Return a name without folders for a path in a folder or zip."""
        text = printable(os.path.splitext(member)[0]).encode()[-MAX_NAME:].decode("utf-8", "ignore")
        stem = _UNSAFE.sub("_", text)
        name = f"{stem}{suffix}"
        while name.lower() in self._used:
            self._last[stem] = self._last.get(stem, 1) + 1
            name = f"{stem}-{self._last[stem]}{suffix}"
        self._used.add(name.lower())
        return name


@contextmanager
def _removed_on_failure(folder: Path) -> Iterator[list[Path]]:
    """Yield a list for the sheets that were not there before; if the command fails or is stopped, remove them again."""
    added, existed = list[Path](), folder.exists()
    try:
        yield added
    except BaseException:
        for sheet_file in added:
            sheet_file.unlink(missing_ok=True)
        if not existed and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        raise


def _save(request: FolderRequest, files: Sequence[str], contents: Sequence[bytes], added: list[Path]) -> None:
    """Write sheets; append to `added` those that are new."""
    inputs = [path for path in request.paths if path != "-"]
    for name, content in zip(files, contents, strict=True):
        target = request.folder / name
        destinations.claim_file(target, inputs, request.overwrite)
        if not os.path.lexists(target):
            added.append(target)
        with atomic(target) as temporary:
            temporary.write_bytes(content)
