"""Owns the ECG tower: the encoder of visible tokens and the light decoder of hidden ones."""

import torch
from torch import Tensor, nn

from cgdmer.models.masking import Mask
from cgdmer.models.patches import sincos
from cgdmer.models.transformer import Transformer
from cgdmer.settings import Model
from cgdmer.signals.leads import LEADS


class Places(nn.Module):
    """Where a token lies: a fixed sine-cosine position in time plus a learned embedding of its lead."""

    time: Tensor

    def __init__(self, width: int, columns: int) -> None:
        super().__init__()
        self.lead = nn.Embedding(len(LEADS), width)
        self.register_buffer("time", sincos(columns, width), persistent=False)

    def forward(self, leads: Tensor, columns: Tensor) -> Tensor:
        """Canonical lead numbers and patch columns, each (B, S), to (B, S, D)."""
        out: Tensor = self.lead(leads) + self.time[columns]
        return out


class EcgEncoder(nn.Module):
    """Embeds the patches it is given and lets them attend to each other; hidden patches never enter (MAE)."""

    def __init__(self, settings: Model, columns: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            nn.Linear(settings.patch, 2 * settings.width), nn.GELU(), nn.Linear(2 * settings.width, settings.width)
        )
        self.places = Places(settings.width, columns)
        self.voltage = nn.Linear(1, settings.width)
        self.blocks = Transformer(settings.width, settings.depth, settings.heads, settings.dropout)

    def forward(
        self, patches: Tensor, spread: Tensor, leads: Tensor, columns: Tensor, real: Tensor | None = None
    ) -> Tensor:
        """Patches (B, S, P), log spread (B, 1), their leads and columns (B, S) to tokens (B, S, D)."""
        x = self.embed(patches) + self.places(leads, columns) + self.voltage(spread)[:, None]  # (B, S, D)
        out: Tensor = self.blocks(x, real)
        return out


class EcgDecoder(nn.Module):
    """Predicts every patch of the record from the visible tokens; narrow and shallow, thrown away after training."""

    def __init__(self, settings: Model, columns: int, parts: int) -> None:
        super().__init__()
        width = settings.decoder_width
        self.read = nn.Linear(parts * settings.width, width)
        self.mask = nn.Parameter(torch.zeros(width))
        self.places = Places(width, columns)
        self.blocks = Transformer(width, settings.decoder_depth, settings.heads, settings.dropout)
        self.predict = nn.Linear(width, settings.patch)
        nn.init.trunc_normal_(self.mask, std=0.02)

    def forward(self, tokens: Tensor, mask: Mask, grid: tuple[int, int]) -> Tensor:
        """Tokens (B, V, parts*D) at the visible places of an L x N grid to patches (B, L*N, P)."""
        batch, (leads, columns) = len(tokens), grid
        read = self.read(tokens)  # (B, V, W)
        blank = self.mask.to(read.dtype)
        attended = None
        if mask.real is not None:  # filling must not carry the patch it stands on
            read = read.where(mask.real[:, :, None], blank)
            attended = mask.hidden.scatter(1, mask.places, mask.real | mask.hidden.gather(1, mask.places))
        x = blank.expand(batch, leads * columns, -1)
        x = x.scatter(1, mask.places[:, :, None].expand(-1, -1, read.shape[2]), read)  # (B, L*N, W)
        x = x + self.around(read, mask, grid)
        number = torch.arange(leads * columns, device=tokens.device)
        x = x + self.places(number // columns, number % columns)
        out: Tensor = self.predict(self.blocks(x, attended))
        return out

    def around(self, read: Tensor, mask: Mask, grid: tuple[int, int]) -> Tensor:
        """Mean of the visible tokens (B, V, W) of each place's column and of its lead, summed: (B, L*N, W).

        Hidden patches are most like what is seen at the same time and on the same lead; attention alone takes long to
        find that out.
        """
        batch, width = len(read), read.shape[2]
        real = read.new_ones(mask.places.shape) if mask.real is None else mask.real.to(read.dtype)
        seen = read.new_zeros(batch, grid[0] * grid[1]).scatter(1, mask.places, real).view(batch, *grid, 1)
        places = mask.places[:, :, None].expand(-1, -1, width)
        known = read.new_zeros(batch, grid[0] * grid[1], width).scatter(1, places, read * real[:, :, None])
        known = known.view(batch, *grid, width)
        column = known.sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)  # (B, 1, N, W)
        lead = known.sum(2, keepdim=True) / seen.sum(2, keepdim=True).clamp(min=1)  # (B, L, 1, W)
        return (column + lead).flatten(1, 2)
