"""Owns the stage `acquire`: the raw corpus as one zip, simulated or downloaded, or the manifest of a local copy."""

import logging
from pathlib import Path

from cgdmer import datasets, environment, paths
from cgdmer.acquisition import manifest
from cgdmer.archives.archive import open_archive
from cgdmer.archives.locate import not_found
from cgdmer.settings import Corpus

log = logging.getLogger(__name__)


def acquire(source: str, *, corpus: Corpus) -> None:
    """Fill `data/raw/<source>` by `corpus.way`; `manifest.json`, written last, says which way it was.

    Errors: DataError where a local copy is asked for and is not there, holds another corpus, or a download fails.
    """
    folder = paths.raw(source)
    root = datasets.local_root(source, corpus)
    if root is not None:
        _local(source, root, folder)
    elif corpus.way == "local":
        raise not_found(source, datasets.module(source).ALIASES, environment.read().raw_root)
    elif corpus.way == "download":
        _download(source, corpus, folder)
    else:
        _simulate(source, corpus, folder)
    log.info("%s: acquired by way of %s", source, manifest.read(folder)["way"])


def _local(source: str, root: Path, folder: Path) -> None:
    """Check that the copy is this corpus before its checksums are taken, which may take long."""
    log.warning("%s: the LOCAL copy at %s is used", source, root)
    with open_archive(root) as archive:
        datasets.module(source).find(archive)
    manifest.take(source, root, folder)


def _download(source: str, corpus: Corpus, folder: Path) -> None:
    from cgdmer.acquisition.download import download

    module = datasets.module(source)
    url = corpus.url or module.URL
    log.warning("%s: DOWNLOAD from %s", source, url)
    download(source, url, module.WANTED, folder)


def _simulate(source: str, corpus: Corpus, folder: Path) -> None:
    from cgdmer import demo_corpora

    why = f"; {_where()}" if corpus.way == "auto" else ""
    log.warning("%s: %d records are SIMULATED, not real%s", source, corpus.records, why)
    manifest.begin(folder, manifest.outputs(source))
    demo_corpora.write(source, folder / f"{source}.zip", corpus)
    manifest.write_archive(folder, source, "simulate")


def _where() -> str:
    raw_root = environment.read().raw_root
    return f"no local copy under CGDMER_RAW_ROOT={raw_root}" if raw_root else "CGDMER_RAW_ROOT is not set"
