"""The losses: pure functions first, then `Objective`, which turns a batch into named terms and their weighted sum.

Letters: B records (b on this rank), L leads, N patch columns of P samples, S report tokens, K hidden report tokens,
D feature width, E width of the aligned space.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.models.cgdmer import CGDMER, Batch, Outputs
from cgdmer.models.masking import Noise
from cgdmer.signals.leads import LEADS, LIMB


@dataclass(frozen=True)
class RankLayout:
    """How a global batch lies on the ranks. Every term is scaled so that its mean over ranks is its global value."""

    sizes: tuple[int, ...]
    """Records on each rank."""
    rank: int = 0
    """This process."""
    gather: Callable[[Tensor], list[Tensor]] = lambda local: [local]
    """Returns every rank's rows, with gradients."""

    @property
    def share(self) -> float:
        """Weight of this rank's mean over its records."""
        return len(self.sizes) * self.sizes[self.rank] / sum(self.sizes)


def siglip(
    ecg: Tensor, reports: Sequence[Tensor], scale: Tensor, bias: Tensor, rank: int, ids: Tensor,
    ids_by_rank: Sequence[Tensor], *, unique: bool,
) -> Tensor:  # fmt: skip
    """Sum -log sigmoid over all pairs of this rank's ECGs (b, E) with every rank's reports (Zhai et al. 2023).

    The sum runs over one rank's reports at a time, so no matrix is larger than (b, b'). `rank` is this process's index
    into `reports`. `ids` (b,) and `ids_by_rank` number the report texts: with `unique`, another record's equal text
    counts neither as a match nor as a negative.
    """
    total = ecg.new_zeros(())
    for other_rank, (report, report_ids) in enumerate(zip(reports, ids_by_rank, strict=True)):
        logits = ecg @ report.T * scale + bias  # (b, b')
        match = torch.eye(*logits.shape, dtype=torch.bool, device=ecg.device) & (other_rank == rank)  # (b, b')
        losses = F.softplus(torch.where(match, -logits, logits))  # (b, b')
        if unique:
            losses = losses.masked_fill((ids[:, None] == report_ids) & ~match, 0.0)
        total = total + losses.sum()
    return total


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


def cosine(shared: Tensor, specific: Tensor) -> Tensor:
    """Return the mean squared cosine between each record's shared and specific features (B, D)."""
    return F.cosine_similarity(shared, specific, dim=1).square().mean()


def cross_covariance(shared: Tensor, specific: Tensor) -> Tensor:
    """Return the mean squared correlation between columns of shared and specific features (B, D), at any scale."""
    first, second = (_centred(features) for features in (shared, specific))
    first, second = (features / (features.square().mean(0) + 1e-6).sqrt() for features in (first, second))
    return (first.T @ second / len(first)).square().mean()


def hsic(shared: Tensor, specific: Tensor) -> Tensor:
    """Return the normalised Hilbert-Schmidt independence of two sets of features (B, D), in 0..1.

    The kernels are Gaussian, of median width (Gretton et al. 2005).
    """
    first, second = (_centred(_centred(_kernel(features)).T) for features in (shared, specific))  # (B, B) twice
    alignment: Tensor = (first * second).sum() / (first.norm() * second.norm() + 1e-8)
    return alignment


def _kernel(features: Tensor) -> Tensor:
    """Return the Gaussian kernel matrix (B, B) of features (B, D)."""
    squared = (features[:, None] - features).square().sum(2)
    return torch.exp(-squared / (squared.detach().median() + 1e-6))


def _centred(features: Tensor) -> Tensor:
    return features - features.mean(0)


class Objective(nn.Module):
    """Model plus losses: `forward` returns every named term and `loss`, their weighted sum."""

    def __init__(self, model: CGDMER, weights: settings.Objective) -> None:
        super().__init__()
        self.model, self.settings = model, weights
        predicts_patches = model.ecg_decoder is not None
        reads_patches = weights.ecg_reconstruction > 0 or model.disentangler.ecg_specific is not None
        if not ((predicts_patches and reads_patches) or weights.contrastive > 0):
            raise ConfigError(
                "no term of section objective trains the ECG encoder",
                allowed="objective.contrastive above 0, or objective.ecg_reconstruction with masking",
                fix="edit params.yaml",
            )
        if weights.contrastive > 0:
            self.log_scale = nn.Parameter(torch.tensor(math.log(weights.scale)))
            self.bias = nn.Parameter(torch.tensor(float(weights.bias)))

    def draw_noise(self, records: int, generator: torch.Generator) -> Noise:
        """Draw the random numbers behind the masks of `records` records."""
        return self.model.draw_noise(records, generator)

    def forward(self, batch: Batch, noise: Noise, rank_layout: RankLayout | None = None) -> dict[str, Tensor]:
        """Return scalars by name. Names without a weight in the settings are for the log only."""
        rank_layout = rank_layout or RankLayout((len(batch["signal"]),))
        outputs = self.model(batch, noise)
        with torch.autocast(batch["signal"].device.type, enabled=False):  # losses are computed in fp32
            terms = self.terms({name: _float(value) for name, value in outputs.items()}, batch, rank_layout)
        weighted = [
            getattr(self.settings, name) * value for name, value in terms.items() if hasattr(self.settings, name)
        ]
        return {"loss": torch.stack(weighted).sum(), **terms, **self.errors_by_leads(outputs, rank_layout)}

    def terms(self, outputs: Outputs, batch: Batch, rank_layout: RankLayout) -> dict[str, Tensor]:
        """Return every term that is switched on and has its inputs."""
        weights, share = self.settings, rank_layout.share
        terms: dict[str, Tensor] = {}

        # align the shared features of both modalities
        if weights.contrastive > 0:
            terms["contrastive"] = self.contrast(outputs, batch["report"], rank_layout)

        # reconstruct the hidden patches and words
        if "predicted_patches" in outputs:
            terms["ecg_reconstruction"] = share * reconstruction(
                outputs["predicted_patches"], outputs["target_patches"], outputs["hidden_patches"]
            )
        elif weights.ecg_reconstruction > 0:  # nothing is hidden
            terms["ecg_reconstruction"] = outputs["ecg_shared"].new_zeros(())
        if "word_logits" in outputs:
            terms["report_reconstruction"] = share * word_loss(
                outputs["word_logits"], outputs["target_words"], outputs["hidden_words"]
            )

        # keep shared and specific features independent
        if weights.orthogonality > 0 and "ecg_specific" in outputs:
            terms["orthogonality"] = self.dependence(outputs, rank_layout)

        # reconstruct the hidden patches with the shared features of the report
        if "cross_predicted_patches" in outputs:
            terms["cross_reconstruction"] = share * reconstruction(
                outputs["cross_predicted_patches"], outputs["target_patches"], outputs["hidden_patches"]
            )
        return terms

    def contrast(self, outputs: Outputs, ids: Tensor, rank_layout: RankLayout) -> Tensor:
        """Return SigLIP over the global batch, as a mean over records; each rank computes the rows of its own ECGs."""
        reports, ids_by_rank = rank_layout.gather(outputs["report_aligned"]), rank_layout.gather(ids)
        total = siglip(
            outputs["ecg_aligned"], reports, self.log_scale.exp(), self.bias, rank_layout.rank, ids, ids_by_rank,
            unique=self.settings.unique_reports,
        )  # fmt: skip
        return total * (len(rank_layout.sizes) / sum(rank_layout.sizes))

    def dependence(self, outputs: Outputs, rank_layout: RankLayout) -> Tensor:
        """Return the dependence between shared and specific features, averaged over the modalities that have both."""
        pairs = [
            (outputs[f"{modality}_shared"], outputs[f"{modality}_specific"])
            for modality in ("ecg", "report")
            if f"{modality}_specific" in outputs
        ]
        if self.settings.orthogonality_kind == "cosine":
            return rank_layout.share * torch.stack([cosine(*pair) for pair in pairs]).mean()
        measure = {"cross_covariance": cross_covariance, "hsic": hsic}[self.settings.orthogonality_kind]
        gathered = [tuple(torch.cat(rank_layout.gather(features)) for features in pair) for pair in pairs]
        return torch.stack([measure(*pair) for pair in gathered]).mean()

    @torch.no_grad()
    def errors_by_leads(self, outputs: Outputs, rank_layout: RankLayout) -> dict[str, Tensor]:
        """Return the reconstruction errors of limb and of chest leads, for the log.

        They differ because any two limb leads determine the other four.
        """
        if "predicted_patches" not in outputs:
            return {}
        hidden = outputs["hidden_patches"]  # (B, L*N)
        assert hidden.shape[1] == len(LEADS) * self.model.columns
        limb = torch.arange(hidden.shape[1], device=hidden.device) < LIMB * self.model.columns  # (L*N,)
        return {
            f"reconstruction_{name}": rank_layout.share
            * reconstruction(outputs["predicted_patches"], outputs["target_patches"], hidden & leads)
            for name, leads in (("limb", limb), ("chest", ~limb))
        }


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
