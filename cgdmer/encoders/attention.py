"""Multi-head attention between projected tokens, as the published transformers here have it."""

from torch import Tensor
from torch.nn import functional as F


def attended(q: Tensor, k: Tensor, v: Tensor, heads: int, allowed: Tensor | None = None) -> Tensor:
    """Return (B, Q, D): each query's mixture of the values, head by head, from q (B, Q, D), k and v (B, N, D).

    Scores are divided by the root of a head's width. `allowed`, bool (Q, N), says which pairs may meet.
    """
    q, k, v = (projected.unflatten(2, (heads, -1)).transpose(1, 2) for projected in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed).transpose(1, 2).flatten(2)
