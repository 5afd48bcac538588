"""Disentanglement: shared and specific encoders, the projection for alignment, and what the decoders read."""

import torch
from torch import Tensor, nn

from cgdmer.models.transformer import Transformer, mean_pool, statistics_pool
from cgdmer.settings import Model


class Disentangler(nn.Module):
    """One shared encoder with the same weights for both modalities, and one specific encoder per modality.

    `ecg_specific`, `report_specific` and `projection` say whether any objective needs that module. With
    `model.pooling` statistics, ECGs are pooled to 3D numbers and reports to D, so each has its own projection.
    """

    def __init__(self, settings: Model, *, ecg_specific: bool, report_specific: bool, projection: bool) -> None:
        super().__init__()

        def encoder() -> Transformer:
            return Transformer(settings.width, settings.split_depth, settings.heads, settings.dropout)

        self.shared = encoder()
        self.ecg_specific = encoder() if settings.disentangled and ecg_specific else None
        self.report_specific = encoder() if settings.disentangled and report_specific else None
        self.pooling = statistics_pool if settings.pooling == "statistics" else mean_pool
        self.projection = nn.Linear(settings.pooled_width, settings.projection) if projection else None
        two = projection and settings.pooled_width != settings.width
        self.report_projection = nn.Linear(settings.width, settings.projection) if two else None

    def forward(self, tokens: Tensor, attention_mask: Tensor | None, modality: str) -> tuple[Tensor, Tensor | None]:
        """Map tokens (B, S, D) of `ecg` or `report` to shared and specific features, each (B, S, D).

        The specific features are None where no objective needs them.
        """
        specific = self.ecg_specific if modality == "ecg" else self.report_specific
        shared_features = self.shared(tokens, attention_mask)  # (B, S, D)
        return shared_features, None if specific is None else specific(tokens, attention_mask)

    def align(self, shared: Tensor, attention_mask: Tensor | None, modality: str) -> Tensor:
        """Pool shared features (B, S, D) and project them to unit vectors (B, E) in the space of both modalities."""
        pooling = self.pooling if modality == "ecg" else mean_pool
        projection = self.report_projection if modality == "report" and self.report_projection else self.projection
        assert projection is not None
        projected = projection(pooling(shared, attention_mask)).float()  # (B, E)
        unit: Tensor = nn.functional.normalize(projected, dim=1)
        return unit


def decoder_input(shared: Tensor, specific: Tensor | None, attention_mask: Tensor | None) -> Tensor:
    """Concatenate shared and specific features to (B, S, 2D); the shared ones enter as their mean over the record.

    What two modalities share describes the whole record; where and how it shows is specific to a modality. With one
    shared vector per token instead, the shared features rebuilt the signal better than the specific ones. Without
    specific features, the tokens of the shared encoder (B, S, D) are the input.
    """
    if specific is None:
        return shared
    return torch.cat([mean_pool(shared, attention_mask)[:, None].expand_as(specific), specific], 2)
