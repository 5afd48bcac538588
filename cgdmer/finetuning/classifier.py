"""The classifier that fine-tuning trains: the ECG encoder, pretrained or freshly drawn, with a linear head."""

from pathlib import Path

import torch
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.models import weights
from cgdmer.models.cgdmer import CGDMER
from cgdmer.signals.leads import LEADS


class Classifier(nn.Module):
    """Maps the pooled features of a whole ECG, shared and specific concatenated, to one logit per class."""

    def __init__(self, backbone: CGDMER, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        inputs = 1 if backbone.disentangler.ecg_specific is None else 2
        self.head = nn.Linear(backbone.settings.pooled_width * inputs, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, signal: Tensor, valid: Tensor, missing: Tensor) -> Tensor:
        """Map int16 microvolt (B, 12, T), valid samples (B,) and missing leads (B, 12) to logits (B, C)."""
        features = self.backbone.features(signal, valid, missing, range(len(LEADS)))
        pooled = torch.cat([features[name] for name in ("shared", "specific") if name in features], 1)  # (B, F or 2F)
        logits: Tensor = self.head(pooled)
        return logits

    def layers_above(self, parameter: str) -> int:
        """Return how many layers lie between a named parameter and the output: 0 for the head, most for patches."""
        model, path = self.backbone.settings, parameter.split(".")
        if path[0] == "head":
            return 0
        block = int(path[path.index("blocks", 3) + 1]) if "blocks" in path[3:] else None
        if path[1] == "disentangler":
            return 1 + (0 if block is None else model.split_depth - 1 - block)
        if path[2] == "transformer":
            return 1 + model.split_depth + (0 if block is None else model.depth - 1 - block)
        return 1 + model.split_depth + model.depth


def load_backbone(folder: Path, *, pretrained: bool, seed: int) -> tuple[CGDMER, settings.Signal]:
    """Return the ECG encoder of a saved model and the settings of its signals.

    Its weights are the saved ones or, without `pretrained`, drawn from `seed` for the same architecture. Decoder,
    report encoder and projection are left out, because no label depends on them.
    """
    saved, signal, _ = weights.load(folder)
    orthogonality = 0.0 if saved.disentangler.ecg_specific is None else 1.0  # builds the specific encoder if saved
    objective = settings.Objective(
        contrastive=0.0, ecg_reconstruction=0.0, report_reconstruction=0.0, orthogonality=orthogonality
    )
    backbone = weights.create(saved.settings, settings.Masking(kind="none"), objective, signal, [], seed)
    if pretrained:
        names, state = set(backbone.state_dict()), saved.state_dict()
        backbone.load_state_dict({name: value for name, value in state.items() if name in names}, strict=True)
    return backbone, signal
