"""Owns the split into modality-shared and modality-specific parts."""

import torch
from torch import Tensor, nn

from cgdmer.models.transformer import Transformer, mean
from cgdmer.settings import Model


class Split(nn.Module):
    """One shared encoder, the same weights for both modalities, and one specific encoder each.

    `ecg` and `report` say whether anything reads that specific part, `aligns` whether anything reads the projection.
    """

    def __init__(self, settings: Model, *, ecg: bool, report: bool, aligns: bool) -> None:
        super().__init__()

        def encoder() -> Transformer:
            return Transformer(settings.width, settings.split_depth, settings.heads, settings.dropout)

        self.shared = encoder()
        self.ecg = encoder() if settings.disentangled and ecg else None
        self.report = encoder() if settings.disentangled and report else None
        self.project = nn.Linear(settings.width, settings.projection) if aligns else None

    def forward(self, tokens: Tensor, real: Tensor | None, modality: str) -> tuple[Tensor, Tensor | None]:
        """Tokens (B, S, D) to their shared and specific parts, each (B, S, D); no specific part when it is off."""
        specific = self.ecg if modality == "ecg" else self.report
        return self.shared(tokens, real), None if specific is None else specific(tokens, real)

    def align(self, shared: Tensor, real: Tensor | None) -> Tensor:
        """Pool shared tokens (B, S, D) and project them to unit vectors (B, E) in the space both modalities share."""
        assert self.project is not None
        out: Tensor = nn.functional.normalize(self.project(mean(shared, real)).float(), dim=1)
        return out


def joined(shared: Tensor, specific: Tensor | None, real: Tensor | None) -> Tensor:
    """Put the parts side by side (B, S, 2D), as the decoders read them: the shared one as its mean over real tokens.

    What two modalities share is said of the whole record; where and how it shows is the specific part's. Given token by
    token, the shared part rebuilt the signal better than the specific one did. Without a specific part the tokens of
    the one part (B, S, D) are all there is.
    """
    if specific is None:
        return shared
    return torch.cat([mean(shared, real)[:, None].expand_as(specific), specific], 2)
