"""`Objective` turns a batch into named terms and their weighted sum.

A term that reads reports is a mean over the records of the whole batch that have a report.

Letters: B records (b on this rank), L leads, N patch columns, K statements of the step, D feature width, F width of
pooled ECG features, E width of the aligned space, M measurements or amplitudes.
"""

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.models.cgdmer import CGDMER, Batch, Outputs
from cgdmer.models.masking import Noise
from cgdmer.objectives.alignment import siglip, statement_loss
from cgdmer.objectives.augmentation import Augmentation
from cgdmer.objectives.dependence import cosine, cross_covariance, hsic
from cgdmer.objectives.prediction import measurement_loss, reconstruction, word_loss
from cgdmer.objectives.ranks import Cached, RankLayout
from cgdmer.objectives.targets import AMPLITUDES, MEASUREMENTS
from cgdmer.signals.leads import LIMB

PREDICTED = {"measurements": MEASUREMENTS, "amplitudes": AMPLITUDES}
"""Terms that predict measured values of a record linearly, and what they predict."""
SHARES = {"has_report": "report_share", **{f"known_{name}": f"known_{name}_share" for name in PREDICTED}}
"""Facts of each record (b,), and the logged term that is their mean over the whole batch: the share of records with a
report, and the shares of measured values that are known. Terms that not every record has are divided by it."""
VECTORS = ("ecg_aligned", "report_aligned", "ecg_shared", "ecg_specific", "report_shared", "report_specific", *SHARES)
"""What the terms across records read, one row per record."""
SMALLEST_SHARE = 1e-6
"""A term that no record of a step has is zero, not zero divided by zero."""
STATEMENT_SCALE, STATEMENT_BIAS = 10.0, -3.0
"""Initial inverse temperature and bias of the loss over statements; both are learned."""


class Objective(nn.Module):
    """Model plus losses: `forward` returns every named term and `loss`, their weighted sum."""

    def __init__(
        self, model: CGDMER, weights: settings.Objective, augmentation: settings.Augmentation | None = None
    ) -> None:
        """`augmentation` disturbs what the ECG encoder reads in training; None for nothing."""
        super().__init__()
        self.model, self.settings = model, weights
        predicts_patches = model.ecg_decoder is not None
        reads_patches = weights.ecg_reconstruction > 0 or model.disentangler.ecg_specific is not None
        if not ((predicts_patches and reads_patches) or weights.aligned or weights.measured):
            raise ConfigError(
                "no term of section objective trains the ECG encoder",
                allowed="contrastive, statements, measurements, amplitudes above 0, or ecg_reconstruction with masking",
                fix="edit params.yaml",
            )
        if weights.contrastive > 0:
            self.log_scale = nn.Parameter(torch.tensor(math.log(weights.scale)))
            self.bias = nn.Parameter(torch.tensor(float(weights.bias)))
        if weights.statements > 0:
            self.statement_log_scale = nn.Parameter(torch.tensor(math.log(STATEMENT_SCALE)))
            self.statement_bias = nn.Parameter(torch.tensor(STATEMENT_BIAS))
        # Not part of the saved model: a ridge probe on its features fits such a head in a second, for any data.
        self.heads = nn.ModuleDict(
            {name: _head(model, len(columns)) for name, columns in PREDICTED.items() if getattr(weights, name) > 0}
        )
        disturbs = augmentation is not None and augmentation.on
        self.augmentation = Augmentation(augmentation, model.signal) if augmentation and disturbs else None

    def draw_noise(self, records: int, generator: torch.Generator) -> Noise:
        """Draw the random numbers behind the masks and disturbances of `records` records."""
        noise = self.model.draw_noise(records, generator)
        return noise if self.augmentation is None else noise | self.augmentation.draw(records, generator)

    def forward(
        self, batch: Batch, noise: Noise, rank_layout: RankLayout | None = None, cached: Cached | None = None, *,
        only_vectors: bool = False,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Return scalars by name. Names without a weight in the settings are for the log only.

        For a micro-batch, `cached` holds the terms across records. With `only_vectors`, return the vectors (b, D) and
        (b, E) that those terms compare.
        """
        rank_layout = rank_layout or RankLayout((len(batch["signal"]),))
        disturbed = None
        if self.training and self.augmentation is not None:
            batch = self.augmentation.shifted(batch, noise)
            disturbed = self.augmentation(batch, noise)
        outputs = self.model(batch, noise, disturbed) | self.facts(batch)
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

    def facts(self, batch: Batch) -> Outputs:
        """Return what the terms read of a batch; ConfigError when the source of its records lacks a field."""
        facts: Outputs = {}
        if "has_report" in batch:
            facts["has_report"] = batch["has_report"].float()  # (b,)
        if self.settings.statements > 0:
            if "statement_tokens" not in batch or "stated" not in batch:
                raise _lacking("statements", "single statements")
            facts["stated"] = batch["stated"]  # (b, K)
        for name in self.heads:
            if (values := batch.get(name)) is None:
                raise _lacking(name, name)
            facts[name] = cast(Tensor, values)  # (b, M)
            facts[f"known_{name}"] = (~facts[name].isnan()).float().mean(1)  # (b,)
        return facts

    def weighted_sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the sum of the terms that have a weight in the settings."""
        return torch.stack(
            [getattr(self.settings, name) * value for name, value in terms.items() if hasattr(self.settings, name)]
        ).sum()

    def terms_across_records(self, outputs: Outputs, ids: Tensor, rank_layout: RankLayout) -> dict[str, Tensor]:
        """Return the terms that compare records with each other, from the vectors of the whole batch."""
        terms = {
            share: torch.cat(rank_layout.gather(outputs[name])).mean().clamp(min=SMALLEST_SHARE)
            for name, share in SHARES.items()
            if name in outputs
        }
        if self.settings.contrastive > 0:
            terms["contrastive"] = self.contrast(outputs, ids, rank_layout) / terms.get("report_share", 1.0)
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
            if not terms.keys() - SHARES.values():
                return Cached({name: value.detach() for name, value in terms.items()}, {})
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
        weights, share, report_share = self.settings, rank_layout.share, across.get("report_share", 1.0)
        terms: dict[str, Tensor] = {}

        # align the shared features of both modalities, and those of the ECG with single statements
        if "contrastive" in across:
            terms["contrastive"] = across["contrastive"]
        if weights.statements > 0:
            losses = statement_loss(
                outputs["ecg_aligned"], outputs["statement_aligned"], outputs["stated"],
                self.statement_log_scale.exp(), self.statement_bias,
            )  # (b,)  # fmt: skip
            terms["statements"] = share * _of_reports(losses, outputs).mean() / report_share

        # predict measurements and amplitudes
        for name, head in self.heads.items():
            losses = measurement_loss(head(outputs["ecg_pooled"]), outputs[name])  # (b,)
            terms[name] = share * losses.mean() / across[f"known_{name}_share"]

        # reconstruct the hidden patches and words
        if "predicted_patches" in outputs:
            terms["ecg_reconstruction"] = share * reconstruction(
                outputs["predicted_patches"], outputs["target_patches"], outputs["hidden_patches"]
            )
        elif weights.ecg_reconstruction > 0:  # nothing is hidden
            terms["ecg_reconstruction"] = outputs["ecg_shared"].new_zeros(())
        if "word_logits" in outputs:
            hidden_words = _of_reports(outputs["hidden_words"], outputs)  # (b, number of hidden words)
            words = word_loss(outputs["word_logits"], outputs["target_words"], hidden_words)
            terms["report_reconstruction"] = share * words / report_share

        # keep shared and specific features independent
        if "orthogonality" in across:
            terms["orthogonality"] = across["orthogonality"]

        # reconstruct the hidden patches with the shared features of the report
        if "cross_predicted_patches" in outputs:
            hidden_patches = _of_reports(outputs["hidden_patches"], outputs)  # (b, L*N)
            error = reconstruction(outputs["cross_predicted_patches"], outputs["target_patches"], hidden_patches)
            terms["cross_reconstruction"] = share * error / report_share
        return terms | {name: across[name] for name in SHARES.values() if name in across}

    def contrast(self, outputs: Outputs, ids: Tensor, rank_layout: RankLayout) -> Tensor:
        """Return SigLIP over the global batch, summed over the records that have a report and divided by all records.

        Each rank computes the rows of its own ECGs.
        """
        ecg, reports = outputs["ecg_aligned"], rank_layout.gather(outputs["report_aligned"])
        ids_by_rank = rank_layout.gather(ids)
        if "has_report" in outputs:
            chosen = [rows.bool() for rows in rank_layout.gather(outputs["has_report"])]  # (b',) of each rank
            ecg, ids = ecg[chosen[rank_layout.rank]], ids[chosen[rank_layout.rank]]
            reports = [report[rows] for report, rows in zip(reports, chosen, strict=True)]
            ids_by_rank = [other[rows] for other, rows in zip(ids_by_rank, chosen, strict=True)]
        total = siglip(
            ecg, reports, self.log_scale.exp(), self.bias, rank_layout.rank, ids, ids_by_rank,
            unique=self.settings.unique_reports,
        )  # fmt: skip
        return total * (len(rank_layout.sizes) / sum(rank_layout.sizes))

    def dependence(self, outputs: Outputs, rank_layout: RankLayout) -> Tensor:
        """Return the dependence between shared and specific features, averaged over the modalities that have both.

        That of reports is zero if no record has one.
        """
        pairs = {
            modality: (outputs[f"{modality}_shared"], outputs[f"{modality}_specific"])
            for modality in ("ecg", "report")
            if f"{modality}_specific" in outputs
        }
        if self.settings.orthogonality_kind == "cosine" and "has_report" not in outputs:
            return rank_layout.share * torch.stack([cosine(*pair) for pair in pairs.values()]).mean()
        gathered = {
            modality: tuple(torch.cat(rank_layout.gather(features)) for features in pair)
            for modality, pair in pairs.items()
        }
        if "has_report" in outputs and "report" in gathered:
            rows = torch.cat(rank_layout.gather(outputs["has_report"])).bool()  # (B,)
            gathered["report"] = tuple(features[rows] for features in gathered["report"])
        measures = {"cosine": cosine, "cross_covariance": cross_covariance, "hsic": hsic}
        measure = measures[self.settings.orthogonality_kind]
        return torch.stack([measure(*pair) if len(pair[0]) else pair[0].sum() for pair in gathered.values()]).mean()

    @torch.no_grad()
    def errors_by_leads(self, outputs: Outputs, rank_layout: RankLayout) -> dict[str, Tensor]:
        """Return the reconstruction errors of limb and of chest leads, for the log.

        They differ because any two limb leads determine the other four. A record that hides no patch of these leads
        counts as 0, as happens with light masks, so that micro-batches and ranks add up.
        """
        if "predicted_patches" not in outputs:
            return {}
        hidden = outputs["hidden_patches"]  # (B, L*N)
        limb = (self.model.token_leads < LIMB).repeat_interleave(self.model.columns)  # (L*N,)
        return {
            f"reconstruction_{name}": rank_layout.share
            * reconstruction(outputs["predicted_patches"], outputs["target_patches"], hidden & leads)
            for name, leads in (("limb", limb), ("chest", ~limb))
        }


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _of_reports(values: Tensor, outputs: Outputs) -> Tensor:
    """Set losses (b,) to zero, or masks (b, S) to False, in records without report."""
    if "has_report" not in outputs:
        return values
    has_report = outputs["has_report"].to(values.dtype)  # (b,)
    return values * has_report if values.ndim == 1 else values & has_report[:, None]


def _head(model: CGDMER, columns: int) -> nn.Linear:
    """Return a linear map from pooled features that predicts the mean at first."""
    head = nn.Linear(model.settings.pooled_width, columns)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _lacking(name: str, what: str) -> ConfigError:
    """Return the error for a term whose input the source of records does not give."""
    return ConfigError(
        f"objective.{name} is above 0, but these records come without {what}",
        fix=f"set objective.{name}: 0.0 in params.yaml",
    )
