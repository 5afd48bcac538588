"""Owns finding recordings: files, folders, zips and lists become places, in one fixed order, each named once."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cgdmer.archives import Archive, open_archive
from cgdmer.archives.folder import Folder
from cgdmer.archives.members import MEMBER_LIMIT, outside
from cgdmer.archives.zip_archive import Zip
from cgdmer.errors import DataError, RecordError
from cgdmer.recordings.stated import Stated

log = logging.getLogger(__name__)

DESCRIBED = (".hea", ".edf", ".dcm", ".dicom")
"""Files that say everything of themselves."""
ARRAYS = (".npy", ".csv")
"""Files of which something must be stated; in a folder, one without a statement is taken for something else."""
PARTS = (".mat", ".dat")
"""Signal files, read through the header beside them; in a folder, only a `.mat` may stand for itself."""
SUFFIXES = (*DESCRIBED, *ARRAYS, *PARTS)
BLOCK = 1 << 16
LONGEST = 1 << 15
"""Bytes of the longest path in a list."""


@dataclass(frozen=True, slots=True)
class Place:
    """One recording to be read: `member` of the folder or zip `root`, called `id` in every output."""

    id: str
    root: str
    member: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """One path that gave nothing, and why."""

    id: str
    reason: str


class Own(Archive):
    """A folder of one's own: file names may hold any character a disk allows, and none leads out."""

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        if name.startswith("/") or "\0" in name or ".." in name.split("/"):
            raise outside(name)
        return self.open().read(name, limit)

    def __contains__(self, name: str) -> bool:
        return self.open().has(name)

    def __reduce__(self) -> tuple[type[Archive], tuple[Path, str]]:
        return Own, (self.path, self.prefix)


def archive_of(root: str) -> Archive:
    """Open the folder or zip of a place."""
    return Own(Path(root)) if os.path.isdir(root) else open_archive(Path(root))


def find(paths: Iterable[str], stated: Stated, listing: BinaryIO | None = None) -> Iterator[Place | Rejected]:
    """Yield the recordings of each path in the order given; `-` stands for the paths of `listing`.

    Folders and zips are searched in name order. A recording named twice is taken once; only when there are several
    paths is a digest of each remembered, so that one folder of any size takes no memory.
    """
    given = list(paths)
    taken: Callable[[str], bool] = _Seen() if (given != ["-"] and len(given) > 1) or "-" in given else lambda key: True
    for path in given:
        for name in paths_of(listing) if path == "-" and listing else [path]:
            for key, found in _of(name, stated):
                if taken(key):
                    yield found


def paths_of(listing: BinaryIO) -> Iterator[str]:
    """Yield the paths of a list: parted by NUL where its first block holds one (`find -print0`), else by line."""
    block = listing.read(BLOCK)
    mark, rest = b"\0" if b"\0" in block else b"\n", b""
    while block:
        *whole, rest = (rest + block).split(mark)
        yield from (os.fsdecode(path) for path in whole if path)
        if len(rest) > LONGEST:
            raise DataError(f"the list holds a path above {LONGEST:,} bytes", allowed="one path a line, or NUL-parted")
        block = listing.read(BLOCK)
    if rest:
        yield os.fsdecode(rest)


def written(path: str) -> str:
    """Write a path so that any table can hold it: bytes that are no UTF-8 become `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


class _Seen:
    """Remembers 16 bytes of each name, not the name."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def __call__(self, key: str) -> bool:
        """Return whether a name is new."""
        digest = hashlib.blake2b(os.fsencode(key), digest_size=16).digest()
        if digest in self._digests:
            return False
        self._digests.add(digest)
        return True


def _of(path: str, stated: Stated) -> Iterator[tuple[str, Place | Rejected]]:
    """Yield what a path stands for, each with a name that is the same however it was spelt."""
    full = os.path.abspath(path)
    if os.path.isdir(path):
        names = _walk(os.path.realpath(path))
    elif path.lower().endswith(".zip") and os.path.isfile(path):
        try:
            archive = open_archive(Path(path))
        except DataError as error:
            yield full, Rejected(written(path), error.problem)
            return
        names = iter(archive.names())
    else:
        found = _file(path)
        yield (os.path.join(found.root, found.member) if isinstance(found, Place) else full), found
        return
    root = os.path.realpath(path)
    for member in _recordings(names, root, stated):
        name = written(os.path.join(path, member))
        listed = not member.endswith("/")
        yield os.path.join(root, member), Place(name, root, member) if listed else Rejected(name, "cannot be listed")


def _file(path: str) -> Place | Rejected:
    """Find the recording that a file belongs to; the name of a WFDB record without a suffix will do."""
    stem, suffix = os.path.splitext(path)
    if not os.path.exists(path) and os.path.isfile(f"{path}.hea"):
        path = f"{path}.hea"
    elif suffix.lower() in PARTS and os.path.isfile(f"{stem}.hea"):
        path = f"{stem}.hea"
    elif suffix.lower() not in SUFFIXES:
        return Rejected(written(path), "missing" if not os.path.lexists(path) else _unknown(suffix))
    root, member = os.path.split(os.path.realpath(path))
    return Place(written(path), root, member)


def _unknown(suffix: str) -> str:
    return f"'{written(suffix)}' is no suffix of a recording; read are {', '.join((*SUFFIXES, '.zip'))} and folders"


def _walk(root: str, inside: str = "") -> Iterator[str]:
    """Yield the files below a folder in name order, one folder's names in memory at a time; linked folders are left.

    A folder that cannot be listed is yielded itself, with a slash at its end.
    """
    try:
        with os.scandir(os.path.join(root, inside)) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    except OSError:
        yield f"{inside.rstrip('/')}/"
        return
    for name, folder in found:
        if folder:
            yield from _walk(root, f"{inside}{name}/")
        else:
            yield inside + name


def _recordings(names: Iterator[str], root: str, stated: Stated) -> Iterator[str]:
    """Choose among the files of a folder or zip those that are recordings; say how many arrays nobody described."""
    archive, passed = archive_of(root), 0
    for name in names:
        stem, suffix = os.path.splitext(name)
        kind = suffix.lower()
        if name.endswith("/") or kind in DESCRIBED or (kind == ".mat" and not _has(archive, f"{stem}.hea")):
            yield name
        elif kind in ARRAYS:
            if stated.enough or _has(archive, f"{stem}.json"):
                yield name
            else:
                passed += 1
    if passed:
        log.warning("%s: %d .npy and .csv are passed over; state --fs and --unit to read them", written(root), passed)


def _has(archive: Archive, name: str) -> bool:
    try:
        store: Folder | Zip = archive.open()
        return store.has(name)
    except RecordError:
        return False
