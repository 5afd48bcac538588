"""MERL's ResNet18 (ICML 2024): a 1-D ResNet without max-pooling whose last feature map is averaged over time."""

from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.base import Setup
from cgdmer.encoders.form import MIMIC_LEADS, Form
from cgdmer.encoders.published import Card, Checkpoint, Corpus, Paper
from cgdmer.encoders.steps import MinMax

FORM = Form(fs=500.0, seconds=10.0, leads=MIMIC_LEADS, width=512, scale=MinMax("record"), scaled="cut")
WIDTHS = (64, 128, 256, 512)
WHOLE_MODEL = ("lm_model.*", "proj_t.*", "proj_e.*", "linear1.*", "linear2.*", "downconv.*", "att_pool_head.*")
"""Tensors beside the ECG encoder in the files of the whole model, of either architecture."""
PAPER = Paper(
    "Liu et al., Zero-Shot ECG Classification with Multimodal Learning and Test-time Clinical Knowledge Enhancement, "
    "ICML 2024",
    "https://arxiv.org/abs/2403.06659",
)
WHERE = "the Google Drive folder that the repository's README links"


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


CARD = Card(
    name="merl_resnet18",
    title="MERL, ResNet18",
    paper=PAPER,
    code="https://github.com/cheliu-computation/MERL-ICML2024",
    licence="MIT",
    trained_on=(Corpus("mimic_iv_ecg", 771_693),),
    checkpoint=Checkpoint(
        files=("res18_best_encoder.pth", "res18_best_ckpt.pth"),
        where=WHERE,
        prefixes=("ecg_encoder.",),
        drop=("linear.*", *WHOLE_MODEL),
    ),
    form=FORM,
    network=network,
    notes="The published probe leaves BatchNorm in train mode, so its features drift; these are in eval mode.",
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
