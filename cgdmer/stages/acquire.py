"""Stage acquire: a source -> its raw corpus as one zip, simulated or downloaded, or the manifest of a local copy."""

import logging
from pathlib import Path

from cgdmer import datasets, environment, paths
from cgdmer.acquisition import manifest
from cgdmer.archives.archive import open_archive
from cgdmer.archives.locate import not_found
from cgdmer.settings import Corpus

log = logging.getLogger(__name__)


def acquire(source: str, *, corpus: Corpus) -> None:
    """Fill `data/raw/<source>` as `corpus.way` says; `manifest.json` is written last and records the way.

    DataError if a requested local copy is missing or holds another corpus, or if a download fails.
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
    content = manifest.read(folder)
    log.info(
        "%s: acquired, way %s, from %s: %d files, %d bytes",
        *(source, content["way"], root or folder, content["files"], content["bytes"]),
    )


def _local(source: str, root: Path, folder: Path) -> None:
    """Check that the copy holds this corpus before computing its checksums, which may take long."""
    log.warning("%s: using the LOCAL copy at %s", source, root)
    with open_archive(root) as archive:
        datasets.module(source).find(archive)
    manifest.write_local(source, root, folder)


def _download(source: str, corpus: Corpus, folder: Path) -> None:
    from cgdmer.acquisition.download import download

    module = datasets.module(source)
    url = corpus.url or module.URL
    log.warning("%s: DOWNLOADING from %s", source, url)
    download(source, url, module.WANTED, folder)


def _simulate(source: str, corpus: Corpus, folder: Path) -> None:
    from cgdmer import demo_corpora

    reason = f"; {_missing_copy()}" if corpus.way == "auto" else ""
    log.warning("%s: %d records are SIMULATED, not real%s", source, corpus.records, reason)
    manifest.prepare_folder(folder, manifest.output_names(source))
    demo_corpora.write(source, folder / f"{source}.zip", corpus)
    manifest.write_archive(folder, source, "simulate")


def _missing_copy() -> str:
    raw_root = environment.read().raw_root
    return f"no local copy under CGDMER_RAW_ROOT={raw_root}" if raw_root else "CGDMER_RAW_ROOT is not set"
