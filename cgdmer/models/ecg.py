"""The ECG encoder, which sees visible tokens only, and the light decoder that predicts the hidden patches.

Letters: B records, L leads, N patch columns of P samples, V visible tokens, D encoder width, W decoder width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cgdmer.models.masking import Mask
from cgdmer.models.patches import gather_tokens, sincos_positions
from cgdmer.models.transformer import Attention, Block, Transformer
from cgdmer.settings import Model
from cgdmer.signals.leads import LEADS

PREDICTION_GAIN = 0.02
"""Scale of the first predictions. Training first unlearns large random predictions, and the features with them."""


class PositionEmbedding(nn.Module):
    """Position of a token: a fixed sine-cosine embedding of its time plus a learned embedding of its lead."""

    time: Tensor

    def __init__(self, width: int, columns: int) -> None:
        super().__init__()
        self.lead = nn.Embedding(len(LEADS), width)
        self.register_buffer("time", sincos_positions(columns, width), persistent=False)

    def forward(self, leads: Tensor, columns: int) -> Tensor:
        """Return the positions (L, N, D) of `columns` patches on each lead.

        `leads` (L,) are canonical lead numbers in the encoder, and rows of the grid in the decoder.
        """
        positions: Tensor = self.lead(leads)[:, None] + self.time[:columns]
        return positions


class LeadLinear(nn.Module):
    """One linear map per lead. Leads are directions on one heart: the same wave differs in sign and size between them.

    With one map for all leads, reconstruction waits until attention has learned those signs. `gain` scales the initial
    weights.
    """

    def __init__(self, inner: int, outer: int, gain: float = 1.0) -> None:
        super().__init__()
        bound = gain * (6 / (inner + outer)) ** 0.5
        self.weight = nn.Parameter(torch.empty(len(LEADS), inner, outer).uniform_(-bound, bound))

    def forward(self, x: Tensor, leads: Tensor) -> Tensor:
        """Map (B, L, N, inner) to (B, L, N, outer); `leads` (L,) as in `PositionEmbedding`."""
        return torch.einsum("blni,lio->blno", x, self.weight[leads])


class ConvStem(nn.Module):
    """Two strided convolutions within a patch, the same for all leads: the shape of a wave, wherever it lies."""

    def __init__(self, patch: int, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, channels, 7, stride=2, padding=3)
        self.conv2 = nn.Conv1d(channels, 2 * channels, 5, stride=2, padding=2)
        self.out = nn.Linear(-(-patch // 4) * 2 * channels, width)

    def forward(self, patches: Tensor) -> Tensor:
        """Map patches (B, V, P) to tokens (B, V, D)."""
        x = F.gelu(self.conv1(patches.flatten(0, 1)[:, None]))  # (B*V, C, P/2)
        x = self.out(F.gelu(self.conv2(x)).flatten(1))  # (B*V, D)
        tokens: Tensor = x.unflatten(0, patches.shape[:2])
        return tokens


class EcgEncoder(nn.Module):
    """A transformer over the visible tokens; hidden patches never enter it (MAE, He et al. 2022)."""

    def __init__(self, settings: Model, columns: int) -> None:
        super().__init__()
        self.patch_embed = LeadLinear(settings.patch, settings.width)
        self.stem = ConvStem(settings.patch, settings.stem, settings.width) if settings.stem else None
        self.position_embed = PositionEmbedding(settings.width, columns)
        self.std_embed = nn.Linear(1, settings.width)
        self.transformer = Transformer(settings.width, settings.depth, settings.heads, settings.dropout)

    def forward(
        self, patches: Tensor, log_std: Tensor, leads: Tensor,
        ids_keep: Tensor | None = None, attention_mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        """Encode patches (B, L, N, P) of the canonical leads `leads` (L,) as tokens (B, V, D).

        `log_std` (B, 1) is the log standard deviation of each record. `ids_keep` (B, V) selects the visible ones of the
        L*N tokens, lead-major; None selects all. `attention_mask` (B, V) is True on real tokens, None where all are.
        """
        # embed the patches and add their positions
        tokens = self.patch_embed(patches, leads) + self.position_embed(leads, patches.shape[2])  # (B, L, N, D)
        tokens, patches = tokens.flatten(1, 2), patches.flatten(1, 2)  # (B, L*N, D), (B, L*N, P)

        # keep the visible ones
        if ids_keep is not None:
            tokens, patches = gather_tokens(tokens, ids_keep), gather_tokens(patches, ids_keep)  # (B, V, D), (B, V, P)

        # add the shape within the patch and the voltage of the record
        if self.stem is not None:
            tokens = tokens + self.stem(patches)  # (B, V, D)
        tokens = tokens + self.std_embed(log_std)[:, None]  # (B, V, D)

        encoded: Tensor = self.transformer(tokens, attention_mask)  # (B, V, D)
        return encoded


class EcgDecoder(nn.Module):
    """Predicts every patch of a record from the visible tokens; narrow, shallow, and unused after pretraining.

    Attention is axial (Ho et al. 2019) with one perceptron per pair of layers (Arnab et al. 2021, factorised
    self-attention): leads of one column attend to each other, then columns of one lead. This costs a tenth of full
    attention, and what a hidden patch needs lies on these two lines. `inputs` counts the concatenated features.
    """

    def __init__(self, settings: Model, columns: int, inputs: int) -> None:
        super().__init__()
        width = settings.decoder_width

        def layers(kind: type[Attention]) -> nn.ModuleList:
            heads, dropout = settings.decoder_heads, settings.dropout
            return nn.ModuleList(kind(width, heads, dropout) for _ in range(settings.decoder_depth))

        self.embed = nn.Linear(inputs * settings.width, width)
        self.mask_token = nn.Parameter(torch.zeros(width))
        self.position_embed = PositionEmbedding(width, columns)
        self.lead_layers, self.time_layers = layers(Attention), layers(Block)
        self.norm = nn.LayerNorm(width)
        self.head = LeadLinear(width, settings.patch, gain=PREDICTION_GAIN)

    def forward(self, tokens: Tensor, mask: Mask, grid: tuple[int, int]) -> Tensor:
        """Predict the patches (B, L*N, P) of an L x N grid from its visible tokens (B, V, inputs*D)."""
        # put the visible tokens back on the grid of leads and columns
        x, visible = scatter_to_grid(self.embed(tokens), mask, grid)  # (B, L, N, W), (B, L, N, 1)
        leads = torch.arange(grid[0], device=tokens.device)  # (L,)
        attended = None  # (B, L, N): True on visible and hidden tokens, False on padding
        if mask.attention_mask is not None:
            attended = visible[..., 0].bool() | mask.hidden.unflatten(1, grid)

        # add mask tokens, what is visible around each token, and positions
        x = x + self.mask_token * (1 - visible) + column_and_lead_means(x, visible)  # (B, L, N, W)
        x = x + self.position_embed(leads, grid[1])  # (B, L, N, W)

        # let leads attend to leads, then columns to columns
        for lead_layer, time_layer in zip(self.lead_layers, self.time_layers, strict=True):
            across = None if attended is None else attended.transpose(1, 2)  # (B, N, L)
            x = apply_along_rows(lead_layer, x.transpose(1, 2), across)  # (B, N, L, W)
            x = apply_along_rows(time_layer, x.transpose(1, 2), attended)  # (B, L, N, W)

        predicted_patches: Tensor = self.head(self.norm(x), leads).flatten(1, 2)  # (B, L*N, P)
        return predicted_patches


def scatter_to_grid(tokens: Tensor, mask: Mask, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Put visible tokens (B, V, W) on their grid positions.

    Returns (B, L, N, W), zero elsewhere, and (B, L, N, 1), 1 where a token is visible. Tokens that fill up a short
    record are left out: they lie on hidden patches, and they were computed from them.
    """
    if mask.attention_mask is None:
        weight = torch.ones_like(mask.ids_keep, dtype=tokens.dtype)  # (B, V)
    else:
        weight = mask.attention_mask.to(tokens.dtype)  # (B, V)
    visible = tokens.new_zeros(len(tokens), grid[0] * grid[1]).scatter(1, mask.ids_keep, weight)  # (B, L*N)
    index = mask.ids_keep[:, :, None].expand(-1, -1, tokens.shape[2])  # (B, V, W)
    scattered = tokens.new_zeros(*visible.shape, tokens.shape[2]).scatter(1, index, tokens * weight[:, :, None])
    return scattered.unflatten(1, grid), visible.unflatten(1, grid)[..., None]


def column_and_lead_means(tokens: Tensor, visible: Tensor) -> Tensor:
    """Return, for each grid position, the mean visible token of its column plus that of its lead (B, L, N, W).

    A hidden patch resembles these most, and attention alone takes long to find that out.
    """
    column = tokens.sum(1, keepdim=True) / visible.sum(1, keepdim=True).clamp(min=1)  # (B, 1, N, W)
    lead = tokens.sum(2, keepdim=True) / visible.sum(2, keepdim=True).clamp(min=1)  # (B, L, 1, W)
    means: Tensor = column + lead
    return means


def apply_along_rows(layer: nn.Module, x: Tensor, attended: Tensor | None) -> Tensor:
    """Apply a layer to each row (S, W) of (B, R, S, W); `attended` (B, R, S) is False on padding.

    A row of nothing but padding attends to itself, because a softmax over nothing is not a number.
    """
    if attended is not None:
        attended = (attended | ~attended.any(2, keepdim=True)).flatten(0, 1)[:, None, None]  # (B*R, 1, 1, S)
    out: Tensor = layer(x.flatten(0, 1), attended)  # (B*R, S, W)
    return out.reshape(*x.shape[:2], *out.shape[1:])
