"""Cards of the published encoders: who trained them on what, and how their checkpoint files are laid out.

Each card stands in the encoder's own file as `CARD`. Their names are read without importing them, because they import
PyTorch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cgdmer.embeddings import Origin
from cgdmer.encoders import defined
from cgdmer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from torch import nn

    from cgdmer.encoders.form import Form

WEIGHTS = "encoder.safetensors"
"""File in the folder of a converted encoder: the tensors of its network, in float32 and under their plain names."""


@dataclass(frozen=True)
class Paper:
    """Where an encoder was published."""

    citation: str
    link: str


@dataclass(frozen=True)
class Corpus:
    """A corpus on which an encoder was trained."""

    name: str
    """The name of the source here, such as `ptb_xl`, or the corpus's own name if it is no source of this project."""
    records: int | None = None
    """Number of its records in the training, as published; None where no number was found."""


@dataclass(frozen=True)
class Checkpoint:
    """The layout of the published files of an encoder."""

    files: tuple[str, ...] = ()
    """Names of the published files that hold it."""
    where: str = ""
    """Where its authors publish them."""
    wrappers: tuple[str, ...] = ()
    """Keys below which the state dict may be nested."""
    prefixes: tuple[str, ...] = ()
    """What may stand in front of the names of its tensors."""
    drop: tuple[str, ...] = ()
    """Patterns of the names of tensors that the features do not need, with or without a prefix."""
    renames: tuple[tuple[str, str], ...] = ()
    """Pairs of a part of a name, and what the network here calls it."""
    any_rows: tuple[str, ...] = ()
    """Tensors whose first axis differs from file to file; the network takes it from the file."""


@dataclass(frozen=True)
class Card:
    """What is known about a published encoder."""

    name: str
    """The name of its file in `cgdmer/encoders`, and so of the encoder."""
    title: str
    paper: Paper
    code: str
    """Repository of its authors."""
    licence: str
    """Licence of the code and, where they state another, of the weights."""
    trained_on: tuple[Corpus, ...]
    """Corpora that its training saw, with or without labels."""
    checkpoint: Checkpoint
    form: "Form"
    """Form of the signals that it was trained on."""
    network: Callable[[], "nn.Module"]
    """Builds the network at its published size, with weights that mean nothing."""
    notes: str = ""
    """What a reader of its results must know."""

    def origin(self) -> Origin:
        """Return what is stored beside the features of this encoder."""
        corpora = [corpus.name for corpus in self.trained_on]
        return Origin(self.title, self.paper.citation, self.paper.link, self.code, self.licence, corpora, self.notes)


@cache
def names() -> tuple[str, ...]:
    """Return the names of the published encoders, sorted: the modules of this package that define `CARD`."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return tuple(path.stem for path in modules if "CARD" in defined(path))


def card(name: str) -> Card:
    """Return the card of a published encoder; ConfigError for another name. Imports PyTorch."""
    if name not in names():
        raise ConfigError(
            f"no published encoder is called '{name}'{did_you_mean(name, list(names()))}", allowed=", ".join(names())
        )
    chosen: Card = import_module(f"cgdmer.encoders.{name}").CARD
    return chosen
