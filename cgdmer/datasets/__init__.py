"""The list of sources, and the raw files of each: the zip that `acquire` wrote, or a local copy elsewhere."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, get_args

from cgdmer import environment, paths
from cgdmer.errors import ConfigError, DataError, did_you_mean
from cgdmer.settings import Corpus, Index
from cgdmer.settings.data import Source

if TYPE_CHECKING:
    from cgdmer.archives import Archive
    from cgdmer.datasets.corpus_index import CorpusIndex

SOURCES: tuple[str, ...] = get_args(Source)

TOP_LEVELS = 3
"""Levels of folders in which a corpus at the top has a record or table: `find` accepts `TrainingSet1/g1/A0001.hea`."""


class Dataset(Protocol):
    """The interface of the module of a source; `module` returns one."""

    NAME: str
    TITLE: str
    ALIASES: tuple[str, ...]
    """Usual names of the folder or zip of a local copy."""
    COLLECTIONS: tuple[str, ...]
    """Names of PhysioNet projects that hold this corpus among others."""
    URL: str
    """Base URL of the files on PhysioNet."""
    WANTED: str
    """A regular expression that selects the needed files by their path in SHA256SUMS.txt."""
    LICENCE: str
    TASKS: dict[str, tuple[str, ...]]
    """Class names per task, in published order."""

    def find(self, archive: "Archive") -> "Archive":
        """Return the archive rooted at the top folder of the corpus; raise DataError if it holds something else."""

    def read_index(self, archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> "CorpusIndex":
        """Read metadata and headers into the index table; `protocol` is the folder of the published splits, if any."""


def module(source: str) -> Dataset:
    """Import and return the module of a source; no other source is imported."""
    if source not in SOURCES:
        raise ConfigError(
            f"no source is called '{source}'{did_you_mean(source, [*SOURCES])}", allowed=", ".join(SOURCES)
        )
    return import_module(f"cgdmer.datasets.{source}")


def open_raw(source: str, corpus: Corpus) -> "Archive":
    """Open the acquired corpus, rooted at its top folder; every `member` of the index is a name in this archive.

    The zip that `acquire` wrote has priority over a local copy, which is located again. Raises DataError if there is
    neither.
    """
    from cgdmer.archives import open_archive

    acquired = paths.raw(source) / f"{source}.zip"
    root = acquired if acquired.is_file() else local_root(source, corpus)
    if root is None:
        raise DataError(f"no raw files of {source}", allowed=where_to_get(source), fix=f"dvc repro acquire@{source}")
    return module(source).find(open_archive(root))


def local_root(source: str, corpus: Corpus) -> Path | None:
    """Return the top folder or the zip of a local copy, or None if there is none or `corpus.way` excludes it."""
    from cgdmer.archives.locate import locate

    if corpus.root is None and corpus.way not in ("auto", "local"):
        return None
    dataset = module(source)
    root = locate(
        source,
        dataset.ALIASES,
        corpus,
        environment.read().raw_root,
        lambda path, at_top: recognises(source, path, at_top=at_top),
        dataset.COLLECTIONS,
    )
    return root and _top(source, root)


def _top(source: str, root: Path) -> Path:
    """Return the top folder of the corpus inside a folder; a zip, or a folder with something else, stays as it is."""
    from cgdmer.archives import open_archive

    if not root.is_dir():
        return root
    try:
        with open_archive(root) as archive:
            return root / module(source).find(archive).prefix
    except DataError:
        return root


def recognises(source: str, path: Path, *, at_top: bool = False) -> bool:
    """Return True if a folder or zip holds this corpus; with `at_top`, only if it is not in a folder below.

    A folder that holds no file of it near its top is not listed further: it may be the root of all corpora, with
    millions of files.
    """
    from cgdmer.archives import open_archive

    if at_top and path.is_dir() and not _shallow(source, path):
        return False
    try:
        with open_archive(path) as archive:
            rooted = module(source).find(archive)
            return not at_top or rooted.prefix == archive.prefix
    except DataError:
        return False


def _shallow(source: str, folder: Path) -> bool:
    """Return True if the first levels of a folder alone would be recognised as the top of this corpus."""
    from cgdmer.archives import open_archive

    try:
        archive = open_archive(folder, depth=TOP_LEVELS)
        return module(source).find(archive).prefix == archive.prefix
    except DataError:
        return False


def where_to_get(source: str) -> str:
    """Return one sentence that tells the user where to get the corpus."""
    dataset = module(source)
    return f"{dataset.TITLE}, {dataset.LICENCE}, from {dataset.URL}, or simulated (corpora.{source}.way: simulate)"
