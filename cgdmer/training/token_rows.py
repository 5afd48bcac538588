"""Rows of tokens of different lengths as one array: how wide it is, and padding."""

from collections.abc import Sequence

import numpy as np

from cgdmer.models.tokens import Tokenizer

FEWEST_TOKENS = 16
"""The smallest power of two to which reports are cut."""


def rounded_width(longest: int, *, few_widths: bool) -> int:
    """Return how many tokens a batch has whose longest report has `longest`: a multiple of 8, or a power of two."""
    return max(FEWEST_TOKENS, 1 << max(longest - 1, 0).bit_length()) if few_widths else max(1, -(-longest // 8) * 8)


def padded(rows: Sequence[np.ndarray], pad: int, width: int | None = None) -> np.ndarray:
    """Return rows of tokens as one array, int32 (n, S), padded to the longest or to `width`."""
    out = np.full((len(rows), width or max(map(len, rows))), pad, np.int32)
    for row, ids in zip(out, rows, strict=True):
        row[: len(ids)] = ids
    return out


def padded_for(tokenizer: Tokenizer, rows: Sequence[np.ndarray], *, few_widths: bool = False) -> np.ndarray:
    """Return rows of tokens, int32 (n, S), padded to a rounded width, but not beyond what the model reads."""
    longest = max(map(len, rows), default=1)
    return padded(rows, tokenizer.pad, min(tokenizer.length, rounded_width(longest, few_widths=few_widths)))
