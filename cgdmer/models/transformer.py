"""The pre-norm transformer that every encoder and decoder is built from."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

VARIANCE_FLOOR = 1e-5
"""Added to the variance of `statistics_pool`."""


class Attention(nn.Module):
    """Pre-norm self-attention with a residual connection (Xiong et al. 2020)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map tokens (B, S, D) to (B, S, D); `mask` (B, 1, 1, S) is False on tokens that get no attention."""
        return x + self.drop(self.attend(self.norm_attention(x), mask))

    def attend(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return multi-head attention over tokens (B, S, D), projected to (B, S, D)."""
        query, key, value = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (B, H, S, D/H)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


class Block(Attention):
    """Attention, then a pre-norm two-layer perceptron on each token, with a residual connection around each."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__(width, heads, dropout)
        self.norm_mlp = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Map tokens (B, S, D) to (B, S, D); `mask` (B, 1, 1, S) is False on tokens that get no attention."""
        x = super().forward(x, mask)
        return x + self.drop(self.down(F.gelu(self.up(self.norm_mlp(x)))))


class Transformer(nn.Module):
    """`depth` blocks and a final norm; `checkpointing` trades compute for memory in training."""

    def __init__(self, width: int, depth: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.checkpointing = False

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Map tokens (B, S, D) to (B, S, D).

        `attention_mask` (B, S) is True on real tokens and False on padding. Pass None where nothing is padded: then
        flash kernels can be used.
        """
        mask = None if attention_mask is None else attention_mask[:, None, None, :]  # (B, 1, 1, S)
        for block in self.blocks:
            if self.checkpointing and self.training:
                x = checkpoint(block, x, mask, use_reentrant=False)
            else:
                x = block(x, mask)
        out: Tensor = self.norm(x)
        return out


def mean_pool(tokens: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Average tokens (B, S, D) over those that `attention_mask` (B, S) marks as real: (B, D)."""
    if attention_mask is None:
        return tokens.mean(1)
    weight = attention_mask[:, :, None].to(tokens.dtype)  # (B, S, 1)
    return (tokens * weight).sum(1) / weight.sum(1).clamp(min=1)


def statistics_pool(tokens: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Concatenate mean, standard deviation and maximum of tokens (B, S, D) over the real ones: (B, 3D).

    `attention_mask` (B, S) is True on real tokens; without any, the maximum is 0. The deviation has a small floor,
    because the gradient of a square root is infinite at zero.
    """
    mean = mean_pool(tokens, attention_mask)  # (B, D)
    variance = mean_pool((tokens - mean[:, None]).square(), attention_mask)  # (B, D)
    if attention_mask is not None:
        tokens = tokens.masked_fill(~attention_mask[:, :, None], -torch.inf)  # (B, S, D)
    largest = tokens.amax(1)  # (B, D)
    if attention_mask is not None:
        largest = largest.masked_fill(~attention_mask.any(1, keepdim=True), 0.0)  # (B, D)
    return torch.cat([mean, (variance + VARIANCE_FLOOR).sqrt(), largest], 1)


def initialise(module: nn.Module) -> None:
    """Draw the weights of one module as MAE does: Xavier weights, zero biases; norms stay at ones and zeros.

    Embeddings are about as large as the fixed positions they are added to, so that neither hides the other. A block
    starts as the identity (Zhang et al. 2019, Fixup), so the content of a patch reaches the losses from the first step;
    otherwise reconstruction stayed at its trivial value for hundreds of steps. Initialise a block after its layers.
    """
    if isinstance(module, nn.Embedding):
        nn.init.trunc_normal_(module.weight, std=0.5)
    if isinstance(module, nn.Linear | nn.Conv1d):
        nn.init.xavier_uniform_(module.weight.flatten(1))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, Attention):
        nn.init.zeros_(module.out.weight)
    if isinstance(module, Block):
        nn.init.zeros_(module.down.weight)
