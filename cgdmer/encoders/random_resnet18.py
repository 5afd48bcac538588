"""A second random control: a convolutional network of the shape of MERL's ResNet18, drawn and never trained.

The architecture decides how much an untrained encoder holds (docs/protocols.md H.1), so one random control is not
enough. Input: the project's signals at 100 Hz, each lead brought to mean 0 and standard deviation 1. Convolutions are
drawn as ResNets are before training (normal, variance 2 / (outputs x kernel)); batch norms are the identity.
"""

import torch
from torch import nn

from cgdmer.encoders.adapter import Adapted
from cgdmer.encoders.base import Setup
from cgdmer.encoders.form import Form
from cgdmer.encoders.merl_resnet18 import ResNet18
from cgdmer.encoders.steps import ZScore
from cgdmer.signals.leads import LEADS

FORM = Form(fs=100.0, seconds=10.0, leads=LEADS, scale=ZScore("lead"), width=512)


def load(setup: Setup) -> Adapted:
    """Build the network with weights drawn from `setup.seed`; it has `pooled` features only."""
    torch.manual_seed(setup.seed)
    network = ResNet18()
    for module in network.modules():
        if isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return Adapted("random_resnet18", network, FORM, setup.signal, "")
