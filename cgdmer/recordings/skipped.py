"""What a search for recordings leaves out: results of this program, and what its warnings name."""

import json
import logging
import os

from cgdmer import embeddings
from cgdmer.archives import Archive
from cgdmer.archives.folder import Folder
from cgdmer.archives.zip_archive import Zip
from cgdmer.errors import RecordError, printable
from cgdmer.files import is_temporary, without_digest
from cgdmer.recordings.array_metadata import METADATA_SUFFIX

log = logging.getLogger(__name__)

REJECTS_SUFFIX = ".rejects.csv"
REJECTS_HEADER = ("path", "reason")
"""First row of a list of rejected recordings."""
LONGEST_REJECTS = 1 << 26
"""Bytes of the largest list of rejects that is recognised."""
LONGEST_META = 1 << 24
"""Bytes of the largest description of a folder of arrays that is recognised."""

SHOWN = 3
"""Names that a warning quotes."""


class Skipped:
    """Links to folders, zips, and arrays without metadata, which a search of one folder or zip leaves out."""

    def __init__(self) -> None:
        self.links, self.zips, self.arrays = Names(), Names(), Names()

    def warn(self, path: str) -> None:
        """Log a warning for each kind, with what to do about it."""
        where = printable(path)
        if self.links.count:
            log.warning("%s: links to folders are not followed: %s; name those folders too", where, self.links)
        if self.zips.count:
            log.warning("%s: zips inside are not opened: %s; name each zip itself", where, self.zips)
        if count := self.arrays.count:
            log.warning("%s: %d .npy and .csv are skipped; pass --fs and --unit to read them", where, count)


class Names:
    """How many names there are, and the first of them."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, name: str) -> None:
        self.count += 1
        if self.count <= SHOWN:
            self._first.append(printable(name))

    def __str__(self) -> str:
        more = f" and {self.count - SHOWN:,} more" if self.count > SHOWN else ""
        return f"{self.count:,} skipped ({', '.join(self._first)}{more})"


def is_result(archive: Archive, name: str) -> bool:
    """Return True for a table with its metadata, an array of `cgdmer embed`, a list of rejects, an unfinished file."""
    if is_temporary(os.path.basename(name)) or exists(archive, name + METADATA_SUFFIX):
        return True
    if name.endswith(".npy"):
        return _is_representation(archive, name)
    if not name.endswith(REJECTS_SUFFIX):
        return False
    try:
        return archive.read(name, LONGEST_REJECTS).startswith(",".join(REJECTS_HEADER).encode() + b"\n")
    except RecordError:
        return False


def _is_representation(archive: Archive, name: str) -> bool:
    """Return True for an array that the description of its folder lists, as `cgdmer embed` writes it."""
    folder, file = name[: name.rfind("/") + 1], name[name.rfind("/") + 1 :]
    if not exists(archive, folder + embeddings.IDS):
        return False
    try:
        described = without_digest(json.loads(archive.read(folder + embeddings.META, LONGEST_META)))
        return file in described["files"]
    except (RecordError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def exists(archive: Archive, name: str) -> bool:
    """Return True if a folder or zip holds a file of this name."""
    try:
        store: Folder | Zip = archive.open()
        return store.has(name)
    except RecordError:
        return False
