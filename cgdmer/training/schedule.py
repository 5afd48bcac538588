"""Owns the optimiser and its learning rate: fused AdamW, linear warm-up, cosine to zero."""

import math

import torch
from torch import nn

from cgdmer.settings import Train


def rate(step: int, total: int, peak: float, warmup: float) -> float:
    """Return the learning rate of a step: `warmup` is the share of all steps with a rising rate."""
    rising = max(1, round(total * warmup)) if warmup else 0
    if step < rising:
        return peak * (step + 1) / rising
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, total - rising)))


def optimiser(module: nn.Module, train: Train) -> torch.optim.AdamW:
    """Return AdamW over what is trained; matrices decay; biases, norms, embeddings and the temperature do not."""
    embeddings = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decayed = [p for p in learned if p.ndim > 1 and id(p) not in embeddings]
    rest = [p for p in learned if p.ndim <= 1 or id(p) in embeddings]
    groups = [{"params": decayed, "weight_decay": train.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=train.lr, betas=(0.9, 0.98), eps=1e-8, fused=True)
