"""The independent leads of a record, I, II and the chest leads, with I and II computed where they are missing."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cgdmer.signals.leads import HEXAXIAL, INDEPENDENT, LEADS, LIMB


def independent_leads(signal: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """Return the leads I, II and V1-V6 of (B, 12, T), as (B, 8, T), and which of them are missing, bool (B, 8)."""
    if bool(missing[:, :2].any()):
        with torch.autocast(signal.device.type, enabled=False):  # bf16 would be wrong by up to some percent
            return with_computed_limb(signal, missing)
    return signal[:, INDEPENDENT], missing[:, INDEPENDENT]


def with_computed_limb(signal: Tensor, missing: Tensor) -> tuple[Tensor, Tensor]:
    """Do the same, and compute I and II where they are missing, by least squares from the other limb leads.

    Any two limb leads give I and II, so these stay missing only where a record has no more than one other limb lead.
    """
    basis = torch.from_numpy(HEXAXIAL).to(signal)  # (6, 2)
    weighted = basis * (~missing[:, :LIMB, None]).to(signal.dtype)  # (B, 6, 2): zero for a missing lead
    gram = weighted.mT @ basis  # (B, 2, 2)
    determinant = gram[:, 0, 0] * gram[:, 1, 1] - gram[:, 0, 1] * gram[:, 1, 0]  # (B,)
    known = determinant > 0.1  # (B,): two leads give at least 0.25, one gives 0
    adjugate = torch.stack([gram[:, 1, 1], -gram[:, 0, 1], -gram[:, 1, 0], gram[:, 0, 0]], 1).view(-1, 2, 2)
    moments = weighted.mT @ signal[:, :LIMB]  # (B, 2, T)
    computed = adjugate @ moments / determinant.where(known, torch.ones_like(determinant))[:, None, None]  # (B, 2, T)

    lost = missing[:, :2]  # (B, 2)
    fill = lost & known[:, None]  # (B, 2)
    limb = torch.where(fill[:, :, None], computed, signal[:, :2])  # (B, 2, T)
    return torch.cat([limb, signal[:, LIMB:]], 1), torch.cat([lost & ~fill, missing[:, LIMB:]], 1)


def place_leads(signal: Tensor, missing: Tensor, leads: Tensor) -> tuple[Tensor, Tensor]:
    """Put the rows of (B, L, T) at their canonical numbers `leads` (L,): (B, 12, T), and what is missing (B, 12)."""
    every_lead = signal.new_zeros(len(signal), len(LEADS), signal.shape[2]).index_copy(1, leads, signal)
    every_missing = missing.new_ones(len(signal), len(LEADS)).index_copy(1, leads, missing)
    return every_lead, every_missing


def gives_a_token(leads: Sequence[int]) -> bool:
    """Return True if canonical lead numbers give at least one of the independent leads."""
    return bool(set(leads) & set(INDEPENDENT)) or sum(lead < LIMB for lead in leads) > 1
