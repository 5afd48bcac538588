"""Write files atomically (temporary name, fsync, rename), lock them, and compute digests."""

import errno
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cgdmer.errors import ConfigError, Damaged, DataError

log = logging.getLogger(__name__)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
WRITE_ERRORS = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO)
"""Errors of a disk that is full, read-only, not writable for this user, or broken."""
TEMPORARY = re.compile(r"\..*\.[0-9]+\.tmp(\.[^.]*)?", re.DOTALL)
"""Names of the files that `atomic` is writing."""
MAX_JSON = 1 << 29
"""Bytes of the largest JSON file that is read."""
MAX_TEXT = 500
"""Characters of a message that quotes a damaged file."""
MIN_FREE = 1 << 16
"""Bytes. A disk with less free space counts as full, whatever error a library raises."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success fsync and rename it to `path`, on failure remove it.

    The temporary name keeps the suffix, because some writers choose a format by it. Raises DataError if the disk is
    full or not writable.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")  # TEMPORARY matches it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except Exception as error:
        if data_error := write_error(path, error):
            raise data_error from error
        raise
    finally:
        if path.parent.is_dir():
            temporary.unlink(missing_ok=True)


def is_temporary(name: str) -> bool:
    """Return True for the name of a file that is being written, or that a killed process left."""
    return TEMPORARY.fullmatch(name) is not None


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder` on success and is removed on failure.

    ConfigError if `folder` holds anything: nothing is overwritten. DataError if the disk is full or not writable.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already", allowed="a new or empty folder", fix="name another with -o")
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        yield temporary
        for path in (*temporary.iterdir(), temporary):
            sync(path)
        temporary.chmod(0o755)
        temporary.rename(folder)
        sync(folder.parent)
    except Exception as error:
        if data_error := write_error(folder, error):
            raise data_error from error
        raise
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def write_error(path: Path, error: Exception) -> DataError | None:
    """Return a DataError that explains why `path` cannot be written, or None if `error` has another cause."""
    number = error.errno if isinstance(error, OSError) else None
    short = isinstance(error, OSError) and number is None and " written" in str(error)  # numpy does not set errno
    full = short or number in FULL or (path.parent.is_dir() and shutil.disk_usage(path.parent).free < MIN_FREE)
    if isinstance(error, DataError) or not (full or number in WRITE_ERRORS):
        return None
    why = "no space is left on its disk" if full else os.strerror(number or errno.EIO)
    fix = "free space there" if full else f"make it writable (see: ls -ld {path.parent}; mount)"
    return DataError(f"{path} cannot be written: {why}", fix=f"{fix}, then run the same command again")


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold a lock that is released when this process ends; a second process logs a warning and waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            work = path.parent.name if path.name == ".lock" else path.name
            log.warning("%s: another process is doing the same work; waiting for it", work)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def sync(path: Path) -> None:
    """Flush a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write sorted, indented JSON; raise ValueError for NaN, which other programs cannot read."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def check_regular(path: Path, limit: int) -> None:
    """Raise OSError unless a path is a regular file of at most `limit` bytes; a pipe or device would never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if status.st_size > limit:
        raise OSError(errno.EFBIG, f"more than {limit:,} bytes", str(path))


def read_json(path: Path, limit: int = MAX_JSON) -> Any:
    """Return the content of a JSON file of at most `limit` bytes.

    OSError for a pipe, a device or a larger file; Damaged, which is a ValueError, if it is not JSON.
    """
    check_regular(path, limit)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise Damaged(f"{path} is nested too deeply") from error
    except ValueError as error:
        raise Damaged(f"{path} is not JSON: {error}") from error


@contextmanager
def named(path: Path, fix: str) -> Iterator[None]:
    """Raise DataError with the name of a file, and what fixes it, where its content is not what the block expects."""
    try:
        yield
    except Damaged as error:
        raise DataError(error.problem, fix=error.fix or fix) from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}: {error}"[:MAX_TEXT], fix=fix) from error


def with_digest(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content with the key `digest`, the sha256 of all other keys."""
    return content | {"digest": _digest(content)}


def without_digest(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content without its digest; raise ValueError if they do not match."""
    payload = {key: value for key, value in content.items() if key != "digest"}
    if content.get("digest") != _digest(payload):
        raise ValueError("it does not match its own digest")
    return payload


def work_key(*content: Any) -> str:
    """Return 16 hex digits that name a piece of work by `content`, the JSON values that decide its result.

    Equal content gives equal keys, so a command that was killed finds its own unfinished work again, and no other.
    """
    return _digest(content)[:16]


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sha256(path: Path, progress: Callable[[int], None] | None = None) -> str:
    """Return the hex sha256 of a file, read in blocks; `progress` receives the size of each block in bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            if progress:
                progress(len(block))
    return digest.hexdigest()
