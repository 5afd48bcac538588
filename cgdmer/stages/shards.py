"""Stage shards: index and raw files of a source -> canonical signals in memory-mapped files."""

from cgdmer import datasets, paths, preprocessing, tables
from cgdmer.acquisition import manifest
from cgdmer.settings import Corpus, Signal


def shards(source: str, *, corpus: Corpus, signal: Signal) -> None:
    """Write `data/shards/<source>`; DataError if too large a share of the index cannot be used."""
    index = tables.read(paths.index(source))
    tables.check_invariants(index, source)
    with datasets.open_raw(source, corpus) as raw:
        if (paths.raw(source) / manifest.NAME).is_file():  # a folder that was put there by hand has none
            manifest.check(paths.raw(source), raw.path)
        preprocessing.preprocess(
            index, raw, paths.shards(source), paths.scratch("shards", source), signal, corpus.seconds
        )
