"""The losses: pure functions first, then `Objective`, which turns a batch into named terms and their weighted sum.

Letters: B records (b on this rank), L leads, N patch columns of P samples, S report tokens, K hidden report tokens,
D feature width, E width of the aligned space.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.models.cgdmer import CGDMER, Batch, Outputs
from cgdmer.models.masking import Noise
from cgdmer.signals.leads import LEADS, LIMB

VECTORS = ("ecg_aligned", "report_aligned", "ecg_shared", "ecg_specific", "report_shared", "report_specific")
"""Outputs of the model that the terms across records compare, one row per record."""


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


@dataclass(frozen=True)
class Cached:
    """The terms across records of a whole batch, for the micro-batches that it is divided into."""

    terms: dict[str, Tensor]
    """Their values over the whole batch."""
    gradients: dict[str, Tensor]
    """Gradient of their weighted sum with respect to each vector of this micro-batch and to each parameter of the loss,
    by name. Those of the vectors are divided by the weight of the micro-batch. Empty for a measurement."""


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
    """Return the Gaussian kernel matrix (B, B) of features (B, D), without a tensor of differences (B, B, D).

    Squared distances are expanded to norms and a product. Features are centred first, so that a common offset, which
    distances do not see, does not cost precision.
    """
    features = _centred(features)
    norms = features.square().sum(1)  # (B,)
    squared = (norms[:, None] + norms - 2 * features @ features.T).clamp(min=0)  # (B, B)
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

    def forward(
        self, batch: Batch, noise: Noise, rank_layout: RankLayout | None = None, cached: Cached | None = None, *,
        only_vectors: bool = False,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Return scalars by name. Names without a weight in the settings are for the log only.

        For a micro-batch, `cached` holds the terms across records. With `only_vectors`, return the vectors (b, D) and
        (b, E) that those terms compare.
        """
        rank_layout = rank_layout or RankLayout((len(batch["signal"]),))
        outputs = self.model(batch, noise)
        with torch.autocast(batch["signal"].device.type, enabled=False):  # losses are computed in fp32
            in_fp32 = {name: _float(value) for name, value in outputs.items()}
            if only_vectors:
                return {name: in_fp32[name] for name in VECTORS if name in in_fp32}
            across = cached.terms if cached else self.terms_across_records(in_fp32, batch["report"], rank_layout)
            terms = self.terms(in_fp32, across, rank_layout)
            loss = self.weighted_sum(terms)
            if cached and cached.gradients:
                loss = loss + self.surrogate(in_fp32, cached)
        return {"loss": loss, **terms, **self.errors_by_leads(outputs, rank_layout)}

    def weighted_sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the sum of the terms that have a weight in the settings."""
        return torch.stack(
            [getattr(self.settings, name) * value for name, value in terms.items() if hasattr(self.settings, name)]
        ).sum()

    def terms_across_records(self, outputs: Outputs, ids: Tensor, rank_layout: RankLayout) -> dict[str, Tensor]:
        """Return the terms that compare records with each other, from the vectors of the whole batch."""
        terms: dict[str, Tensor] = {}
        if self.settings.contrastive > 0:
            terms["contrastive"] = self.contrast(outputs, ids, rank_layout)
        if self.settings.orthogonality > 0 and "ecg_specific" in outputs:
            terms["orthogonality"] = self.dependence(outputs, rank_layout)
        return terms

    def cache(self, vectors: Outputs, ids: Tensor, rank_layout: RankLayout) -> Cached | None:
        """Return the terms across records and their gradients with respect to `vectors` and the loss's parameters.

        `vectors` are those of all micro-batches of this rank, one after another. None when no such term is switched on.
        Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup" (GradCache).
        """
        leaves = {name: value.detach().requires_grad_() for name, value in vectors.items()}
        with torch.enable_grad():
            terms = self.terms_across_records(leaves, ids, rank_layout)
            if not terms:
                return None
            inputs = leaves | dict(self.named_parameters(recurse=False))
            values = torch.autograd.grad(self.weighted_sum(terms), [*inputs.values()], allow_unused=True)
        gradients = {name: value for name, value in zip(inputs, values, strict=True) if value is not None}
        return Cached({name: value.detach() for name, value in terms.items()}, gradients)

    def surrogate(self, outputs: Outputs, cached: Cached) -> Tensor:
        """Return a zero whose gradients are the cached ones."""
        inputs = outputs | dict(self.named_parameters(recurse=False))
        product = torch.stack([(inputs[name] * value).sum() for name, value in cached.gradients.items()]).sum()
        return product - product.detach()

    def terms(self, outputs: Outputs, across: Mapping[str, Tensor], rank_layout: RankLayout) -> dict[str, Tensor]:
        """Return every term that is switched on and has its inputs; `across` are the terms across records."""
        weights, share = self.settings, rank_layout.share
        terms: dict[str, Tensor] = {}

        # align the shared features of both modalities
        if "contrastive" in across:
            terms["contrastive"] = across["contrastive"]

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
        if "orthogonality" in across:
            terms["orthogonality"] = across["orthogonality"]

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
