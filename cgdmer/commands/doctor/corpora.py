"""The corpora of a profile on this machine: where each is, and how much of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cgdmer import datasets, environment
from cgdmer.acquisition import tree
from cgdmer.archives import open_archive
from cgdmer.archives.locate import not_found
from cgdmer.commands.doctor.finding import GB, Finding
from cgdmer.errors import CgdmerError
from cgdmer.settings import Corpus, Settings

BYTES_PER_SAMPLE, LEADS, SIMULATED_FS = 2, 12, 500


@dataclass(frozen=True)
class Copy:
    """What there is, or will be, of one corpus."""

    way: str
    """`local`, `simulate`, `download` or `missing`."""
    root: Path | None = None
    files: int = 0
    size: int = 0
    """Bytes."""
    records: int = 0
    """Recordings of a local copy by its headers, or those to simulate; 0 where their number is not known."""
    error: CgdmerError | None = None
    """Why no copy can be used, or which one is not clear."""


def find(chosen: Settings) -> dict[str, Copy]:
    """Return what there is of each corpus of the profile; a corpus that cannot be read is `missing`."""
    return {source: _look(source, chosen.corpora[source]) for source in chosen.matrix.sources}


def findings(copies: dict[str, Copy]) -> Iterator[Finding]:
    """Say where each corpus comes from, with files, bytes and records.

    A missing corpus is bad where CGDMER_RAW_ROOT is not set, because `acquire` would stop; otherwise `cgdmer profile`
    leaves it out.
    """
    for source, copy in copies.items():
        if copy.way == "local":
            fact = f"{copy.files:,} files, {copy.size / GB:.3f} GB, {copy.records:,} recordings"
            yield Finding("ok", f"{source}: {copy.root}: {fact}")
        elif copy.way == "simulate":
            yield Finding("note", f"{source}: {copy.records:,} simulated recordings, not real ones")
        elif copy.way == "download":
            yield Finding("note", f"{source}: will be downloaded from {datasets.module(source).URL}")
        elif copy.error:
            yield Finding("bad", copy.error.problem, copy.error.fix)
        elif environment.read().raw_root is None:
            error = not_found(source, datasets.module(source).ALIASES, None)
            yield Finding("bad", error.problem, error.fix)
        else:
            yield Finding("note", f"{source}: no local copy", f"cgdmer check {source}, which lists the names")


def trained_on(chosen: Settings, copies: dict[str, Copy]) -> int:
    """Return the recordings of the pretraining corpora that fall into training, where the splits are those of a hash.

    A published split has about the same share; reports that are too short are not known before `index`.
    """
    records = sum(copies[source].records for source in chosen.pretraining_set.sources if source in copies)
    return round(records * (1 - chosen.index.val_fraction - chosen.index.test_fraction))


def _look(source: str, corpus: Corpus) -> Copy:
    try:
        root = datasets.local_root(source, corpus)
        if root is not None:
            return _count(source, root)
    except CgdmerError as error:
        return Copy("missing", error=error)
    if corpus.way in ("simulate", "auto"):
        samples = round(corpus.seconds * SIMULATED_FS)
        return Copy("simulate", None, 1, corpus.records * LEADS * samples * BYTES_PER_SAMPLE, corpus.records)
    return Copy("download" if corpus.way == "download" else "missing")


def _count(source: str, root: Path) -> Copy:
    """Count files and bytes as `acquire` does, and the recordings by their headers, or by their `.mat` files."""
    files = tree.scan(root)
    names = files["path"] if root.is_dir() else _inside(source, root)
    headers = names.filter(names.str.ends_with(".hea"))
    needed = headers.filter(headers.str.contains(datasets.module(source).WANTED))
    records = needed.len() or headers.len() or names.str.ends_with(".mat").sum()
    return Copy("local", root, files.height, int(files["size"].sum()), int(records))


def _inside(source: str, root: Path) -> pl.Series:
    """Return the names of the files in a zip, relative to the top folder of the corpus."""
    with datasets.module(source).find(open_archive(root)) as archive:
        return pl.Series(archive.names(), dtype=pl.String)
