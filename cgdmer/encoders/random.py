"""The random control: the ECG encoder of the method with weights that were drawn and never trained.

Pretraining starts with residual branches whose last layer is zero, so that a block is the identity and attention has no
effect. A trained network is not like that, and neither is this control: the last layers of all residual branches are
drawn like every other linear layer (Xavier uniform: variance 2 / (inputs + outputs)). Layer norms keep scale 1 and bias
0, other biases are 0. The shared and the specific encoder therefore differ.
"""

from torch import nn

from cgdmer import settings
from cgdmer.encoders.base import Setup
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.models import weights
from cgdmer.models.transformer import Attention, Block


def load(setup: Setup) -> Pretrained:
    """Build the ECG encoder alone: `shared`, `specific` and `pooled`, but without reports no `aligned` features."""
    ecg_only = settings.Objective(contrastive=0.0, report_reconstruction=0.0)
    model = weights.create(setup.model, settings.Masking(), ecg_only, setup.signal, [], setup.seed)
    model.apply(draw_residual_outputs)  # the generator continues where `create` left it
    return Pretrained("random", model, setup.signal)


def draw_residual_outputs(module: nn.Module) -> None:
    """Draw the last layer of each residual branch of one module, which pretraining starts at zero."""
    if isinstance(module, Attention):
        nn.init.xavier_uniform_(module.out.weight)
    if isinstance(module, Block):
        nn.init.xavier_uniform_(module.down.weight)
