"""Losses of predictions: hidden patches, hidden words, measured values.

Letters: B records, S tokens, P samples per patch, K hidden words, M measurements.
"""

import torch.nn.functional as F
from torch import Tensor


def reconstruction(predicted: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Return the mean squared error of each record's hidden patches, averaged over records; 0 when none is hidden.

    `predicted` and `target` are (B, S, P), `hidden` (B, S) is True on hidden patches.
    """
    weight = hidden.float()  # (B, S)
    error = (predicted.float() - target).square().mean(2) * weight  # (B, S)
    return (error.sum(1) / weight.sum(1).clamp(min=1)).mean()


def word_loss(logits: Tensor, words: Tensor, hidden: Tensor) -> Tensor:
    """Return the cross-entropy of each report's hidden words, averaged over reports.

    `logits` are (B, K, vocabulary), `words` (B, K) the true ids, `hidden` (B, K) is False on rows' filling.
    """
    loss = F.cross_entropy(logits.float().flatten(0, 1), words.flatten(), reduction="none").view_as(words)  # (B, K)
    weight = hidden.float()  # (B, K)
    return ((loss * weight).sum(1) / weight.sum(1).clamp(min=1)).mean()


def measurement_loss(predicted: Tensor, measurements: Tensor) -> Tensor:
    """Return each record's smooth absolute error (B,), summed over its known measurements and divided by M.

    `predicted` and `measurements` are (B, M), standardised; NaN is an unknown value.
    """
    known = ~measurements.isnan()  # (B, M)
    error = F.smooth_l1_loss(predicted, measurements.nan_to_num(), reduction="none")  # (B, M)
    return (error * known).mean(1)
