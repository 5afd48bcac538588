"""List the files of a corpus outside the project and compute their checksums, cached between runs."""

import hashlib
import logging
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from cgdmer import paths, tables
from cgdmer.archives.archive import open_archive
from cgdmer.errors import DataError
from cgdmer.progress import progress

log = logging.getLogger(__name__)

SCAN = {"path": pl.String(), "size": pl.Int64(), "modified": pl.Int64(), "changed": pl.Int64()}
"""POSIX path below the root, size in bytes, and the modification and status-change times in ns."""
TOOL_FILE = re.compile(r"(?:^|/)(?:\.|index\.html|robots\.txt$)")
"""Hidden files, and what `wget --recursive` stores beside the files of a corpus."""
SETTLED = 2_000_000_000
"""Nanoseconds. A file that changed more recently may change again within one clock tick, so it is not cached."""
CHUNK = 20_000
"""Files that are listed, and summed, at a time."""
GROWTH = 1.25
"""The checksum cache is written again once so many times as many files are summed, so its cost is linear in them."""
THREADS = 8


def scan(root: Path) -> pl.DataFrame:
    """Return the files of a corpus, sorted by path, with the columns of SCAN; a zip is one file.

    Hidden files and the pages of a mirror belong to a tool and are skipped. Raises DataError as `open_archive` does.
    """
    with open_archive(root) as archive:
        names = [name for name in archive.names() if not TOOL_FILE.search(name)] if root.is_dir() else [root.name]
    base = root if root.is_dir() else root.parent
    starts = range(0, max(len(names), 1), CHUNK)  # in chunks, because a million rows of Python objects take 500 MB
    try:
        return pl.concat([_rows(base, names[start : start + CHUNK]) for start in starts])
    except OSError as error:
        raise DataError(
            f"{error.filename}: {error.strerror}", fix="restore or remove it, then run: dvc repro"
        ) from error


def checksums(root: Path, files: pl.DataFrame, cache: Path | None = None) -> pl.DataFrame:
    """Add the column `sha256` to a scan; files whose size and times equal the cached ones are not read again."""
    cache = cache or cache_path(root)
    base = root if root.is_dir() else root.parent
    looked_up = with_cached(files, cache)
    unread = looked_up.filter(pl.col("sha256").is_null()).drop("sha256")
    summed = looked_up.drop_nulls("sha256")
    written = summed.height
    if unread.is_empty():
        return summed
    log.info("%s: %d files, of which %d must be read", root, files.height, unread.height)
    with (
        progress(total=int(unread["size"].sum()), unit="byte", unit_scale=True, desc="checksums") as bar,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for chunk in unread.iter_slices(CHUNK):
            started = time.time_ns()
            sums: list[str] = []
            for size, digest in zip(
                chunk["size"], pool.map(lambda row: _sum(base, *row), chunk.iter_rows()), strict=True
            ):
                sums.append(digest)
                bar.update(size)
            summed = pl.concat([summed, chunk.with_columns(pl.Series("sha256", sums, dtype=pl.String))])
            if summed.height >= min(GROWTH * written, files.height):
                settled = pl.max_horizontal("modified", "changed") < started - SETTLED
                tables.write(summed.filter(settled).sort("path"), cache)
                written = summed.height
    return summed.sort("path")


def with_cached(files: pl.DataFrame, cache: Path) -> pl.DataFrame:
    """Return a scan with `sha256` from an earlier run; null where size or times differ or nothing is cached."""
    if not cache.is_file():
        return files.with_columns(sha256=pl.lit(None, dtype=pl.String))
    try:
        return files.join(tables.read(cache), on=list(SCAN), how="left", maintain_order="left")
    except (DataError, pl.exceptions.PolarsError):
        log.warning("%s is damaged; reading every file again", cache)
        cache.unlink(missing_ok=True)
        return with_cached(files, cache)


def cache_path(root: Path) -> Path:
    """Return the file that caches the checksums of a root: scratch, never an output."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return paths.STATE / "checksums" / f"{name}.parquet"


def _rows(base: Path, names: list[str]) -> pl.DataFrame:
    return pl.DataFrame([_row(name, os.stat(f"{base}/{name}")) for name in names], schema=SCAN, orient="row")


def _row(path: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return path, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sum(base: Path, path: str, size: int, modified: int, _: int) -> str:
    """Return the sha256 of a file; raise DataError if it changes meanwhile or cannot be read."""
    try:
        with (base / path).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            status = os.fstat(stream.fileno())
    except OSError as error:
        raise DataError(
            f"{base / path} cannot be read: {error.strerror}", fix="restore it, then run: dvc repro"
        ) from error
    if (status.st_size, status.st_mtime_ns) != (size, modified):
        raise DataError(
            f"{base / path} changed while it was read", fix="wait until the copy is complete, then run: dvc repro"
        )
    return digest
