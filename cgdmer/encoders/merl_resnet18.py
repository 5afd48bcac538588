"""Adapter of MERL's ResNet18 (ICML 2024): a 1-D ResNet without max-pooling whose last feature map is averaged.

Layout and input from docs/protocols.md A.1.3, B.5 and D.1: 500 Hz, 10 s, the lead order of MIMIC-IV-ECG (aVF before
aVL), one minimum and maximum over all leads; features are 512 wide. The tensors have the usual names of a 1-D
BasicBlock. Loading is strict: a checkpoint with other names, or with a classifier, is refused with a list of the names.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer.encoders.adapter import Adapted, Form, adapt, whole_range
from cgdmer.encoders.base import Setup

FORM = Form(
    fs=500.0,
    seconds=10.0,
    leads=("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"),
    scale=whole_range,
    width=512,
)
WIDTHS = (64, 128, 256, 512)


class Block(nn.Module):
    """A residual block: two convolutions and a shortcut around them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm1d(after)
        self.conv2 = nn.Conv1d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm1d(after)
        self.shortcut = nn.Sequential()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv1d(before, after, 1, stride, bias=False), nn.BatchNorm1d(after))

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class ResNet18(nn.Module):
    """Maps signals (B, 12, T) to features (B, 512)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(len(FORM.leads), WIDTHS[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm1d(WIDTHS[0])
        self.layer1 = layer(WIDTHS[0], WIDTHS[0], 1)
        self.layer2 = layer(WIDTHS[0], WIDTHS[1], 2)
        self.layer3 = layer(WIDTHS[1], WIDTHS[2], 2)
        self.layer4 = layer(WIDTHS[2], WIDTHS[3], 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        maps: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return maps.mean(dim=2)


def layer(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(Block(before, after, stride), Block(after, after, 1))


def network() -> nn.Module:
    return ResNet18()


def load(setup: Setup) -> Adapted:
    return adapt("merl_resnet18", network(), FORM, setup)
