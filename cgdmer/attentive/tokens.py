"""Tokens of a frozen encoder: its features of every position, before it pools them into one vector."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cgdmer.encoders import Encoder
from cgdmer.encoders.adapter import Adapted
from cgdmer.encoders.base import check_signal
from cgdmer.encoders.batches import batch_size, exact_fp32
from cgdmer.encoders.form import Inputs, all_leads, inputs
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Layer:
    """The part of a network whose output is its tokens."""

    child: str
    """Its last child whose name begins with this."""
    maps: bool = False
    """The output is a feature map `(B, D, N)`, whose positions are the tokens; otherwise it is `(B, N, D)`."""


LAYERS = {
    "merl_resnet18": Layer("layer4", maps=True),
    "random_resnet18": Layer("layer4", maps=True),
    "ecgfounder": Layer("stage_list", maps=True),
    "merl_vit_tiny": Layer("block"),
    "melp": Layer("ecg_encoder"),
    "heartlang": Layer("transformer"),
    "ecg_fm": Layer("encoder"),
    "ecg_jepa": Layer("norm"),
}
"""Of the encoders whose networks others designed. Each gives what the encoder's own pooling reads."""
OWN = ("cgdmer", "cgdmer_base", "random")
"""Encoders with the architecture of the method. A token is a patch of a lead: shared and specific features of it, side
by side."""
WITH_TOKENS = (*OWN, *LAYERS)


def check_tokens(names: Sequence[str]) -> None:
    """Raise ConfigError for an encoder without tokens, which names those that have them."""
    for name in names:
        if name not in WITH_TOKENS:
            raise ConfigError(
                f"encoder '{name}' gives no tokens, and attentive pooling needs them"
                f"{did_you_mean(name, list(WITH_TOKENS))}",
                allowed=", ".join(WITH_TOKENS),
                fix="leave it out; the tokens of a network of your own are an entry of LAYERS in "
                "cgdmer/attentive/tokens.py",
            )


def tokens_of(encoder: Encoder, signal: np.ndarray, valid: np.ndarray) -> list[np.ndarray]:
    """Return the tokens (N, D) float32 of each record of float mV (B, 12, T); N may differ between records.

    `valid` (B,) counts the samples before the padding. Tokens that the encoder masks as padding are left out.
    """
    check_tokens([encoder.name])
    signal, numbers, valid = check_signal(signal, None, valid, round(encoder.fs * encoder.seconds))
    if isinstance(encoder, Pretrained):
        return _of_own(encoder, signal, valid)
    assert isinstance(encoder, Adapted)
    batch, records = batch_size(encoder.device), []
    for begin in range(0, len(signal), batch):
        full, present = all_leads(signal[begin : begin + batch], numbers)
        prepared = inputs(encoder.form, full, encoder.fs, valid[begin : begin + batch], present)
        records += _of_network(encoder, prepared)
    return records


def _of_own(encoder: Pretrained, signal: np.ndarray, valid: np.ndarray) -> list[np.ndarray]:
    """Run the method's encoder, whose disentangler returns shared and specific features of every token.

    One call encodes its batches side by side, and they may finish in any order, so each batch gets its own call here.
    """
    batch = batch_size(encoder.device)
    with torch.no_grad(), outputs(encoder.model.disentangler) as calls:
        for begin in range(0, len(signal), batch):
            rows = slice(begin, begin + batch)
            Pretrained.encode(encoder, signal[rows], valid=valid[rows])
    records: list[np.ndarray] = []
    for (_, mask, _), features in calls:
        tokens = torch.cat([one for one in features if one is not None], 2).float().cpu().numpy()  # (B, N, D or 2D)
        present = np.ones(tokens.shape[:2], bool) if mask is None else mask.cpu().numpy()
        records += [one[kept] for one, kept in zip(tokens, present, strict=True)]
    return records


def _of_network(encoder: Adapted, batch: Inputs) -> list[np.ndarray]:
    """Run a network, and join the tokens of the windows of one record."""
    layer = LAYERS[encoder.name]
    arrays = [torch.from_numpy(array).to(encoder.device) for array in batch.arrays]
    with torch.no_grad(), exact_fp32(), outputs(child(encoder.network, layer.child)) as calls:
        encoder.network(*arrays)
    ((_, output),) = calls
    tokens = (output.transpose(1, 2) if layer.maps else output).float()  # (R, N, D)
    if encoder.name == "heartlang":
        tokens = encoder.network.get_submodule("norm_layer")(tokens).detach()
    rows = tokens.cpu().numpy()
    present = present_tokens(batch, rows.shape[1])
    return [
        np.concatenate([rows[row][present[row]] for row in np.flatnonzero(batch.record == record)])
        for record in np.unique(batch.record)
    ]


def present_tokens(batch: Inputs, count: int) -> np.ndarray:
    """Return which of `count` tokens of each row are no padding, bool (R, N).

    Only heartbeat tokens have padding that the batch tells: lead 0. The class token in front of them is present.
    """
    present = np.ones((len(batch.record), count), bool)
    if batch.arrays[0].ndim == 3 and len(batch.arrays) == 3:  # tokens, their leads, their seconds
        present[:, 1:] = batch.arrays[1] > 0
    return present


def child(network: nn.Module, beginning: str) -> nn.Module:
    """Return the last child of a network whose name begins so."""
    return [module for name, module in network.named_children() if name.startswith(beginning)][-1]


Call = tuple[Any, Any]
"""Arguments and output of one call of a module."""


@contextmanager
def outputs(module: nn.Module) -> Iterator[list[Call]]:
    """Yield a list that receives arguments and output of each call of a module inside the block."""
    calls: list[Call] = []

    def remember(_: nn.Module, arguments: tuple[Tensor, ...], output: Any) -> None:
        calls.append((arguments, output))

    handle = module.register_forward_hook(remember)
    try:
        yield calls
    finally:
        handle.remove()
