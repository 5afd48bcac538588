"""Find recordings in files, folders, zips and lists of paths: in a fixed order, each recording once."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from cgdmer.archives import open_archive
from cgdmer.archives.members import is_system
from cgdmer.errors import DataError, printable
from cgdmer.recordings.array_metadata import ArrayMetadata, sidecar_of
from cgdmer.recordings.roots import open_root
from cgdmer.recordings.skipped import Skipped, exists, is_result

log = logging.getLogger(__name__)

SELF_DESCRIBING = (".hea", ".edf", ".dcm", ".dicom", ".xml", ".scp", ".ecg")
"""Files that state their own rate, unit and leads."""
ARRAYS = (".npy", ".csv")
"""Files that need metadata; a folder search skips one that has none, because it may hold something else."""
SIGNAL_FILES = (".mat", ".dat")
"""Files read through the header beside them; only a `.mat` can also be read without one."""
SUFFIXES = (*SELF_DESCRIBING, *ARRAYS, *SIGNAL_FILES)
HEADER_SUFFIXES = (".hea", ".HEA")
BLOCK = 1 << 16
MAX_PATH = 1 << 15
"""Bytes of the longest path in a list."""
MAX_EMPTY = 1 << 20
MAX_REPEATED = 100_000
"""Most paths in a row that a list may repeat; an endless list of the same path ends there."""


@dataclass(frozen=True, slots=True)
class RecordingPath:
    """Where one recording is: `member` of the folder or zip `root`; outputs call it `id`."""

    id: str
    root: str
    member: str
    start: float | None = None
    """The second at which its used part begins, for one of several windows; None for that of the command."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A path that gave no recording, with the reason."""

    id: str
    reason: str
    whole: bool = False
    """Whether it was rejected before its windows were cut."""
    may_pass: bool = False
    """Whether the same file may be read later: a library, memory or time was missing, or the program is at fault."""


def find_recordings(
    paths: Iterable[str], metadata: ArrayMetadata, listing: BinaryIO | None = None
) -> Iterator[RecordingPath | Rejected]:
    """Yield the recordings of each path in the order of the paths; `-` stands for the paths in `listing`.

    Folders and zips are searched in name order. A recording that several paths name is yielded once. Digests of names
    are remembered only if there are several paths, so that a single folder of any size needs no memory.
    """
    names = list(paths)
    several = "-" in names or len(names) > 1
    is_new: Callable[[str], bool] = _Seen() if several else lambda key: True
    repeated = 0
    for name in names:
        for path in read_paths(listing) if name == "-" and listing else [name]:
            repeated += 1
            for key, recording in _recordings_at(path, metadata):
                if is_new(key):
                    repeated = 0
                    yield recording
            if repeated > MAX_REPEATED:
                raise DataError(f"{repeated:,} paths in a row bring no new recording", allowed="each path once")


def read_paths(listing: BinaryIO) -> Iterator[str]:
    """Yield the paths of a list: separated by NUL if its first block holds one (`find -print0`), else one per line."""
    block, empty = listing.read(BLOCK), 0
    separator, tail = b"\0" if b"\0" in block else b"\n", b""
    while block:
        *complete, tail = (tail + block).split(separator)
        named = [path for path in complete if path]
        yield from (_listed(path, separator) for path in named)
        empty = 0 if named else empty + len(complete)
        if len(tail) > MAX_PATH or empty > MAX_EMPTY:
            what = f"{MAX_EMPTY:,} empty lines in a row" if empty > MAX_EMPTY else f"a path above {MAX_PATH:,} bytes"
            raise DataError(f"the list holds {what}", allowed="one path per line, or paths that end with NUL")
        block = listing.read(BLOCK)
    if tail:
        yield _listed(tail, separator)


def _listed(path: bytes, separator: bytes) -> str:
    """Return a path of a list; the carriage return of a Windows line end is no part of it, unless a file says so."""
    if separator == b"\n" and path.endswith(b"\r") and not os.path.lexists(path):
        path = path[:-1]
    return os.fsdecode(path)


class _Seen:
    """The names seen so far, as digests of 16 bytes."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def __call__(self, key: str) -> bool:
        """Return True the first time a name is passed."""
        digest = hashlib.blake2b(os.fsencode(key), digest_size=16).digest()
        if digest in self._digests:
            return False
        self._digests.add(digest)
        return True


def _recordings_at(path: str, metadata: ArrayMetadata) -> Iterator[tuple[str, RecordingPath | Rejected]]:
    """Yield the recordings of a path, each with a key that is the same for every spelling of its path."""
    if "\0" in path:
        yield path, Rejected(printable(path), "its path holds a NUL character")
        return
    absolute, skipped = os.path.abspath(path), Skipped()
    if os.path.isdir(path):
        names = _walk(os.path.realpath(path), skipped)
    elif path.lower().endswith(".zip") and os.path.isfile(path):
        try:
            archive = open_archive(Path(path))
        except DataError as error:
            yield absolute, Rejected(printable(path), error.problem)
            return
        names = iter(archive.names())
    else:
        recording = _single_file(path)
        if isinstance(recording, RecordingPath):
            absolute = os.path.join(recording.root, recording.member)
        yield absolute, recording
        return
    root = os.path.realpath(path)
    for member in _select_recordings(names, root, metadata, skipped):
        name, key = printable(os.path.join(path, member)), os.path.join(root, member)
        if member.endswith("/"):
            yield key, Rejected(name, "the folder cannot be listed")
        else:
            yield key, RecordingPath(name, root, member)
    skipped.warn(path)


def _single_file(path: str) -> RecordingPath | Rejected:
    """Return the recording that a file belongs to; a WFDB record may be named without its suffix."""
    stem, suffix = os.path.splitext(path)
    header = None if os.path.exists(path) else _header_of(path, os.path.isfile)
    if header is None and suffix.lower() in SIGNAL_FILES:
        header = _header_of(stem, os.path.isfile)
    if header is not None:
        path = header
    elif not os.path.lexists(path):
        return Rejected(printable(path), "missing")
    elif suffix.lower() not in SUFFIXES:
        return Rejected(printable(path), _unknown_suffix(suffix))
    root, member = os.path.split(os.path.realpath(path))
    return RecordingPath(printable(path), root, member)


def _header_of(stem: str, has: Callable[[str], bool]) -> str | None:
    """Return the path of the WFDB header of a record that is named without suffix; None if there is none."""
    return next((stem + suffix for suffix in HEADER_SUFFIXES if has(stem + suffix)), None)


def _unknown_suffix(suffix: str) -> str:
    allowed = ", ".join((*SUFFIXES, ".zip"))
    return f"'{printable(suffix)}' is not the suffix of a recording (allowed: {allowed} and folders)"


def _walk(root: str, skipped: Skipped) -> Iterator[str]:
    """Yield the files below a folder in name order, with the names of the folders on one path in memory.

    Links to folders are not followed. A folder that cannot be listed is yielded with a slash at its end.
    """
    pending = [iter([""])]
    while pending:
        name = next(pending[-1], None)
        if name is None:
            pending.pop()
        elif name and not name.endswith("/"):
            yield name
        elif (entries := _entries(root, name, skipped)) is not None:
            pending.append(entries)
        else:
            yield name or "/"


def _entries(root: str, folder: str, skipped: Skipped) -> Iterator[str] | None:
    """Return the paths in a folder in name order, folders with a slash; None if it cannot be listed.

    Files and folders of the operating system are left out.
    """
    try:
        with os.scandir(os.path.join(root, folder)) as scan:
            own = [entry for entry in scan if not is_system(entry.name)]
        entries = sorted((entry.name, entry.is_dir(follow_symlinks=False), _is_linked(entry)) for entry in own)
    except OSError:
        return None

    def paths() -> Iterator[str]:
        for name, is_folder, linked in entries:
            if linked:
                skipped.links.add(f"{folder}{name}")
            else:
                yield f"{folder}{name}/" if is_folder else f"{folder}{name}"

    return paths()


def _is_linked(entry: os.DirEntry[str]) -> bool:
    """Return True for a link to a folder."""
    return entry.is_symlink() and os.path.isdir(entry.path)


def _select_recordings(names: Iterator[str], root: str, metadata: ArrayMetadata, skipped: Skipped) -> Iterator[str]:
    """Yield the names that are recordings; count zips, and arrays and tables without metadata.

    Arrays and tables that this program writes or wrote are no recordings.
    """
    archive = open_root(root)
    has = partial(exists, archive)
    for name in names:
        stem, suffix = os.path.splitext(name)
        kind = suffix.lower()
        if name.endswith("/") or kind in SELF_DESCRIBING or (kind == ".mat" and not _header_of(stem, has)):
            yield name
        elif kind in ARRAYS and not is_result(archive, name):
            sidecar = sidecar_of(stem)
            if metadata.has_fs_and_unit or (sidecar and has(sidecar)):
                yield name
            else:
                skipped.arrays.add(name)
        elif kind == ".zip":
            skipped.zips.add(name)
