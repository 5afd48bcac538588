"""HeartLang (ICLR 2025): heartbeats as tokens, with embeddings of their lead and second, and a class token."""

import torch
from torch import Tensor, nn

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.attention import attended
from cgdmer.encoders.base import Setup
from cgdmer.encoders.beat_tokens import BeatTokens
from cgdmer.encoders.form import Form
from cgdmer.encoders.published import Card, Checkpoint, Corpus, Paper
from cgdmer.signals.leads import LEADS

TOKENS = BeatTokens(count=256, samples=96, detection_lead=0)
FORM = Form(fs=100.0, seconds=10.0, leads=LEADS, width=768, tokens=TOKENS)
DEPTH, HEADS, HEAD_WIDTH, HIDDEN = 12, 8, 64, 1024
PLACES = 16
"""Rows of the embeddings of lead and second; row 0 is for padding."""


class TokenEmbedding(nn.Module):
    """A convolution along the tokens, whose channels are the samples of a token; the last token precedes the first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.tokenConv = nn.Conv1d(TOKENS.samples, width, 3, padding=1, padding_mode="circular", bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.tokenConv(tokens.transpose(1, 2)).transpose(1, 2)
        return embedded


class PlaceEmbedding(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(PLACES, width)

    def forward(self, numbers: Tensor) -> Tensor:
        embedded: Tensor = self.embed(numbers)
        return embedded


class Attention(nn.Module):
    """Self-attention of an inner width of its own, with the norm before it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_WIDTH
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(inner, width)])

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.to_qkv(self.norm(x)).chunk(3, dim=2)
        mixed: Tensor = self.to_out[0](attended(q, k, v, HEADS))
        return mixed


class FeedForward(nn.Module):
    """A norm and two linear maps with a GELU between them; the fourth position held a dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, HIDDEN), nn.GELU(), nn.Identity(), nn.Linear(HIDDEN, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        mapped: Tensor = self.net(x)
        return mapped


class Transformer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleList([Attention(width), FeedForward(width)]) for _ in range(DEPTH))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            attention, feed_forward = layer.children()
            x = x + attention(x)
            x = x + feed_forward(x)
        return x


class HeartLang(nn.Module):
    """Maps tokens (B, 256, 96) and the lead and second of each, (B, 256), to features (B, 768)."""

    def __init__(self) -> None:
        super().__init__()
        width = FORM.width
        self.token_embed = TokenEmbedding(width)
        self.spa_embed, self.tem_embed = PlaceEmbedding(width), PlaceEmbedding(width)
        self.cls_token = nn.Parameter(torch.zeros(width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + TOKENS.count, width))
        self.transformer = Transformer(width)
        self.norm_layer = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, leads: Tensor, seconds: Tensor) -> Tensor:
        embedded = self.token_embed(tokens) + self.spa_embed(leads) + self.tem_embed(seconds)
        first = self.cls_token.expand(len(tokens), 1, -1)
        encoded = self.transformer(torch.cat([first, embedded], 1) + self.pos_embed)
        features: Tensor = self.norm_layer(encoded[:, 0])
        return features


def network() -> nn.Module:
    return HeartLang()


CARD = Card(
    name="heartlang",
    title="HeartLang",
    paper=Paper(
        "Jin et al., Reading Your Heart: Learning ECG Words and Sentences via Pre-training ECG Language Model, "
        "ICLR 2025",
        "https://arxiv.org/abs/2502.10707",
    ),
    code="https://github.com/PKUDigitalHealth/HeartLang",
    licence="MIT",
    trained_on=(Corpus("mimic_iv_ecg"),),
    checkpoint=Checkpoint(
        files=("checkpoint-200.pth", "heart.pth"),
        where="https://huggingface.co/PKUDigitalHealth/HeartLang",
        wrappers=("model", "module"),
        prefixes=("backbone.",),
        drop=("mask_token", "lm_head.*"),
    ),
    form=FORM,
    network=network,
    notes="Its authors scale each corpus differently; here it reads mV, as MIMIC-IV-ECG in its pretraining. The "
    "published probe leaves dropout on in the frozen network; these features are in eval mode.",
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
