"""Owns what the model fills in: one masked pass over stored records, back in microvolt, and its error by part."""

from dataclasses import dataclass

import numpy as np
import torch

from cgdmer.models.cgdmer import CGDMER, Batch
from cgdmer.models.masking import KINDS
from cgdmer.models.patches import EPSILON, normalise, patchify, standardise
from cgdmer.models.split import joined


@dataclass(frozen=True)
class Reconstruction:
    """One record, microvolt (12, T), what the model put in its hidden patches, and which (12, N) were hidden."""

    original: np.ndarray
    filled: np.ndarray
    hidden: np.ndarray
    patch: int
    """Samples a patch."""
    kind: str
    """How it was masked."""


@torch.no_grad()
def reconstruct(
    model: CGDMER, signal: np.ndarray, valid: np.ndarray, missing: np.ndarray, seed: int = 0
) -> list[Reconstruction]:
    """Mask int16 microvolt records (B, 12, T) as in training and fill them in; empty for a model without a decoder.

    A model trained on the mixture of masks shows its kinds in turn. Targets are normalised patch by patch, so the
    model says shapes alone: each is drawn with the mean and spread of the patch it stands for.
    """
    if model.decoder is None or model.objective.ecg_reconstruction == 0:
        return []
    batch = _batch(model, signal, valid, missing)
    drawn = model.noise(len(signal), torch.Generator().manual_seed(seed))
    mixes = model.masking.kind == "spatiotemporal"
    turn = torch.arange(len(signal)) % len(KINDS)
    if mixes:
        drawn["kind"] = (turn + 0.5) / len(KINDS)
    out = model(batch, drawn)
    hidden = out["hidden"].view(len(signal), signal.shape[1], -1).numpy()
    filled = _microvolt(model, batch, out["predicted"])
    whole = hidden.shape[2] * model.settings.patch
    kinds = [KINDS[int(place)] if mixes else model.masking.kind for place in turn]
    return [
        Reconstruction(signal[i, :, :whole], filled[i], hidden[i], model.settings.patch, kinds[i])
        for i in range(len(signal))
    ]


@torch.no_grad()
def errors(
    model: CGDMER, signal: np.ndarray, valid: np.ndarray, missing: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """Mean squared error of the hidden patches of each record (B,), by the parts that the decoder may read.

    A part that it may not read is replaced by its mean over all visible tokens of these records: it then says nothing
    of a record, and the decoder still sees what it is used to. Empty where there are no two parts or no decoder.
    """
    if model.decoder is None or model.split.ecg is None or model.objective.ecg_reconstruction == 0:
        return {}
    drawn = model.noise(len(signal), torch.Generator().manual_seed(seed))
    patches, mask, shared, specific = model.separate(_batch(model, signal, valid, missing), drawn)
    assert specific is not None
    real = torch.ones_like(mask.places, dtype=torch.bool) if mask.real is None else mask.real
    nothing = [part[real].mean(0).expand_as(part) for part in (shared, specific)]
    target, weight = normalise(patches.flatten(1, 2)), mask.hidden.float()
    found = {}
    for name, parts in {
        "both": (shared, specific),
        "shared": (shared, nothing[1]),
        "specific": (nothing[0], specific),
        "neither": (nothing[0], nothing[1]),
    }.items():
        predicted = model.decoder(joined(*parts, mask.real), mask, (signal.shape[1], model.columns))
        squared = (predicted - target).square().mean(2) * weight
        found[name] = (squared.sum(1) / weight.sum(1).clamp(min=1)).numpy()
    return found


def _batch(model: CGDMER, signal: np.ndarray, valid: np.ndarray, missing: np.ndarray) -> Batch:
    count = len(signal)
    tokens = torch.from_numpy(model.tokenizer([""] * count)) if model.tokenizer else torch.zeros(count, 1).int()
    return Batch(
        signal=torch.tensor(signal), valid=torch.tensor(valid), missing=torch.tensor(missing),
        tokens=tokens, row=torch.arange(count), report=torch.arange(count), full=False,
    )  # fmt: skip


def _microvolt(model: CGDMER, batch: Batch, predicted: torch.Tensor) -> np.ndarray:
    """Undo the normalisation of patches, then that of the record: float32 (B, 12, N * P)."""
    scaled, spread = standardise(batch["signal"], batch["valid"], batch["missing"])
    patches = patchify(scaled, model.settings.patch)
    mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, correction=0, keepdim=True)
    shapes = predicted.view_as(patches) * (variance + EPSILON).sqrt() + mean
    millivolt = patchify(batch["signal"].float() / 1000, model.settings.patch)
    base = millivolt.mean(-1, keepdim=True) - mean * spread.exp()[:, :, None, None]
    filled: np.ndarray = ((shapes * spread.exp()[:, :, None, None] + base) * 1000).flatten(2).numpy()
    return filled
