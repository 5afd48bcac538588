"""Owns the losses: pure functions first, then `Objective`, which turns a batch into named terms and their sum."""

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
class Spread:
    """How a global batch lies on the ranks. Every term is scaled so that its mean over ranks is its global value."""

    sizes: tuple[int, ...]
    """Records on each rank."""
    rank: int = 0
    gather: Callable[[Tensor], list[Tensor]] = lambda local: [local]
    """Every rank's rows, with gradients."""

    @property
    def share(self) -> float:
        """Weight of this rank's mean over records."""
        return len(self.sizes) * self.sizes[self.rank] / sum(self.sizes)


def siglip(
    ecg: Tensor, reports: Sequence[Tensor], scale: Tensor, bias: Tensor, own: int, ids: Tensor,
    others: Sequence[Tensor], *, unique: bool,
) -> Tensor:  # fmt: skip
    """Sum of -log sigmoid over all pairs of this rank's ECGs (b, E) with every rank's reports (Zhai et al. 2023).

    Chunk by chunk, so that no matrix is larger than (b, b'). `own` is this rank's place in `reports`; `ids` and
    `others` name the report texts: with `unique`, a pair with an equal text that is not the record's own counts as
    neither match nor negative.
    """
    total = ecg.new_zeros(())
    for rank, (report, other) in enumerate(zip(reports, others, strict=True)):
        logits = ecg @ report.T * scale + bias
        match = torch.eye(*logits.shape, dtype=torch.bool, device=ecg.device) & (rank == own)
        pairs = F.softplus(torch.where(match, -logits, logits))
        if unique:
            pairs = pairs.masked_fill((ids[:, None] == other) & ~match, 0.0)
        total = total + pairs.sum()
    return total


def reconstruction(predicted: Tensor, target: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error of the hidden patches of each record, averaged over records; zero when none is hidden.

    `predicted` and `target` are (B, S, P), `hidden` (B, S).
    """
    weight = hidden.float()
    error = (predicted.float() - target).square().mean(2) * weight
    return (error.sum(1) / weight.sum(1).clamp(min=1)).mean()


def word_loss(logits: Tensor, words: Tensor, counted: Tensor) -> Tensor:
    """Cross-entropy of the hidden words of each report, averaged over reports; (B, K, vocabulary), (B, K), (B, K)."""
    loss = F.cross_entropy(logits.float().flatten(0, 1), words.flatten(), reduction="none").view_as(words)
    weight = counted.float()
    return ((loss * weight).sum(1) / weight.sum(1).clamp(min=1)).mean()


def cosine(shared: Tensor, specific: Tensor) -> Tensor:
    """Mean squared cosine between a record's two parts (B, D)."""
    return F.cosine_similarity(shared, specific, dim=1).square().mean()


def cross_covariance(shared: Tensor, specific: Tensor) -> Tensor:
    """Mean squared correlation between the columns of the two parts (B, D), free of their scale."""
    first, second = (_centred(part) for part in (shared, specific))
    first, second = (part / (part.square().mean(0) + 1e-6).sqrt() for part in (first, second))
    return (first.T @ second / len(first)).square().mean()


def hsic(shared: Tensor, specific: Tensor) -> Tensor:
    """Normalised Hilbert-Schmidt independence with Gaussian kernels of median width (Gretton et al. 2005), in 0..1."""
    first, second = (_centred(_centred(_kernel(part)).T) for part in (shared, specific))
    alignment: Tensor = (first * second).sum() / (first.norm() * second.norm() + 1e-8)
    return alignment


def _kernel(part: Tensor) -> Tensor:
    squared = (part[:, None] - part).square().sum(2)
    return torch.exp(-squared / (squared.detach().median() + 1e-6))


def _centred(part: Tensor) -> Tensor:
    return part - part.mean(0)


class Objective(nn.Module):
    """Model plus losses: `forward` gives every named term, `loss` is their weighted sum."""

    def __init__(self, model: CGDMER, weights: settings.Objective) -> None:
        super().__init__()
        self.model, self.settings = model, weights
        decodes = model.decoder is not None and (weights.ecg_reconstruction > 0 or model.split.ecg is not None)
        if not (decodes or weights.contrastive > 0):
            raise ConfigError(
                "no term of section objective trains the ECG encoder",
                allowed="objective.contrastive above 0, or objective.ecg_reconstruction with masking",
                fix="edit params.yaml",
            )
        if weights.contrastive > 0:
            self.log_scale = nn.Parameter(torch.tensor(math.log(weights.scale)))
            self.bias = nn.Parameter(torch.tensor(float(weights.bias)))

    def noise(self, records: int, generator: torch.Generator) -> Noise:
        return self.model.noise(records, generator)

    def forward(self, batch: Batch, drawn: Noise, spread: Spread | None = None) -> dict[str, Tensor]:
        """Return scalars by name; the ones the settings do not weigh are for the log only."""
        spread = spread or Spread((len(batch["signal"]),))
        out = self.model(batch, drawn)
        with torch.autocast(batch["signal"].device.type, enabled=False):
            terms = self.terms({name: _float(value) for name, value in out.items()}, batch, spread)
        weighed = [
            getattr(self.settings, name) * value for name, value in terms.items() if hasattr(self.settings, name)
        ]
        return {"loss": torch.stack(weighed).sum(), **terms, **self.apart(out, spread)}

    def terms(self, out: Outputs, batch: Batch, spread: Spread) -> dict[str, Tensor]:
        """Every term that is switched on and has what it needs."""
        on, terms = self.settings, {}
        if on.contrastive > 0:
            terms["contrastive"] = self.contrast(out, batch["report"], spread)
        if "predicted" in out:
            terms["ecg_reconstruction"] = spread.share * reconstruction(out["predicted"], out["target"], out["hidden"])
        elif on.ecg_reconstruction > 0:  # nothing is hidden
            terms["ecg_reconstruction"] = out["ecg_shared"].new_zeros(())
        if "word_logits" in out:
            terms["report_reconstruction"] = spread.share * word_loss(
                out["word_logits"], out["words"], out["word_counts"]
            )
        if on.orthogonality > 0 and "ecg_specific" in out:
            terms["orthogonality"] = self.dependence(out, spread)
        if "crossed" in out:
            terms["cross_reconstruction"] = spread.share * reconstruction(out["crossed"], out["target"], out["hidden"])
        return terms

    def contrast(self, out: Outputs, ids: Tensor, spread: Spread) -> Tensor:
        """SigLIP over the global batch, a mean over records; each rank takes its own ECGs."""
        reports, others = spread.gather(out["report_aligned"]), spread.gather(ids)
        total = siglip(
            out["ecg_aligned"], reports, self.log_scale.exp(), self.bias, spread.rank, ids, others,
            unique=self.settings.unique_reports,
        )  # fmt: skip
        return total * (len(spread.sizes) / sum(spread.sizes))

    def dependence(self, out: Outputs, spread: Spread) -> Tensor:
        """Dependence between shared and specific parts, averaged over the modalities that have both."""
        pairs = [
            (out[f"{name}_shared"], out[f"{name}_specific"]) for name in ("ecg", "report") if f"{name}_specific" in out
        ]
        if self.settings.orthogonality_kind == "cosine":
            return spread.share * torch.stack([cosine(*pair) for pair in pairs]).mean()
        kind = {"cross_covariance": cross_covariance, "hsic": hsic}[self.settings.orthogonality_kind]
        gathered = [tuple(torch.cat(spread.gather(part)) for part in pair) for pair in pairs]
        return torch.stack([kind(*pair) for pair in gathered]).mean()

    @torch.no_grad()
    def apart(self, out: Outputs, spread: Spread) -> dict[str, Tensor]:
        """Reconstruction error of limb and chest leads, for the log: limb leads are nearly given by each other."""
        if "predicted" not in out:
            return {}
        limb = torch.arange(out["hidden"].shape[1], device=out["hidden"].device) < LIMB * self.model.columns
        assert out["hidden"].shape[1] == len(LEADS) * self.model.columns
        return {
            f"reconstruction_{name}": spread.share
            * reconstruction(out["predicted"], out["target"], out["hidden"] & leads)
            for name, leads in (("limb", limb), ("chest", ~limb))
        }


def _float(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
