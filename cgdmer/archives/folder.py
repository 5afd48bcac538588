"""Read a corpus in a folder; links are followed only if their target is inside the folder."""

import hashlib
import logging
import os
import stat
from collections.abc import Iterable, Iterator

from cgdmer.archives.members import UNSAFE, is_system, missing, outside, state_of, too_large
from cgdmer.errors import DataError, RecordError

log = logging.getLogger(__name__)

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # O_NONBLOCK: opening a named pipe must not wait for a writer


class Folder:
    """Files below one folder, by POSIX path."""

    def __init__(self, root: str) -> None:
        self._top = os.path.realpath(root).rstrip("/") + "/"

    def names(self, prefix: str, depth: int | None = None) -> list[str]:
        """Return the readable files below `prefix`, sorted; warn with the number of files that are skipped.

        With `depth`, only those in so many levels of folders, the prefix's own included.
        """
        readable, skipped = [], 0
        for name, inside in self._walk(prefix, depth):
            if inside and not UNSAFE.search(name):
                readable.append(name)
            else:
                skipped += 1
        if skipped:
            log.warning(
                "%s: %d files are skipped: links that lead out of it, or names that no table can hold",
                self._top,
                skipped,
            )
        return sorted(readable)

    def _walk(self, prefix: str, depth: int | None) -> Iterator[tuple[str, bool]]:
        """Yield every file and whether it is inside, without those of the operating system.

        Links to folders are not followed, they may be cycles.
        """
        pending = [prefix]
        deepest = None if depth is None else prefix.count("/") + depth
        while pending:
            folder = pending.pop()
            for entry in self._scan(folder):
                name = folder + entry.name
                if is_system(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if deepest is None or name.count("/") + 1 < deepest:
                        pending.append(name + "/")
                else:
                    yield name, entry.is_file(follow_symlinks=False) or (entry.is_file() and self._resolves(name))

    def _scan(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._top + folder) as entries:
                return list(entries)
        except OSError as error:
            raise DataError(
                f"{self._top}{folder} cannot be listed: {error.strerror}", fix=f"ls -ld {self._top}{folder}"
            ) from error

    def has(self, name: str) -> bool:
        return os.path.isfile(self._top + name) and self._resolves(name)

    def size(self, name: str) -> int:
        descriptor, size = self._open(name)
        os.close(descriptor)
        return size

    def read(self, name: str, limit: int) -> bytes:
        descriptor, size = self._open(name)
        try:
            if size > limit:
                raise too_large(name, size, limit)
            content = os.read(descriptor, size)
            while len(content) < size and (more := os.read(descriptor, size - len(content))):
                content += more
            return content
        except OSError as error:
            raise _unreadable(name, error) from error
        finally:
            os.close(descriptor)

    def state(self, folders: Iterable[str]) -> str:
        """Return a digest of the names, sizes and times of the files directly in these folders."""
        digest = hashlib.sha256()
        for folder in sorted(folders):
            for line in self._states(folder):
                digest.update(os.fsencode(f"{folder}/{line}\n"))
        return digest.hexdigest()

    def _states(self, folder: str) -> list[str]:
        try:
            with os.scandir(self._top + folder) as entries:
                return sorted(f"{entry.name} {_state(entry)}" for entry in entries)
        except OSError as error:
            return [str(error.strerror)]  # its records are refused, until this changes

    def close(self) -> None:
        """Do nothing: no file stays open between reads."""

    def _open(self, name: str) -> tuple[int, int]:
        """Open a regular file whose real path is inside the folder; return its descriptor and size."""
        try:
            descriptor = os.open(self._top + name, _FLAGS)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise missing(name) from error
        except OSError as error:
            raise _unreadable(name, error) from error
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and self._holds(descriptor, name):
            return descriptor, status.st_size
        os.close(descriptor)
        if stat.S_ISREG(status.st_mode):
            raise outside(name)
        raise RecordError(f"{name} is not a file", allowed="a regular file", fix="check what is at that path")

    def _holds(self, descriptor: int, name: str) -> bool:
        """Return True if an open file is inside the folder; the kernel tells in one call, else resolve the path."""
        try:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith(self._top):
                return True
        except OSError:
            log.debug("no /proc on this system; links are resolved by path")
        return self._resolves(name)

    def _resolves(self, name: str) -> bool:
        return os.path.realpath(self._top + name).startswith(self._top)


def _state(entry: os.DirEntry[str]) -> str:
    try:
        return "a folder" if entry.is_dir() else state_of(entry.stat())
    except OSError as error:
        return str(error.strerror)


def _unreadable(name: str, error: OSError) -> RecordError:
    return RecordError(f"{name} cannot be read: {error.strerror}", fix="check the file's permissions and the disk")
