"""Read a corpus in place through one interface, whether it is a folder or PhysioNet's zip."""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from cgdmer.archives.folder import Folder
from cgdmer.archives.members import MEMBER_LIMIT, check_name, is_safe
from cgdmer.archives.zip_archive import Zip
from cgdmer.errors import DataError


class Archive:
    """The files of a corpus by POSIX path below `prefix`.

    An archive is opened on first use, also in a worker process that received it by pickle. After `close` the next read
    opens it again. With `depth`, the files of a folder are listed only so many levels deep; they can all be read.
    """

    def __init__(self, path: Path, prefix: str = "", depth: int | None = None) -> None:
        self.path, self.prefix, self.depth = path, prefix, depth
        self._opened: Folder | Zip | None = None

    def names(self) -> list[str]:
        """Return every file below the prefix, sorted, relative to it; those of the operating system are left out."""
        return [name[len(self.prefix) :] for name in self.open().names(self.prefix, self.depth)]

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """Return a file's content; RecordError if it is missing, damaged, unsafe or larger than `limit` bytes."""
        check_name(name)
        return self.open().read(self.prefix + name, limit)

    def size(self, name: str) -> int:
        """Return a file's unpacked size in bytes."""
        check_name(name)
        return self.open().size(self.prefix + name)

    def state(self, names: Iterable[str]) -> str:
        """Return a digest that changes when one of these files, or another one beside them, is replaced.

        It is of sizes and times, not of content, which would take as long as reading the corpus. Of a zip it is that of
        the whole file.
        """
        return self.open().state({(self.prefix + name).rpartition("/")[0] for name in names if is_safe(name)})

    def __contains__(self, name: str) -> bool:
        check_name(name)
        return self.open().has(self.prefix + name)

    def rooted(self, prefix: str) -> "Archive":
        """Return a view of this archive below a folder; '' is all of it. Both share the open file."""
        view = Archive(self.path, self.prefix, self.depth)
        if prefix.strip("/"):
            check_name(prefix.strip("/"))
            view.prefix += prefix.strip("/") + "/"
        view._opened = self._opened
        return view

    def close(self) -> None:
        if self._opened:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["Archive"], tuple[Path, str, int | None]]:
        return Archive, (self.path, self.prefix, self.depth)

    def open(self) -> Folder | Zip:
        """Open the folder or zip unless it is open; DataError if a zip is truncated, damaged or unsafe."""
        if self._opened is None:
            try:
                status = self.path.stat()
            except OSError as error:
                raise DataError(f"{self.path}: {error.strerror}", fix=f"ls -ld {self.path}") from error
            self._opened = _store(str(self.path), (status.st_ino, status.st_size, status.st_mtime_ns))
        return self._opened


def open_archive(path: Path, depth: int | None = None) -> Archive:
    """Open a folder, listed `depth` levels deep, or a zip.

    DataError if it is neither, is truncated or damaged, or holds unsafe names.
    """
    if not path.exists():
        raise DataError(f"{path} is missing", allowed="a folder or a .zip", fix=f"ls -d {path.parent}/*")
    if not path.is_dir() and path.suffix.lower() != ".zip":
        raise DataError(f"{path} is neither a folder nor a zip", allowed="a folder or a .zip", fix=f"file {path}")
    archive = Archive(path.absolute(), depth=depth)
    archive.open()
    return archive


@lru_cache(maxsize=4)
def _store(path: str, identity: tuple[int, int, int]) -> Folder | Zip:
    """Open a store once per process and unchanged file, because reading a zip's directory can take seconds."""
    return Folder(path) if os.path.isdir(path) else Zip(path)
