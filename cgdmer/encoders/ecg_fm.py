"""ECG-FM (2024): a wav2vec 2.0 tower, read in windows of five seconds whose tokens are averaged."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.attention import attended
from cgdmer.encoders.base import Setup
from cgdmer.encoders.form import Form
from cgdmer.encoders.published import Card, Checkpoint, Corpus, Paper
from cgdmer.encoders.steps import ZScore
from cgdmer.signals.leads import LEADS

FORM = Form(fs=500.0, seconds=5.0, leads=LEADS, width=768, scale=ZScore("lead"), windows=True)
DEPTH, HEADS, HIDDEN = 12, 12, 3072
CHANNELS, CONVOLUTIONS = 256, 4
KERNEL, GROUPS = 128, 16
"""Of the convolution that tells positions."""
PRETRAINING = ("mask_emb", "quantizer.*", "project_q.*", "final_proj.*")
"""Tensors that only the pretraining of the tower needs."""
WEIGHT_NORM = (
    ("pos_conv.0.parametrizations.weight.original0", "pos_conv.0.weight_g"),
    ("pos_conv.0.parametrizations.weight.original1", "pos_conv.0.weight_v"),
)
"""Names of newer versions of PyTorch, and the older ones, which the network here has."""


class FeatureExtractor(nn.Module):
    """Four convolutions that halve the length each; the first is normalised over time, channel by channel."""

    def __init__(self, leads: int) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList()
        for number in range(CONVOLUTIONS):
            convolution = nn.Conv1d(CHANNELS if number else leads, CHANNELS, 2, 2, bias=False)
            norm = [] if number else [nn.GroupNorm(CHANNELS, CHANNELS)]
            self.conv_layers.append(nn.Sequential(convolution, nn.Identity(), *norm, nn.GELU()))

    def forward(self, x: Tensor) -> Tensor:
        """Map signals (B, L, T) to (B, 256, T // 16)."""
        for layer in self.conv_layers:
            x = layer(x)
        return x


class NormedConvolution(nn.Module):
    """A grouped convolution along the tokens whose weight has one learned norm for each position of its kernel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_g = nn.Parameter(torch.ones(1, 1, KERNEL))
        self.weight_v = nn.Parameter(torch.ones(width, width // GROUPS, KERNEL))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, D, N) to (B, D, N); the even kernel gives one sample too many, which is dropped."""
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        return F.conv1d(x, weight, self.bias, padding=KERNEL // 2, groups=GROUPS)[:, :, :-1]


class Positions(nn.Module):
    """Adds what the convolution tells about the position of a token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pos_conv = nn.ModuleList([NormedConvolution(width)])

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to tokens."""
        return x + F.gelu(self.pos_conv[0](x.transpose(1, 2))).transpose(1, 2)


class SelfAttention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to tokens."""
        mixed: Tensor = self.out_proj(attended(self.q_proj(x), self.k_proj(x), self.v_proj(x), HEADS))
        return mixed


class Layer(nn.Module):
    """A transformer layer that is normalised after each addition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn, self.self_attn_layer_norm = SelfAttention(width), nn.LayerNorm(width)
        self.fc1, self.fc2 = nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.self_attn_layer_norm(x + self.self_attn(x))
        tokens: Tensor = self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x))))
        return tokens


class Transformer(nn.Module):
    """The norm comes before the first layer; there is none after the last."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer_norm(x)
        for layer in self.layers:
            x = layer(x)
        return x


class Tower(nn.Module):
    """Maps signals (B, 12, T) to tokens (B, T // 16, 768)."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.feature_extractor = FeatureExtractor(len(FORM.leads))
        self.layer_norm = nn.LayerNorm(CHANNELS)
        self.post_extract_proj = nn.Linear(CHANNELS, FORM.width)
        self.conv_pos = Positions(FORM.width)
        self.encoder = Transformer(FORM.width, depth)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.layer_norm(self.feature_extractor(x).transpose(1, 2))
        encoded: Tensor = self.encoder(self.conv_pos(self.post_extract_proj(tokens)))
        return encoded


class EcgFm(Tower):
    """Maps signals (B, 12, T) to features (B, 768)."""

    def __init__(self) -> None:
        super().__init__(DEPTH)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean(dim=1)


def network() -> nn.Module:
    return EcgFm()


CARD = Card(
    name="ecg_fm",
    title="ECG-FM",
    paper=Paper(
        "McKeen et al., ECG-FM: An Open Electrocardiogram Foundation Model, 2024", "https://arxiv.org/abs/2408.05178"
    ),
    code="https://github.com/bowang-lab/ECG-FM",
    licence="MIT",
    trained_on=(
        Corpus("mimic_iv_ecg", 800_035),
        Corpus("ptb_xl", 21_837),
        Corpus("cpsc2018", 6_877),
        Corpus("csn", 45_152),
        Corpus("the other corpora of PhysioNet 2021", 14_387),
    ),
    checkpoint=Checkpoint(
        files=("mimic_iv_ecg_physionet_pretrained.pt", "mimic_iv_ecg_finetuned.pt"),
        where="https://huggingface.co/wanglab/ecg-fm",
        wrappers=("model",),
        prefixes=("encoder.",),
        drop=(*PRETRAINING, "proj.*"),
        renames=WEIGHT_NORM,
    ),
    form=FORM,
    network=network,
    notes="Its pretraining saw every benchmark corpus here, without labels, because PhysioNet 2021 contains them. The "
    "counts are those of the corpora.",
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
