"""The method's encoder for records with few leads: it computes the tokens of leads that are there, and no others.

`CGDMER.features` computes a token for each patch of all independent leads and masks those of missing leads. Without
them the features are the same up to the rounding of fp32, at a fraction of the work: lead I alone is one of eight.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cgdmer.encoders.base import Encoder
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.models.cgdmer import CGDMER
from cgdmer.models.independent_leads import independent_leads, place_leads
from cgdmer.models.patches import patchify, standardise, whole_patches


class PresentLeads(Pretrained):
    """A CG-DMER model that skips missing leads."""

    def _encode(self, signal: np.ndarray, numbers: Sequence[int], valid: np.ndarray) -> dict[str, np.ndarray]:
        longest = int(valid.max(initial=self.model.settings.patch))
        millivolt = torch.from_numpy(np.ascontiguousarray(signal[:, :, :longest])).to(self.device)  # (B, L, T)
        features = features_of_present(self.model, millivolt, torch.from_numpy(valid).to(self.device), numbers)
        features["pooled"] = torch.cat([features[name] for name in ("shared", "specific") if name in features], 1)
        return {name: features[name].float().cpu().numpy() for name in self.dims}


def features_of_present(model: CGDMER, signal: Tensor, valid: Tensor, leads: Sequence[int]) -> dict[str, Tensor]:
    """Return what `CGDMER.features` returns for float mV (B, L, T), `valid` samples (B,) and lead numbers `leads`.

    A lead of zeros was not recorded. A lead that no record of the batch has gives no tokens.
    """
    missing = _kept_if_all(signal.eq(0).all(2))  # (B, L)
    standardised, log_std = standardise(signal, valid, missing)  # (B, L, T), (B, 1)
    numbers = torch.tensor(leads, device=signal.device)  # (L,)
    if model.independent:
        every_lead = place_leads(standardised, missing, numbers)  # (B, 12, T), (B, 12)
        standardised, missing = independent_leads(*every_lead)  # (B, 8, T), (B, 8)
        missing, numbers = _kept_if_all(missing), model.token_leads

    # keep the leads that at least one record has
    kept = (~missing).any(0)  # (L,)
    standardised, missing, numbers = standardised[:, kept], missing[:, kept], numbers[kept]

    # encode them
    patches = patchify(standardised, model.settings.patch)  # (B, K, N, P)
    present = whole_patches(valid, missing, patches.shape[2], model.settings.patch).flatten(1)  # (B, K*N)
    attention_mask = None if bool(present.all()) else present
    return model.pool_features(model.ecg_encoder(patches, log_std, numbers, None, attention_mask), attention_mask)


def _kept_if_all(missing: Tensor) -> Tensor:
    """Return `missing` (B, L); a record without any lead counts as complete and is read as zeros."""
    return missing & ~missing.all(1, keepdim=True)


def skipping_missing_leads(encoder: Encoder) -> Encoder:
    """Return the encoder in the form that skips missing leads, if it is one of the method; others as they are."""
    if isinstance(encoder, Pretrained):
        return PresentLeads(encoder.name, encoder.model, encoder.form, encoder.digest)
    return encoder
