"""Owns the ECG tower: the encoder of visible tokens and the light decoder of hidden ones."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cgdmer.models.masking import Mask
from cgdmer.models.patches import sincos, take
from cgdmer.models.transformer import Attention, Block, Transformer
from cgdmer.settings import Model
from cgdmer.signals.leads import LEADS

START = 0.02
"""First predictions are this small: large random ones are unlearned first, and what patches show with them."""


class Places(nn.Module):
    """Where a token lies: a fixed sine-cosine position in time plus a learned embedding of its lead."""

    time: Tensor

    def __init__(self, width: int, columns: int) -> None:
        super().__init__()
        self.lead = nn.Embedding(len(LEADS), width)
        self.register_buffer("time", sincos(columns, width), persistent=False)

    def forward(self, leads: Tensor, columns: int) -> Tensor:
        """Canonical lead numbers (l,) and the number of columns to (l, columns, D)."""
        out: Tensor = self.lead(leads)[:, None] + self.time[:columns]
        return out


class LeadLinear(nn.Module):
    """One linear map a lead. Leads are directions on one heart, so the same wave has another sign and size in each.

    With one map for all, reconstruction waits until attention has learned those signs. `gain` scales the start.
    """

    def __init__(self, inner: int, outer: int, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain * (6 / (inner + outer)) ** 0.5
        self.weight = nn.Parameter(torch.empty(len(LEADS), inner, outer).uniform_(-bound, bound))

    def forward(self, x: Tensor, leads: Tensor) -> Tensor:
        """Map (B, l, N, inner) of the numbered leads (l,) to (B, l, N, outer)."""
        return torch.einsum("blni,lio->blno", x, self.weight[leads])


class Stem(nn.Module):
    """Two strided convolutions within a patch, the same for all leads: what a wave looks like, wherever it lies."""

    def __init__(self, patch: int, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, channels, 7, stride=2, padding=3)
        self.second = nn.Conv1d(channels, 2 * channels, 5, stride=2, padding=2)
        self.out = nn.Linear(-(-patch // 4) * 2 * channels, width)

    def forward(self, patches: Tensor) -> Tensor:
        """Patches (B, V, P) to (B, V, D)."""
        x = F.gelu(self.first(patches.flatten(0, 1)[:, None]))  # (B*V, C, P/2)
        x = self.out(F.gelu(self.second(x)).flatten(1))  # (B*V, D)
        out: Tensor = x.unflatten(0, patches.shape[:2])
        return out


class EcgEncoder(nn.Module):
    """Embeds patches and lets the visible ones attend to each other; hidden ones never enter (MAE)."""

    def __init__(self, settings: Model, columns: int) -> None:
        super().__init__()
        self.embed = LeadLinear(settings.patch, settings.width)
        self.stem = Stem(settings.patch, settings.stem, settings.width) if settings.stem else None
        self.places = Places(settings.width, columns)
        self.voltage = nn.Linear(1, settings.width)
        self.blocks = Transformer(settings.width, settings.depth, settings.heads, settings.dropout)

    def forward(
        self, patches: Tensor, spread: Tensor, leads: Tensor, places: Tensor | None = None, real: Tensor | None = None
    ) -> Tensor:
        """Patches (B, l, N, P) of the numbered leads (l,) and log spread (B, 1) to tokens (B, V, D).

        `places` (B, V) are the visible ones of the l*N tokens, lead-major; None means all of them.
        """
        x = (self.embed(patches, leads) + self.places(leads, patches.shape[2])).flatten(1, 2)  # (B, l*N, D)
        seen = patches.flatten(1, 2)  # (B, l*N, P)
        if places is not None:
            x, seen = take(x, places), take(seen, places)  # (B, V, D), (B, V, P)
        if self.stem is not None:
            x = x + self.stem(seen)
        out: Tensor = self.blocks(x + self.voltage(spread)[:, None], real)
        return out


class EcgDecoder(nn.Module):
    """Predicts every patch of the record from the visible tokens; narrow and shallow, thrown away after training.

    Attention is axial (Ho et al. 2019) with one perceptron a pair (Arnab et al. 2021, factorised self-attention): leads
    of one column attend to each other, then columns of one lead. That is a tenth of the cost of full attention, and
    what a hidden patch needs lies on these two lines.
    """

    def __init__(self, settings: Model, columns: int, parts: int) -> None:
        super().__init__()
        width = settings.decoder_width

        def each(kind: type[Attention]) -> nn.ModuleList:
            return nn.ModuleList(kind(width, settings.heads, settings.dropout) for _ in range(settings.decoder_depth))

        self.read = nn.Linear(parts * settings.width, width)
        self.mask = nn.Parameter(torch.zeros(width))
        self.places = Places(width, columns)
        self.across, self.along = each(Attention), each(Block)
        self.norm = nn.LayerNorm(width)
        self.predict = LeadLinear(width, settings.patch, gain=START)

    def forward(self, tokens: Tensor, mask: Mask, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, V, parts*D) at the visible places of an L x N grid to patches (B, L*N, P)."""
        known, seen = on_grid(self.read(tokens), mask, grid)  # (B, L, N, W), (B, L, N, 1)
        attended = None if mask.real is None else seen[..., 0].bool() | mask.hidden.unflatten(1, grid)
        leads = torch.arange(grid[0], device=tokens.device)
        x = known + self.mask * (1 - seen) + around(known, seen) + self.places(leads, grid[1])
        for across, along in zip(self.across, self.along, strict=True):
            x = on_lines(across, x.transpose(1, 2), None if attended is None else attended.transpose(1, 2))
            x = on_lines(along, x.transpose(1, 2), attended)
        out: Tensor = self.predict(self.norm(x), leads).flatten(1, 2)
        return out


def on_grid(tokens: Tensor, mask: Mask, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Put visible tokens (B, V, W) on their places, zero elsewhere: (B, L, N, W), and where they are (B, L, N, 1).

    What fills up a short record is left out: it stands on hidden patches and has seen them.
    """
    real = torch.ones_like(mask.places, dtype=tokens.dtype) if mask.real is None else mask.real.to(tokens.dtype)
    seen = tokens.new_zeros(len(tokens), grid[0] * grid[1]).scatter(1, mask.places, real)
    places = mask.places[:, :, None].expand(-1, -1, tokens.shape[2])
    known = tokens.new_zeros(*seen.shape, tokens.shape[2]).scatter(1, places, tokens * real[:, :, None])
    return known.unflatten(1, grid), seen.unflatten(1, grid)[..., None]


def around(known: Tensor, seen: Tensor) -> Tensor:
    """Mean of what is seen in each place's column plus the mean of what is seen on its lead: (B, L, N, W).

    A hidden patch is most like these; attention alone takes long to find that out.
    """
    column = known.sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)  # (B, 1, N, W)
    lead = known.sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)  # (B, L, 1, W)
    both: Tensor = column + lead
    return both


def on_lines(block: nn.Module, x: Tensor, attended: Tensor | None) -> Tensor:
    """Apply a block along the second axis of tokens (B, R, S, W), each row by itself; a row of padding sees itself."""
    if attended is not None:
        attended = (attended | ~attended.any(2, keepdim=True)).flatten(0, 1)[:, None, None]
    out: Tensor = block(x.flatten(0, 1), attended)
    return out.reshape(*x.shape[:2], *out.shape[1:])
