"""ECG-JEPA (2024): patches of 200 ms of eight leads, which attend to their own lead and to their own time."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgdmer.encoders.adapter import Adapted, adapt
from cgdmer.encoders.attention import attended
from cgdmer.encoders.base import Setup
from cgdmer.encoders.form import Form
from cgdmer.encoders.published import Card, Checkpoint, Corpus, Paper

FORM = Form(
    fs=250.0,
    seconds=10.0,
    leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    width=768,
    absent="omitted",
    resampling="fourier",
)
PATCHES, PATCH = 50, 50
"""Patches of a lead, and samples of a patch."""
DEPTH, HEADS, HIDDEN = 12, 16, 3072


class Attention(nn.Module):
    """Self-attention among the pairs of tokens that a mask (N, N) allows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, dim=2)
        mixed: Tensor = self.proj(attended(q, k, v, HEADS, allowed))
        return mixed


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, HIDDEN), nn.Linear(HIDDEN, width)

    def forward(self, x: Tensor) -> Tensor:
        mapped: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return mapped


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width), Mlp(width)

    def forward(self, x: Tensor, allowed: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), allowed)
        tokens: Tensor = x + self.mlp(self.norm2(x))
        return tokens


class Blocks(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width) for _ in range(DEPTH))

    def forward(self, x: Tensor, positions: Tensor, allowed: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x + positions, allowed)  # the table is added before every block, and stays
        return x


class ContextEncoder(nn.Module):
    """Maps signals (B, L, 2500) of the leads with the numbers (B, L), all eight if None, to features (B, 768)."""

    def __init__(self) -> None:
        super().__init__()
        self.W_P = nn.Linear(PATCH, FORM.width)
        self.pos_embed = nn.Parameter(positions(FORM.width), requires_grad=False)
        self.encoder_blocks = Blocks(FORM.width)
        self.norm = nn.LayerNorm(FORM.width)

    def forward(self, x: Tensor, leads: Tensor | None = None) -> Tensor:
        tokens = self.W_P(x.unflatten(2, (PATCHES, PATCH)).flatten(1, 2))  # (B, L x 50, 768), lead after lead
        table = self.pos_embed if leads is None else self.pos_embed.unflatten(0, (-1, PATCHES))[leads].flatten(1, 2)
        encoded: Tensor = self.norm(self.encoder_blocks(tokens, table, crossing_mask(x.shape[1]).to(x.device)))
        return encoded.mean(dim=1)  # the norm first, then the mean


def places(leads: int) -> tuple[Tensor, Tensor]:
    """Return the lead and the patch number of each token, int64 (leads x 50,)."""
    numbers = torch.arange(leads * PATCHES)
    return numbers // PATCHES, numbers % PATCHES


def positions(width: int) -> Tensor:
    """Return the fixed table (400, width): the first half of a row tells the patch number, the second the lead."""
    lead, patch = places(len(FORM.leads))
    rates = 10_000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = [number.double()[:, None] * rates for number in (patch, lead)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], 1).float()


def crossing_mask(leads: int) -> Tensor:
    """Return bool (leads x 50, leads x 50): whether two tokens are of one lead or of one time."""
    lead, patch = places(leads)
    return (lead[:, None] == lead) | (patch[:, None] == patch)


def network() -> nn.Module:
    return ContextEncoder()


CARD = Card(
    name="ecg_jepa",
    title="ECG-JEPA",
    paper=Paper(
        "Kim, Learning General Representation of 12-Lead Electrocardiogram with a Joint-Embedding Predictive "
        "Architecture, 2024",
        "https://arxiv.org/abs/2410.08559",
    ),
    code="https://github.com/sehunfromdaegu/ECG_JEPA",
    licence="MIT",
    trained_on=(Corpus("csn"), Corpus("CODE-15%")),
    checkpoint=Checkpoint(
        files=("multiblock_epoch100.pth",),
        where="two Google Drive files that the repository's README links",
        wrappers=("encoder",),
    ),
    form=FORM,
    network=network,
    notes="Its pretraining saw the Chapman and Ningbo recordings, which are the corpus csn, without labels: with "
    "CODE-15% about 180,000 records in all.",
)


def load(setup: Setup) -> Adapted:
    return adapt(CARD, setup)
