"""The probe itself: attention pools of one learned query with a linear layer, several side by side."""

import numpy as np
import torch
from torch import Tensor, nn


class AttentivePools(nn.Module):
    """K probes on the same tokens. Each has a query (D,), whose attention weighs the tokens, and a linear layer.

    With one query, a key matrix would only change the query, and a value matrix only the linear layer, so there is
    neither. A query of zero weighs all tokens equally: the mean over tokens and a linear layer. All weights start at
    zero, so nothing is drawn.
    """

    def __init__(self, learned: Tensor, width: int, classes: int) -> None:
        """Build a probe for each entry of `learned`, bool (K,): whether its query is learned or stays zero."""
        super().__init__()
        self.learned: Tensor
        self.register_buffer("learned", learned.float()[:, None])
        self.query = nn.Parameter(torch.zeros(len(learned), width))
        self.weight = nn.Parameter(torch.zeros(len(learned), width, classes))
        self.bias = nn.Parameter(torch.zeros(len(learned), classes))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Map tokens (B, N, D), of which `present` bool (B, N) exist, to logits (K, B, C)."""
        pooled = self.pool(tokens, present)  # (B, K, D)
        logits: Tensor = torch.einsum("bkd,kdc->kbc", pooled, self.weight) + self.bias[:, None]
        return logits

    def pool(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Return the weighted mean of the tokens of each record, (B, K, D)."""
        queries = self.query * self.learned / tokens.shape[2] ** 0.5  # (K, D)
        scores = torch.einsum("kd,bnd->bkn", queries, tokens).masked_fill(~present[:, None], -torch.inf)
        return scores.softmax(2) @ tokens

    def start_bias(self, labels: np.ndarray) -> None:
        """Start each logit at the log odds of its class among the labels (n, C)."""
        frequency = (labels.sum(axis=0) + 0.5) / (len(labels) + 1.0)
        with torch.no_grad():
            self.bias.copy_(torch.from_numpy(np.log(frequency / (1 - frequency))).expand_as(self.bias))
