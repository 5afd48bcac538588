"""Owns the list of sources and finding the raw files of one: our zip, or a copy that lies elsewhere."""

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


class Dataset(Protocol):
    """What the module of a source offers; `module` returns one."""

    NAME: str
    TITLE: str
    ALIASES: tuple[str, ...]
    """Folder names people give their copy."""
    URL: str
    """PhysioNet's base address of the files."""
    WANTED: str
    """A regular expression: the files of that address that are needed, as its SHA256SUMS.txt names them."""
    LICENCE: str
    TASKS: dict[str, tuple[str, ...]]
    """Class names by task, in published order."""

    def find(self, archive: "Archive") -> "Archive":
        """Return the archive rooted at the corpus's own top; DataError when it holds something else."""

    def read_index(self, archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> "CorpusIndex":
        """Read metadata and headers into the index table; `protocol` holds the published splits, where they are."""


def module(source: str) -> Dataset:
    """Return a source's module, importing only that one."""
    if source not in SOURCES:
        raise ConfigError(
            f"no source is called '{source}'{did_you_mean(source, [*SOURCES])}", allowed=", ".join(SOURCES)
        )
    return import_module(f"cgdmer.datasets.{source}")


def open_raw(source: str, corpus: Corpus) -> "Archive":
    """Open the acquired corpus, rooted at its own top; every `member` of the index is a name in it.

    The zip that `acquire` made comes first; a local copy stays where it is and is found again. DataError where there
    is neither.
    """
    from cgdmer.archives import open_archive

    made = paths.raw(source) / f"{source}.zip"
    root = made if made.is_file() else local_root(source, corpus)
    if root is None:
        raise DataError(f"no raw files of {source}", allowed=where_to_get(source), fix=f"dvc repro acquire@{source}")
    return module(source).find(open_archive(root))


def local_root(source: str, corpus: Corpus) -> Path | None:
    """Return the folder or zip of a local copy, or None where there is none or the way forbids one."""
    from cgdmer.archives.locate import locate

    if corpus.root is None and corpus.way not in ("auto", "local"):
        return None
    aliases = module(source).ALIASES
    return locate(
        source, aliases, corpus, environment.read().raw_root, lambda path, top: recognises(source, path, at_top=top)
    )


def recognises(source: str, path: Path, *, at_top: bool = False) -> bool:
    """Return whether a folder or zip holds this corpus; with `at_top`, directly and not in a folder below."""
    from cgdmer.archives import open_archive

    try:
        with open_archive(path) as archive:
            found = module(source).find(archive)
            return not at_top or found.prefix == archive.prefix
    except DataError:
        return False


def where_to_get(source: str) -> str:
    """Return one sentence for a person who lacks the corpus."""
    dataset = module(source)
    return f"{dataset.TITLE}, {dataset.LICENCE}, from {dataset.URL}, or simulated (corpora.{source}.way: simulate)"
