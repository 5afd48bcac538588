"""Reading shards: one view over the rows of one or several folders, gathered by row number."""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property, lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import sha256
from cgdmer.shards.manifest import ROWS, Manifest, check, damaged

MAX_BUFFERS = 1024
"""Largest number of buffers that one `preadv` fills (IOV_MAX on Linux)."""


class Shards:
    """Rows of one or several shard folders, numbered from 0 in the order given.

    Opening reads the manifests only. The files are plain `.npy` and may be memory-mapped, but `gather` uses positioned
    reads. These leave no pages behind, so resident memory does not grow with the corpus; a truncated file is an error
    instead of a SIGBUS; and rows that are not in memory yet arrive 50 times faster than by page faults (256 random rows
    of a million: 14 ms instead of 640 ms). No file stays open and pickling stores paths, so worker processes are cheap.
    """

    def __init__(self, folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
        self.folders = list(folders)
        self.manifests = list(manifests)
        first = self.manifests[0]
        self.fs, self.samples, self.leads = first.fs, first.samples, first.leads
        self._files = [
            (folder / name, count)
            for folder, manifest in zip(self.folders, self.manifests, strict=True)
            for name, count in manifest.shards.items()
        ]
        self._ends = np.cumsum([count for _, count in self._files], dtype=np.int64)

    def __len__(self) -> int:
        return sum(manifest.records for manifest in self.manifests)

    @property
    def digest(self) -> str:
        """Hex sha256 of the content; for a single folder, the digest of its manifest."""
        digests = [manifest.digest for manifest in self.manifests]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All columns of `rows.parquet`, with the folder's name as `source`."""
        return self.columns()

    def columns(self, *names: str) -> pl.DataFrame:
        """Return the named columns of `rows.parquet`, or all of them, and `source`, in row order.

        DataError when a table differs from its sha256 in the manifest.
        """
        frames = []
        for folder, manifest in zip(self.folders, self.manifests, strict=True):
            if (folder / ROWS).is_file() and sha256(folder / ROWS) != manifest.files[ROWS]:
                raise damaged(folder / ROWS, "differs from the sha256 in the manifest")
            frame = tables.read(folder / ROWS, list(names) or None)
            frames.append(frame.with_columns(source=pl.lit(folder.name)))
        return pl.concat(frames)

    def reports(self) -> tuple[list[str], np.ndarray]:
        """Return the distinct reports, sorted, and each row's index into them, int32 (N,)."""
        column = self.columns("report")["report"]
        distinct = column.unique().sort()
        codes = column.replace_strict(distinct, pl.int_range(len(distinct), eager=True), return_dtype=pl.Int32)
        return distinct.to_list(), codes.to_numpy()

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the signals of `rows` (n,) in the given order, int16 microvolt (n, leads, samples).

        They are read in file order, shard by shard. IndexError for a row outside 0..len-1.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()}..{rows.max()} asked of {len(self)}")
        out = np.empty((len(rows), len(self.leads), self.samples), dtype=np.int16)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], self._ends)
        begin = 0
        for number in np.flatnonzero(np.diff(cuts, prepend=0)):
            positions = order[begin : cuts[number]]
            self._read(int(number), rows[positions], positions, out)
            begin = cuts[number]
        return out

    def _read(self, number: int, rows: np.ndarray, positions: np.ndarray, out: np.ndarray) -> None:
        """Read ascending `rows` of one shard file into `positions` of `out`, one run of consecutive rows at a time."""
        path, count = self._files[number]
        header, size = _header((count, *out.shape[1:])), out[0].nbytes
        local = rows - (self._ends[number] - count)
        cuts = np.flatnonzero(np.diff(local) != 1) + 1
        try:
            with path.open("rb", buffering=0) as file:
                if os.pread(file.fileno(), len(header), 0) != header:
                    raise damaged(path, f"is not an int16 array {(count, *out.shape[1:])}")
                for run in np.split(np.arange(len(local)), cuts):
                    for begin in range(0, len(run), MAX_BUFFERS):
                        chunk = run[begin : begin + MAX_BUFFERS]
                        buffers = [out[position] for position in positions[chunk]]
                        offset = len(header) + int(local[chunk[0]]) * size
                        if os.preadv(file.fileno(), buffers, offset) != size * len(chunk):
                            raise damaged(path, f"ends before row {local[chunk[-1]]}")
        except OSError as error:
            raise damaged(path, f"cannot be read: {error.strerror}") from error


@lru_cache(maxsize=64)
def _header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an int16 `.npy` file of this shape."""
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<i2", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def open_shards(folder: Path, verify: bool = False) -> Shards:
    """Open a shard folder after checking file sizes, with `verify` sha256 too; DataError names a damaged file."""
    return Shards([folder], [check(folder, verify)])


def concatenate(shards: Sequence[Shards]) -> Shards:
    """Return one view over several shard folders, in order.

    ConfigError when there are none, DataError when their sampling rates, lengths or leads differ.
    """
    if not shards:
        raise ConfigError("no shards to concatenate", fix="name a source in pretraining_set.sources of params.yaml")
    form = {(one.fs, one.samples, one.leads) for one in shards}
    if len(form) > 1:
        raise DataError(
            f"shards of different form: {sorted((fs, samples, len(leads)) for fs, samples, leads in form)}",
            allowed="one fs, one length, the same leads",
            fix="dvc repro shards",
        )
    return Shards([f for one in shards for f in one.folders], [m for one in shards for m in one.manifests])
