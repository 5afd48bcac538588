"""Convert a published checkpoint: read it safely, take the encoder's tensors, write them as safetensors with a card."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cgdmer.conversion import reading
from cgdmer.conversion.tree import Tree, count
from cgdmer.encoders import published
from cgdmer.encoders.state import encoder_state, listed
from cgdmer.errors import DataError
from cgdmer.files import new_folder, sha256, write_json
from cgdmer.json_dataclass import Json
from cgdmer.version import __version__

CARD = "card.json"
"""File beside the weights that says where they came from."""


@dataclass(frozen=True)
class SourceFile(Json):
    """The published file that was converted."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Provenance(Json):
    """Where converted weights came from, under which licence, and what was left out of them."""

    encoder: str
    title: str
    source: SourceFile
    converted: str
    """The day of the conversion, YYYY-MM-DD."""
    cgdmer: str
    """Version that converted."""
    sha256: str
    """Of the converted file; `embed.outside` of params.yaml takes it."""
    parameters: int
    licence: str
    citation: str
    link: str
    code: str
    """Repository of the authors."""
    trained_on: list[str]
    isolated: bool
    """Whether the file held more than tensors and was read in an isolated process."""
    tensors: int
    tensors_left_out: int
    """Tensors of the file that the features do not need."""


def convert(file: Path, encoder: str, folder: Path, *, isolate: bool = False) -> Provenance:
    """Convert `file` into `folder`, which appears complete or not at all; return what its card says.

    ConfigError for an unknown encoder, a folder that holds files, or a pickle that needs `isolate`; DataError for a
    file that is damaged or holds other tensors than the encoder has.
    """
    card = published.card(encoder)
    with torch.device("meta"):
        network = card.network()
    with new_folder(folder) as temporary:
        content = reading.read(file, temporary, isolate=isolate)
        state = encoder_tensors(content.tree, card, network, file)
        weights = temporary / published.WEIGHTS
        save_file(state, weights)
        provenance = Provenance(
            encoder=encoder,
            title=card.title,
            source=SourceFile(file.name, file.stat().st_size, sha256(file)),
            converted=datetime.now(UTC).date().isoformat(),
            cgdmer=__version__,
            sha256=sha256(weights),
            parameters=sum(state[name].numel() for name, _ in network.named_parameters()),
            tensors=len(state),
            tensors_left_out=count(content.tree) - len(state),
            isolated=content.isolated,
            licence=card.licence,
            citation=card.paper.citation,
            link=card.paper.link,
            code=card.code,
            trained_on=[corpus.name for corpus in card.trained_on],
        )
        write_json(temporary / CARD, provenance.to_json())
    return provenance


def encoder_tensors(tree: Tree, card: published.Card, network: nn.Module, file: Path) -> dict[str, Tensor]:
    """Return the encoder's tensors, contiguous and each with its own memory.

    DataError for missing, unexpected or misshapen tensors, for integers in place of weights, and for NaN.
    """
    try:
        state = encoder_state(tree, card.checkpoint, network)
    except DataError as error:
        fix = f"check that the file is one of {', '.join(card.checkpoint.files) or 'its published files'}"
        raise DataError(f"{file}: {error.problem}", allowed=error.allowed, fix=fix) from error
    wanted = network.state_dict()
    kinds = [f"{n} ({t.dtype})" for n, t in state.items() if t.is_floating_point() != wanted[n].is_floating_point()]
    if kinds:
        raise DataError(
            f"{file}: integers in place of floats, or floats in place of integers: {listed(kinds)}",
            allowed="the number types of the encoder",
            fix="ask its authors for another file",
        )
    bad = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if bad:
        raise DataError(f"{file}: NaN or infinity in {listed(bad)}", fix="ask its authors for another file")
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in state.items()}
