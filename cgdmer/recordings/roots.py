"""Open the folder or zip that holds a recording of the user."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgdmer.archives import Archive, open_archive
from cgdmer.archives.members import MEMBER_LIMIT
from cgdmer.errors import RecordError


class UserFolder(Archive):
    """A folder of the user: file names may hold any character the disk allows, but no path may leave the folder."""

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        with self._inside(name):
            return self.open().read(name, limit)

    def size(self, name: str) -> int:
        with self._inside(name):
            return self.open().size(name)

    def __contains__(self, name: str) -> bool:
        return self.open().has(name)

    def __reduce__(self) -> tuple[type[Archive], tuple[Path, str, int | None]]:
        return UserFolder, (self.path, self.prefix, self.depth)

    @contextmanager
    def _inside(self, name: str) -> Iterator[None]:
        """Raise RecordError for a path that leaves the folder, and for a link that does, with the way to read it."""
        if name.startswith("/") or "\0" in name or ".." in name.split("/"):
            raise RecordError(f"'{name}' leads out of the folder", allowed="relative paths below it")
        try:
            yield
        except RecordError as error:
            if not self._is_outside(name):
                raise
            raise RecordError(
                f"{name} is a link that leads out of the folder that you named",
                allowed="links that stay inside it; to read this one, name the file itself or the folder behind it",
                fix="name the file itself, or copy the file in place of the link (cp -L)",
            ) from error

    def _is_outside(self, name: str) -> bool:
        """Return True if a file exists and is not below the folder."""
        real = os.path.realpath(self.path / name)
        return os.path.isfile(real) and not real.startswith(os.path.realpath(self.path).rstrip("/") + "/")


def open_root(root: str) -> Archive:
    """Open the folder or zip that holds a recording."""
    return UserFolder(Path(root)) if os.path.isdir(root) else open_archive(Path(root))
