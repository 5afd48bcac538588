"""MERL's ViT-tiny (ICML 2024): patches of 100 ms of all leads together, twelve blocks, the mean of the tokens."""

import torch
from torch import Tensor, nn

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.attention import attended
from cgdmer.encoders.base import Setup
from cgdmer.encoders.form import MIMIC_LEADS, Form
from cgdmer.encoders.merl_resnet18 import PAPER, WHERE, WHOLE_MODEL
from cgdmer.encoders.published import Card, Checkpoint, Corpus
from cgdmer.encoders.steps import MinMax

FORM = Form(fs=500.0, seconds=10.0, leads=MIMIC_LEADS, width=192, scale=MinMax("record"), scaled="cut")
PATCH = 50
"""Samples."""
DEPTH, HEADS = 12, 3


class Attention(nn.Module):
    """Self-attention with one linear map into queries, keys and values."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, N, D) to tokens."""
        q, k, v = self.to_qkv(x).chunk(3, dim=2)
        mixed: Tensor = self.to_out[0](attended(q, k, v, HEADS))
        return mixed


class Mlp(nn.Module):
    """Two linear maps with a GELU between them; the positions between them held dropouts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Identity(), nn.Linear(4 * width, width)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        mapped: Tensor = self.net(x)
        return mapped


class PreNorm(nn.Module):
    """A layer norm before a function of tokens, and the tokens added to its result."""

    def __init__(self, width: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(width), fn

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + self.fn(self.norm(x))
        return added


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn, self.ff = PreNorm(width, Attention(width)), PreNorm(width, Mlp(width))

    def forward(self, x: Tensor) -> Tensor:
        tokens: Tensor = self.ff(self.attn(x))
        return tokens


class ViT(nn.Module):
    """Maps signals (B, 12, T) to features (B, 192)."""

    def __init__(self) -> None:
        super().__init__()
        self.to_patch_embedding = nn.Conv1d(len(FORM.leads), FORM.width, PATCH, PATCH, bias=False)
        self.pos_embedding = nn.Parameter(torch.zeros(1, FORM.samples // PATCH, FORM.width))
        for number in range(DEPTH):
            self.add_module(f"block{number}", Block(FORM.width))
        self.depth = DEPTH
        self.norm = nn.LayerNorm(FORM.width)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.to_patch_embedding(x).transpose(1, 2) + self.pos_embedding  # (B, 100, 192)
        for number in range(self.depth):
            tokens = self.get_submodule(f"block{number}")(tokens)
        features: Tensor = self.norm(tokens.mean(dim=1))  # the mean first, then the norm
        return features


def network() -> nn.Module:
    return ViT()


CARD = Card(
    name="merl_vit_tiny",
    title="MERL, ViT-tiny",
    paper=PAPER,
    code="https://github.com/cheliu-computation/MERL-ICML2024",
    licence="MIT",
    trained_on=(Corpus("mimic_iv_ecg", 771_693),),
    checkpoint=Checkpoint(
        files=("vit_tiny_best_encoder.pth", "vit_tiny_best_ckpt.pth"),
        where=WHERE,
        prefixes=("ecg_encoder.",),
        drop=WHOLE_MODEL,
    ),
    form=FORM,
    network=network,
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
