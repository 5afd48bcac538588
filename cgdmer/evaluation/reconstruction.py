"""Masked reconstruction: hidden patches of stored records in microvolt, and their error by feature."""

from dataclasses import dataclass

import numpy as np
import torch

from cgdmer.models.cgdmer import CGDMER, Batch
from cgdmer.models.disentangle import decoder_input
from cgdmer.models.independent_leads import independent_leads
from cgdmer.models.masking import KINDS
from cgdmer.models.patches import EPSILON, normalise, patchify, standardise
from cgdmer.signals.leads import HEXAXIAL, INDEPENDENT, LEADS, LIMB


@dataclass(frozen=True)
class Reconstruction:
    """One record with its hidden patches filled in by the model."""

    original: np.ndarray
    """int16 microvolt (12, T)."""
    filled: np.ndarray
    """Predicted microvolt (12, T), float32; only the hidden patches mean anything."""
    hidden: np.ndarray
    """bool (12, N): True = the patch was hidden from the model."""
    patch: int
    """Samples per patch."""
    kind: str
    """Kind of mask."""


@torch.no_grad()
def reconstruct(
    model: CGDMER, signal: np.ndarray, valid: np.ndarray, missing: np.ndarray, seed: int = 0
) -> list[Reconstruction]:
    """Mask int16 microvolt records (B, 12, T) as in training and fill them in; empty for a model without a decoder.

    `valid` are samples (B,), `missing` leads (B, 12). For a model that was trained on a mixture of masks, the records
    take its kinds in turn. Targets are normalised patch by patch, so the model predicts shapes only: each gets the mean
    and standard deviation of the patch it stands for. A model of the independent leads gets III, aVR, aVL and aVF from
    I and II: they are hidden where I or II is.
    """
    if model.ecg_decoder is None or model.objective.ecg_reconstruction == 0:
        return []
    batch = _batch(model, signal, valid, missing)
    noise = model.draw_noise(len(signal), torch.Generator().manual_seed(seed))
    kinds: list[str] = [model.masking.kind] * len(signal)
    if model.masking.kind == "spatiotemporal":
        kind_index = torch.arange(len(signal)) % len(KINDS)
        noise["kind"] = (kind_index + 0.5) / len(KINDS)
        kinds = [KINDS[i] for i in kind_index.tolist()]
    outputs = model(batch, noise)
    hidden = outputs["hidden_patches"].view(len(signal), len(model.token_leads), -1).numpy()  # (B, L, N)
    filled = _microvolt(model, batch, outputs["predicted_patches"])  # (B, L, N * P)
    samples = hidden.shape[2] * model.settings.patch
    if model.independent:
        filled, hidden = _all_leads(signal[:, :2, :samples], filled, hidden)  # (B, 12, N * P), (B, 12, N)
    return [
        Reconstruction(signal[i, :, :samples], filled[i], hidden[i], model.settings.patch, kinds[i])
        for i in range(len(signal))
    ]


@torch.no_grad()
def errors(
    model: CGDMER, signal: np.ndarray, valid: np.ndarray, missing: np.ndarray, seed: int = 0
) -> dict[str, np.ndarray]:
    """Return each record's mean squared error of hidden patches (B,), by the features that the decoder may read.

    The keys are `both`, `shared`, `specific` and `neither`. Withheld features are replaced by their mean over all
    visible tokens of these records: they then say nothing about a single record, and the decoder still gets inputs of
    the kind it was trained on. Empty for a model without specific features or without a decoder.
    """
    if model.ecg_decoder is None or model.disentangler.ecg_specific is None or model.objective.ecg_reconstruction == 0:
        return {}
    noise = model.draw_noise(len(signal), torch.Generator().manual_seed(seed))
    patches, mask, shared, specific = model.forward_ecg(_batch(model, signal, valid, missing), noise)
    assert specific is not None
    visible = torch.ones_like(mask.ids_keep, dtype=torch.bool)  # (B, V)
    if mask.attention_mask is not None:
        visible = mask.attention_mask
    mean_shared, mean_specific = (features[visible].mean(0).expand_as(features) for features in (shared, specific))
    target, weight = normalise(patches.flatten(1, 2)), mask.hidden.float()  # (B, L * N, P), (B, L * N)
    grid = (len(model.token_leads), model.columns)
    error_by_features = {}
    for name, features in {
        "both": (shared, specific),
        "shared": (shared, mean_specific),
        "specific": (mean_shared, specific),
        "neither": (mean_shared, mean_specific),
    }.items():
        decoder_features = decoder_input(*features, mask.attention_mask)  # (B, V, 2D)
        predicted = model.ecg_decoder(decoder_features, mask, grid)  # (B, L * N, P)
        squared = (predicted - target).square().mean(2) * weight  # (B, L * N)
        error_by_features[name] = (squared.sum(1) / weight.sum(1).clamp(min=1)).numpy()
    return error_by_features


def _batch(model: CGDMER, signal: np.ndarray, valid: np.ndarray, missing: np.ndarray) -> Batch:
    """Return the records as a batch of the model, with empty reports."""
    count = len(signal)
    tokens = torch.from_numpy(model.tokenizer([""] * count)) if model.tokenizer else torch.zeros(count, 1).int()
    return Batch(
        signal=torch.tensor(signal), valid=torch.tensor(valid), missing=torch.tensor(missing),
        tokens=tokens, row=torch.arange(count), report=torch.arange(count), full=False,
    )  # fmt: skip


def _microvolt(model: CGDMER, batch: Batch, predicted: torch.Tensor) -> np.ndarray:
    """Undo the normalisation of patches, then that of the record: microvolt, float32 (B, L, N * P)."""
    standardised, log_std = standardise(batch["signal"], batch["valid"], batch["missing"])  # (B, 12, T), (B, 1)
    millivolt = batch["signal"].float() / 1000  # (B, 12, T)
    if model.independent:
        standardised, millivolt = (independent_leads(each, batch["missing"])[0] for each in (standardised, millivolt))

    # predicted shapes with the mean and deviation of the true patches, in units of the record's deviation
    patches = patchify(standardised, model.settings.patch)  # (B, L, N, P)
    mean, variance = patches.mean(-1, keepdim=True), patches.var(-1, correction=0, keepdim=True)  # (B, L, N, 1) twice
    shapes = predicted.view_as(patches) * (variance + EPSILON).sqrt() + mean  # (B, L, N, P)

    # back to mV: the deviation of the record, and the mean that each lead had lost
    std = log_std.exp()[:, :, None, None]  # (B, 1, 1, 1)
    offset = patchify(millivolt, model.settings.patch).mean(-1, keepdim=True) - mean * std  # (B, L, N, 1)
    filled: np.ndarray = ((shapes * std + offset) * 1000).flatten(2).numpy()
    return filled


def _all_leads(limb: np.ndarray, filled: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Extend the independent leads, `filled` (B, 8, N * P) and `hidden` (B, 8, N), to all twelve.

    `limb` are I and II (B, 2, N * P) as recorded, of which the visible patches are known.
    """
    every_lead = np.empty((len(filled), len(LEADS), filled.shape[2]), np.float32)
    every_hidden = np.empty((len(hidden), len(LEADS), hidden.shape[2]), bool)
    every_lead[:, INDEPENDENT], every_hidden[:, INDEPENDENT] = filled, hidden
    samples = filled.shape[2] // hidden.shape[2]
    known = np.where(hidden[:, :2].repeat(samples, axis=2), filled[:, :2], limb)  # (B, 2, N * P)
    every_lead[:, 2:LIMB] = HEXAXIAL[2:] @ known
    every_hidden[:, 2:LIMB] = hidden[:, :2].any(axis=1, keepdims=True)
    return every_lead, every_hidden
