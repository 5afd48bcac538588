"""MELP (ICML 2025): the tower of ECG-FM with eight layers, and an attention pool with learned queries."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.attention import attended
from cgdmer.encoders.base import Setup
from cgdmer.encoders.ecg_fm import FORM as TOWER_FORM
from cgdmer.encoders.ecg_fm import PRETRAINING, WEIGHT_NORM, Tower
from cgdmer.encoders.form import MIMIC_LEADS, Form
from cgdmer.encoders.published import Card, Checkpoint, Corpus, Paper
from cgdmer.encoders.steps import MinMax

FORM = Form(fs=500.0, seconds=10.0, leads=MIMIC_LEADS, width=256, scale=MinMax("record"), scaled="cut")
DEPTH, HEADS, QUERIES = 8, 8, 14


class CrossAttention(nn.Module):
    """Attention of queries (B, Q, E) to tokens (B, N, D), which are keys and values alike."""

    def __init__(self, width: int, token_width: int) -> None:
        super().__init__()
        self.q_proj_weight = nn.Parameter(torch.zeros(width, width))
        self.k_proj_weight = nn.Parameter(torch.zeros(width, token_width))
        self.v_proj_weight = nn.Parameter(torch.zeros(width, token_width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        weights = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
        inputs = zip((queries, tokens, tokens), weights, self.in_proj_bias.chunk(3), strict=True)
        q, k, v = (F.linear(x, weight, bias) for x, weight, bias in inputs)
        mixed: Tensor = self.out_proj(attended(q, k, v, HEADS))
        return mixed


class AttentionPool(nn.Module):
    """Maps tokens (B, N, D) to one row for each learned query, (B, Q, E); each file has its own Q."""

    def __init__(self, width: int, token_width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(QUERIES, width))
        self.ln_q, self.ln_k = nn.LayerNorm(width), nn.LayerNorm(token_width)
        self.attn = CrossAttention(width, token_width)

    def forward(self, tokens: Tensor) -> Tensor:
        queries = self.ln_q(self.query).expand(len(tokens), -1, -1)
        pooled: Tensor = self.attn(queries, self.ln_k(tokens))
        return pooled

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        if (stored := state.get(f"{prefix}query")) is not None:
            self.query = nn.Parameter(torch.empty_like(stored, device=self.query.device))
        super()._load_from_state_dict(state, prefix, *rest)


class Melp(nn.Module):
    """Maps signals (B, 12, T) to features (B, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.ecg_encoder = Tower(DEPTH)
        self.attn_pool_contrast = AttentionPool(FORM.width, TOWER_FORM.width)
        self.ln_contrast = nn.LayerNorm(FORM.width)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.ln_contrast(self.attn_pool_contrast(self.ecg_encoder(x))).mean(dim=1)
        return features


def network() -> nn.Module:
    return Melp()


CARD = Card(
    name="melp",
    title="MELP",
    paper=Paper(
        "Wang et al., From Token to Rhythm: A Multi-Scale Approach for ECG-Language Pretraining, ICML 2025",
        "https://arxiv.org/abs/2506.21803",
    ),
    code="https://github.com/HKU-MedAI/MELP",
    licence="MIT; the model card of the weights says Apache-2.0",
    trained_on=(Corpus("mimic_iv_ecg"),),
    checkpoint=Checkpoint(
        files=("model.safetensors",),
        where="https://huggingface.co/fuyingw/MELP_Encoder",
        wrappers=("state_dict",),
        prefixes=("ecg_encoder.",),
        drop=(
            *(f"ecg_encoder.{name}" for name in PRETRAINING),
            *("attn_pool_caption.*", "ln_caption.*", "proj_contrast", "logit_scale", "bn.*"),
        ),
        renames=WEIGHT_NORM,
        any_rows=("attn_pool_contrast.query",),
    ),
    form=FORM,
    network=network,
    notes="The published weights are in bfloat16. Its training left out flat records of MIMIC-IV-ECG and those with "
    "missing samples; how many remained is not stated.",
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
