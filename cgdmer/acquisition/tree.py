"""Owns walking a corpus kept outside the project and its checksums, remembered between runs."""

import hashlib
import logging
import os
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
"""POSIX path below the root, bytes, and the two times of the file's status in ns."""
SETTLED = 2_000_000_000
"""A file that changed less than so many ns before it was read may change again within one tick: not remembered."""
CHUNK = 20_000
"""Files between two savings of the remembered checksums."""
THREADS = 8


def scan(root: Path) -> pl.DataFrame:
    """Return the files of a corpus as the readers see them, sorted by path; a zip is one file; columns of SCAN.

    Names that start with a dot are a desktop's or a tool's, not the corpus's. Raises DataError like `open_archive`.
    """
    with open_archive(root) as archive:
        names = [name for name in archive.names() if "/." not in f"/{name}"] if root.is_dir() else [root.name]
    base = root if root.is_dir() else root.parent
    try:
        return pl.DataFrame([_row(name, os.stat(f"{base}/{name}")) for name in names], schema=SCAN, orient="row")
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}", fix="restore or remove it, then: dvc repro") from error


def checksums(root: Path, files: pl.DataFrame, memory: Path | None = None) -> pl.DataFrame:
    """Add the column `sha256` to a scan; files whose size and times are as remembered are not read again."""
    memory = memory or memory_of(root)
    base = root if root.is_dir() else root.parent
    known = remembered(files, memory)
    unknown = known.filter(pl.col("sha256").is_null()).drop("sha256")
    known = known.drop_nulls("sha256")
    if unknown.is_empty():
        return known
    log.info("%s: %d files, %d of them to be read", root, files.height, unknown.height)
    with (
        progress(total=int(unknown["size"].sum()), unit="byte", unit_scale=True, desc="checksums") as bar,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        for chunk in unknown.iter_slices(CHUNK):
            started = time.time_ns()
            sums: list[str] = []
            for size, found in zip(
                chunk["size"], pool.map(lambda row: _sum(base, *row), chunk.iter_rows()), strict=True
            ):
                sums.append(found)
                bar.update(size)
            read = chunk.with_columns(pl.Series("sha256", sums, dtype=pl.String))
            known = pl.concat([known, read])
            settled = pl.max_horizontal("modified", "changed") < started - SETTLED
            tables.write(known.filter(settled).sort("path"), memory)
    return known.sort("path")


def remembered(files: pl.DataFrame, memory: Path) -> pl.DataFrame:
    """Return a scan with `sha256` from an earlier run, null where size or times differ or nothing is known."""
    if not memory.is_file():
        return files.with_columns(sha256=pl.lit(None, dtype=pl.String))
    try:
        return files.join(tables.read(memory), on=list(SCAN), how="left", maintain_order="left")
    except (DataError, pl.exceptions.PolarsError):
        log.warning("%s is damaged; every file is read again", memory)
        memory.unlink(missing_ok=True)
        return remembered(files, memory)


def memory_of(root: Path) -> Path:
    """Return where the checksums of a root are remembered: scratch, never an output."""
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return paths.STATE / "checksums" / f"{name}.parquet"


def _row(path: str, status: os.stat_result) -> tuple[str, int, int, int]:
    return path, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sum(base: Path, path: str, size: int, modified: int, _: int) -> str:
    """Return a file's sha256; DataError when it changes meanwhile or cannot be read."""
    try:
        with (base / path).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            status = os.fstat(stream.fileno())
    except OSError as error:
        raise DataError(f"{base / path} cannot be read: {error.strerror}", fix="restore it, then: dvc repro") from error
    if (status.st_size, status.st_mtime_ns) != (size, modified):
        raise DataError(
            f"{base / path} changed while it was read", fix="wait until the copy is complete, then: dvc repro"
        )
    return digest
