"""Owns the random control: the same architecture with weights drawn from a seed, never trained."""

from cgdmer import settings
from cgdmer.encoders.base import Setup
from cgdmer.encoders.cgdmer import Pretrained
from cgdmer.models import weights


def load(setup: Setup) -> Pretrained:
    """Build it without a report tower: it has `shared`, `specific` and `pooled`, nothing to align with."""
    ecg_only = settings.Objective(contrastive=0.0, report_reconstruction=0.0)
    model = weights.create(setup.model, settings.Masking(), ecg_only, setup.signal, [], setup.seed)
    return Pretrained("random", model, setup.signal)
