"""Owns the ECG tower with a linear head: what fine-tuning trains, from pretrained weights or from none."""

from pathlib import Path

import torch
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.signals.leads import LEADS


class Classifier(nn.Module):
    """Pooled features of the whole ECG, shared and specific side by side, to one logit a class."""

    def __init__(self, body: CGDMER, classes: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(body.settings.width * (1 if body.split.ecg is None else 2), classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, signal: Tensor, valid: Tensor, missing: Tensor) -> Tensor:
        """Map int16 microvolt (B, 12, T), valid samples (B,) and missing leads (B, 12) to logits (B, C)."""
        found = self.body.features(signal, valid, missing, range(len(LEADS)))
        logits: Tensor = self.head(torch.cat([found[name] for name in ("shared", "specific") if name in found], 1))
        return logits

    def depth_of(self, parameter: str) -> int:
        """Return how many layers lie between a parameter, by name, and the head: 0 for the head, most for patches."""
        model, parts = self.body.settings, parameter.split(".")
        if parts[0] == "head":
            return 0
        number = int(parts[parts.index("blocks", 3) + 1]) if "blocks" in parts[3:] else None
        if parts[1] == "split":
            return 1 + (0 if number is None else model.split_depth - 1 - number)
        if parts[2] == "blocks":
            return 1 + model.split_depth + (0 if number is None else model.depth - 1 - number)
        return 1 + model.split_depth + model.depth


def body(folder: Path, *, pretrained: bool, seed: int) -> tuple[CGDMER, settings.Signal]:
    """Return the ECG tower of a saved model, with its weights or the same architecture drawn from `seed`, and its form.

    Decoders, report tower and projection are left out: nothing of them reaches a label.
    """
    whole, signal, _ = weights.load(folder)
    parts = 0.0 if whole.split.ecg is None else 1.0
    terms = settings.Objective(contrastive=0.0, ecg_reconstruction=0.0, report_reconstruction=0.0, orthogonality=parts)
    bare = weights.create(whole.settings, settings.Masking(kind="none"), terms, signal, [], seed)
    if pretrained:
        wanted, state = set(bare.state_dict()), whole.state_dict()
        bare.load_state_dict({name: value for name, value in state.items() if name in wanted}, strict=True)
    return bare, signal
