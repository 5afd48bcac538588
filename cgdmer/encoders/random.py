"""The random control: the same architecture with untrained weights drawn from a seed."""

from cgdmer import settings
from cgdmer.encoders.base import Setup
from cgdmer.encoders.cgdmer import Pretrained
from cgdmer.models import weights


def load(setup: Setup) -> Pretrained:
    """Build the ECG encoder alone: `shared`, `specific` and `pooled`, but without reports no `aligned` features."""
    ecg_only = settings.Objective(contrastive=0.0, report_reconstruction=0.0)
    model = weights.create(setup.model, settings.Masking(), ecg_only, setup.signal, [], setup.seed)
    return Pretrained("random", model, setup.signal)
