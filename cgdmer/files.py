"""Owns writing files so that a reader sees the old content or the new, never half: temporary name, fsync, rename."""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cgdmer.errors import DataError

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
REFUSED = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO)
"""What a disk answers that is full, read-only, someone else's or broken."""
LITTLE = 1 << 16
"""Bytes; a disk with less left is full, whatever a library's own words for it are."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; on success it is fsynced and renamed, on failure removed.

    The temporary name keeps the suffix, because some writers choose a format by it. DataError where the disk is full
    or does not let us write.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except Exception as error:
        if refusal := refused(path, error):
            raise refusal from error
        raise
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)


def refused(path: Path, error: Exception) -> DataError | None:
    """Return what to tell a person when a disk did not take `path`, or None where the error is another one."""
    number = error.errno if isinstance(error, OSError) else None
    short = isinstance(error, OSError) and number is None and " written" in str(error)  # numpy keeps the number back
    full = short or number in FULL or (path.parent.is_dir() and shutil.disk_usage(path.parent).free < LITTLE)
    if isinstance(error, DataError) or not (full or number in REFUSED):
        return None
    why = "no space is left on its disk" if full else os.strerror(number or errno.EIO)
    fix = "free space there" if full else f"look at ls -ld {path.parent} and mount, and make it writable"
    return DataError(f"{path} cannot be written: {why}", fix=f"{fix}, then run the same command again")


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock that ends with this process; who comes second waits, and says so once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.warning("%s: another process does the same work; waiting for it", path.name)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def sync(path: Path) -> None:
    """Force a file's or a folder's content to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write sorted, indented JSON; NaN is refused, because other programs cannot read it."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content with `digest`, the sha256 of all the rest."""
    return content | {"digest": _digest(content)}


def unsealed(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content without its digest; ValueError where it is not the one that was sealed."""
    rest = {key: value for key, value in content.items() if key != "digest"}
    if content.get("digest") != _digest(rest):
        raise ValueError("it does not match its own digest")
    return rest


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Return the hex sha256 of a file, read in blocks; `progress` is told the bytes of each block."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            if progress:
                progress(len(block))
    return digest.hexdigest()
