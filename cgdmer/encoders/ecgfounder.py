"""ECGFounder (2024): a 1-D convolutional network of seven stages with grouped convolutions and channel gates."""

from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.base import Setup
from cgdmer.encoders.form import Form
from cgdmer.encoders.published import Card, Checkpoint, Corpus, Paper
from cgdmer.encoders.steps import BandPass, Notch, WithoutRunningMedian, ZScore
from cgdmer.signals.leads import LEADS

FORM = Form(
    fs=500.0,
    seconds=10.0,
    leads=LEADS,
    width=1024,
    filters=(Notch(hz=50.0, q=30.0), BandPass(low=0.67, high=40.0, order=4), WithoutRunningMedian(samples=201)),
    scale=ZScore("record"),
)
WIDTHS = (64, 160, 160, 400, 400, 1024, 1024)
BLOCKS: tuple[int, ...] = (2, 2, 2, 3, 3, 4, 4)
"""Blocks of each stage."""
KERNEL, GROUP = 16, 16


class SameConvolution(nn.Module):
    """A convolution padded with zeros so that ceil(T / stride) samples come out."""

    def __init__(self, before: int, after: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(before, after, kernel, stride, groups=groups)
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        length = -(-x.shape[2] // self.stride)
        padding = max(0, (length - 1) * self.stride + self.kernel - x.shape[2])
        convolved: Tensor = self.conv(F.pad(x, (padding // 2, padding - padding // 2)))
        return convolved


class Block(nn.Module):
    """Three convolutions, a gate for each channel, and a shortcut without weights around them."""

    def __init__(self, before: int, after: int, stride: int, first: bool) -> None:
        super().__init__()
        self.conv1 = SameConvolution(before, after, 1)
        self.conv2 = SameConvolution(after, after, KERNEL, stride, groups=after // GROUP)
        self.conv3 = SameConvolution(after, after, 1)
        self.se_fc1, self.se_fc2 = nn.Linear(after, after // 2), nn.Linear(after // 2, after)
        self.stride, self.first, self.more = stride, first, after - before

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv1(x if self.first else F.silu(x))
        inner = self.conv3(F.silu(self.conv2(F.silu(inner))))
        gate = self.se_fc2(F.silu(self.se_fc1(inner.mean(dim=2)))).sigmoid()
        gated: Tensor = inner * gate[:, :, None] + self.shortcut(x)
        return gated

    def shortcut(self, x: Tensor) -> Tensor:
        """Halve the length where the block does, and put channels of zeros around where it has more."""
        if self.stride > 1:
            x = F.max_pool1d(F.pad(x, (0, 1)), 2, 2)
        return F.pad(x, (0, 0, self.more // 2, self.more - self.more // 2)) if self.more else x


class Stage(nn.Module):
    def __init__(self, before: int, after: int, blocks: int, first: bool) -> None:
        super().__init__()
        self.block_list = nn.Sequential(
            Block(before, after, 2, first), *(Block(after, after, 1, False) for _ in range(blocks - 1))
        )

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.block_list(x)
        return maps


class Net1D(nn.Module):
    """Maps signals (B, 12, T) to features (B, 1024)."""

    def __init__(self) -> None:
        super().__init__()
        self.first_conv = SameConvolution(len(FORM.leads), WIDTHS[0], KERNEL, 2)
        before = (WIDTHS[0], *WIDTHS[:-1])
        self.stage_list = nn.Sequential(
            *(Stage(*sizes, number == 0) for number, sizes in enumerate(zip(before, WIDTHS, BLOCKS, strict=True)))
        )

    def forward(self, x: Tensor) -> Tensor:
        maps: Tensor = self.stage_list(F.silu(self.first_conv(x)))
        return maps.mean(dim=2)


def network() -> nn.Module:
    return Net1D()


CARD = Card(
    name="ecgfounder",
    title="ECGFounder",
    paper=Paper(
        "Li et al., An Electrocardiogram Foundation Model Built on over 10 Million Recordings, 2024",
        "https://arxiv.org/abs/2410.04133",
    ),
    code="https://github.com/PKUDigitalHealth/ECGFounder",
    licence="MIT; the weights have a licence of their own, see their page",
    trained_on=(Corpus("Harvard-Emory ECG Database", 10_771_552),),
    checkpoint=Checkpoint(
        files=("12_lead_ECGFounder.pth",),
        where="https://huggingface.co/PKUDigitalHealth/ECGFounder",
        wrappers=("state_dict",),
        drop=("dense.*", "first_bn.*", "*.bn1.*", "*.bn2.*", "*.bn3.*"),
    ),
    form=FORM,
    network=network,
    notes="Trained with 150 diagnostic labels. Its batch norms are stored and never used. The filter is that of its "
    "training code; its PTB-XL script leaves it out.",
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
