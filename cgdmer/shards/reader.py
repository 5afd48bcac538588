"""Owns reading shards: one view over the rows of one or several folders, gathered by row number."""

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

MOST_BUFFERS = 1024
"""Buffers one `preadv` fills at most (IOV_MAX on Linux)."""


class Shards:
    """Rows of one or several shard folders, numbered from 0 in the order given.

    Opening reads manifests alone. The files are plain `.npy` and may be memory-mapped, but `gather` uses positioned
    reads: they leave no pages behind, so resident memory does not grow with the corpus, a truncated file is an error
    and not a SIGBUS, and rows that are not in memory yet come 50 times faster than by page faults (256 random rows of
    a million: 14 ms against 640 ms). Holds no open file and pickles as paths, so worker processes are cheap.
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
        """Hex sha256 of the content; of one folder the manifest's own."""
        digests = [manifest.digest for manifest in self.manifests]
        return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()

    @cached_property
    def rows(self) -> pl.DataFrame:
        """All columns of `rows.parquet`, with the folder's name as `source`."""
        return self.columns()

    def columns(self, *names: str) -> pl.DataFrame:
        """Return the named columns of `rows.parquet` (all where none is named) and `source`, in row order.

        DataError where the table is not the one the manifest names.
        """
        parts = []
        for folder, manifest in zip(self.folders, self.manifests, strict=True):
            if (folder / ROWS).is_file() and sha256(folder / ROWS) != manifest.files[ROWS]:
                raise damaged(folder / ROWS, "differs from the sha256 in the manifest")
            part = tables.read(folder / ROWS, list(names) or None)
            parts.append(part.with_columns(source=pl.lit(folder.name)))
        return pl.concat(parts)

    def reports(self) -> tuple[list[str], np.ndarray]:
        """Return the distinct reports, sorted, and each row's place among them, int32 (N,)."""
        column = self.columns("report")["report"]
        distinct = column.unique().sort()
        codes = column.replace_strict(distinct, pl.int_range(len(distinct), eager=True), return_dtype=pl.Int32)
        return distinct.to_list(), codes.to_numpy()

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the signals of `rows` in the order asked, int16 microvolt (n, leads, samples).

        Rows are read in file order, shard by shard. IndexError for a row outside 0..len-1.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()}..{rows.max()} asked of {len(self)}")
        out = np.empty((len(rows), len(self.leads), self.samples), dtype=np.int16)
        order = np.argsort(rows, kind="stable")
        cuts = np.searchsorted(rows[order], self._ends)
        begin = 0
        for number in np.flatnonzero(np.diff(cuts, prepend=0)):
            places = order[begin : cuts[number]]
            self._read(int(number), rows[places], places, out)
            begin = cuts[number]
        return out

    def _read(self, number: int, rows: np.ndarray, places: np.ndarray, out: np.ndarray) -> None:
        """Read ascending `rows` of one shard file into `places` of `out`, a run of consecutive rows at a time."""
        path, count = self._files[number]
        header, size = _header((count, *out.shape[1:])), out[0].nbytes
        local = rows - (self._ends[number] - count)
        cuts = np.flatnonzero(np.diff(local) != 1) + 1
        try:
            with path.open("rb", buffering=0) as file:
                if os.pread(file.fileno(), len(header), 0) != header:
                    raise damaged(path, f"is not an int16 array {(count, *out.shape[1:])}")
                for run in np.split(np.arange(len(local)), cuts):
                    for begin in range(0, len(run), MOST_BUFFERS):
                        part = run[begin : begin + MOST_BUFFERS]
                        at = len(header) + int(local[part[0]]) * size
                        if os.preadv(file.fileno(), [out[place] for place in places[part]], at) != size * len(part):
                            raise damaged(path, f"ends before row {local[part[-1]]}")
        except OSError as error:
            raise damaged(path, f"cannot be read: {error.strerror}") from error


@lru_cache(maxsize=64)
def _header(shape: tuple[int, ...]) -> bytes:
    """Return the bytes that stand before the data of an int16 `.npy` file."""
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<i2", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def open_shards(folder: Path, verify: bool = False) -> Shards:
    """Open a shard folder after comparing file sizes, with `verify` sha256 too; DataError names a damaged file."""
    return Shards([folder], [check(folder, verify)])


def concatenate(parts: Sequence[Shards]) -> Shards:
    """Return one view over several shard folders; DataError when their rate, length or leads differ."""
    if not parts:
        raise ConfigError("no shards to concatenate", fix="name a source in pretraining_set.sources of params.yaml")
    form = {(part.fs, part.samples, part.leads) for part in parts}
    if len(form) > 1:
        raise DataError(
            f"shards of different form: {sorted((fs, samples, len(leads)) for fs, samples, leads in form)}",
            allowed="one fs, one length, the same leads",
            fix="dvc repro shards",
        )
    return Shards([f for part in parts for f in part.folders], [m for part in parts for m in part.manifests])
