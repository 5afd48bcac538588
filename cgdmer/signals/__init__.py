"""Signals as arrays: lead names and their order, filtering, and the canonical form of a recording."""

from cgdmer.signals.filters import band_pass
from cgdmer.signals.leads import LEADS, canonical_lead, canonical_leads, exchanged, identity_residual
from cgdmer.signals.recording import Canonical, Quality, canonical

__all__ = [
    "LEADS",
    "Canonical",
    "Quality",
    "band_pass",
    "canonical",
    "canonical_lead",
    "canonical_leads",
    "exchanged",
    "identity_residual",
]
