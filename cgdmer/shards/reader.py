"""Owns reading shards: one view over the rows of one or several folders, gathered by row number."""

import hashlib
import mmap
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.errors import ConfigError, DataError
from cgdmer.shards.manifest import ROWS, Manifest, check, damaged

OPEN_FILES = 256
"""Shard files a process keeps mapped; each holds a file descriptor, of which a process commonly has 1024."""


class Shards:
    """Rows of one or several shard folders, numbered from 0 in the order given.

    Opening reads manifests alone. Signals are memory-mapped when first gathered, and pages are given back after each
    gather, so that resident memory does not grow with the corpus. Pickles as paths, so worker processes are cheap.
    """

    def __init__(self, folders: Sequence[Path], manifests: Sequence[Manifest]) -> None:
        self.folders = list(folders)
        self.manifests = list(manifests)
        first = self.manifests[0]
        self.fs, self.samples, self.leads = first.fs, first.samples, first.leads
        self._files = [
            (folder / name, manifest.files[name], count)
            for folder, manifest in zip(self.folders, self.manifests, strict=True)
            for name, count in manifest.shards.items()
        ]
        self._ends = np.cumsum([count for _, _, count in self._files], dtype=np.int64)

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
        """Return the named columns of `rows.parquet` (all where none is named) and `source`, in row order."""
        parts = []
        for folder, manifest in zip(self.folders, self.manifests, strict=True):
            part = tables.read(folder / ROWS, list(names) or None)
            if len(part) != manifest.records:
                raise damaged(folder / ROWS, f"has {len(part)} rows, the manifest says {manifest.records}")
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
        """Copy ascending `rows` of one shard file to `places` of `out`; a run of rows is one copy."""
        path, digest, count = self._files[number]
        signals = _mapped(path, digest, (count, len(self.leads), self.samples))
        local = rows - (self._ends[number] - count)
        if (np.diff(local) == 1).all() and (np.diff(places) == 1).all():
            out[places[0] : places[-1] + 1] = signals[local[0] : local[-1] + 1]
        else:
            out[places] = signals[local]
        memory: object = signals.base
        if isinstance(memory, mmap.mmap):
            memory.madvise(mmap.MADV_DONTNEED)


@lru_cache(maxsize=OPEN_FILES)
def _mapped(path: Path, digest: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Map a signal file; `digest` keeps a file that was replaced since from being taken for the old one."""
    try:
        signals: np.ndarray = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise damaged(path, f"cannot be mapped: {error}") from error
    if signals.shape != shape or signals.dtype != np.int16:
        raise damaged(path, f"holds {signals.dtype} {signals.shape}, the manifest says int16 {shape}")
    return signals


def open_shards(folder: Path, verify: bool = False) -> Shards:
    """Open a shard folder after comparing file sizes, with `verify` sha256 too; DataError names a damaged file."""
    return Shards([folder], [check(folder, verify)])


def concatenate(parts: Sequence[Shards]) -> Shards:
    """Return one view over several shard folders; DataError when their rate, length or leads differ."""
    if not parts:
        raise ConfigError("no shards to concatenate", mend="name a source in pool.sources of params.yaml")
    form = {(part.fs, part.samples, part.leads) for part in parts}
    if len(form) > 1:
        raise DataError(
            f"shards of different form: {sorted((fs, samples, len(leads)) for fs, samples, leads in form)}",
            allowed="one fs, one length, the same leads",
            mend="dvc repro shards",
        )
    return Shards([f for part in parts for f in part.folders], [m for part in parts for m in part.manifests])
