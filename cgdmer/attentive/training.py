"""Training the probes on stored tokens: AdamW, weight decay and epoch chosen on validation."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from cgdmer.attentive.pooling import AttentivePools
from cgdmer.attentive.results import ATTENTIVE, MEAN
from cgdmer.attentive.token_file import TokenFile
from cgdmer.errors import TrainingStopped
from cgdmer.finetuning.training import order
from cgdmer.probing import metrics
from cgdmer.settings import Attentive

PREDICT_BATCH = 256
"""Records predicted at once."""


@dataclass(frozen=True)
class Standard:
    """Scaling of the tokens, by mean and deviation of the mean token over the training records."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, means: np.ndarray) -> "Standard":
        """Fit on mean tokens (n, D); a constant feature becomes 0, as the linear probe has it."""
        mean, scale = means.mean(axis=0), means.std(axis=0)
        flat = scale <= 1e-6 * np.maximum(np.abs(mean), 1.0)
        return cls(mean.astype(np.float32), np.where(flat, np.inf, scale).astype(np.float32))

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Scale tokens (n, N, D) float32 in place."""
        tokens -= self.mean
        tokens /= self.scale
        return tokens


@dataclass(frozen=True)
class Tokens:
    """Stored tokens as the probes read them."""

    file: TokenFile
    standard: Standard
    device: torch.device

    def __call__(self, records: np.ndarray) -> tuple[Tensor, Tensor]:
        """Return standardised tokens (n, N, D) of some records and which exist, (n, N)."""
        tokens, present = self.file.padded(records)
        return (
            torch.from_numpy(self.standard(tokens)).to(self.device),
            torch.from_numpy(present).to(self.device),
        )


@dataclass
class Best:
    """The best epoch of one pooling so far, over its weight decays."""

    score: float
    """Macro AUROC on validation; -1 before the first epoch."""
    epoch: int
    candidate: int
    """Number of the probe among all K."""
    state: dict[str, Tensor]


@dataclass(frozen=True)
class Chosen:
    """The probe of one pooling that validation chose."""

    epoch: int
    weight_decay: float
    val: np.ndarray
    test: np.ndarray
    """Logits (n, C), float32."""


def train(
    tokens: Tokens, rows: np.ndarray, labels: np.ndarray, val: tuple[np.ndarray, np.ndarray], test: np.ndarray,
    attentive: Attentive, seed: int,
) -> dict[str, Chosen]:  # fmt: skip
    """Train both poolings at every weight decay on the records `rows` with labels (n, C).

    `val` are rows and labels of the validation records, `test` the rows of the test records. Where validation can rank
    nothing, the last epoch of the first weight decay is chosen.
    """
    decays = attentive.weight_decay
    learned = torch.tensor([True] * len(decays) + [False] * len(decays))
    probes = AttentivePools(learned, tokens.file.width, labels.shape[1]).to(tokens.device)
    probes.start_bias(labels)
    optimiser = torch.optim.Adam(probes.parameters(), lr=attentive.lr)
    shrink = 1 - attentive.lr * torch.tensor(decays * 2, device=tokens.device)  # (K,)
    best = {pooling: Best(-1.0, 0, 0, {}) for pooling in (ATTENTIVE, MEAN)}
    passes = -(-attentive.min_updates // -(-len(rows) // attentive.batch))
    for epoch in range(1, attentive.epochs + 1):
        for positions in order(len(rows), passes, attentive.batch, (seed, epoch)):
            update(probes, optimiser, tokens(rows[positions]), labels[positions], shrink)
        scores = score(probes, tokens, *val)
        for place, pooling in enumerate(best):
            keep(best[pooling], scores, range(place * len(decays), (place + 1) * len(decays)), epoch, probes)
        if all(epoch - one.epoch >= attentive.patience for one in best.values()):
            break
    return {name: _chosen(one, probes, tokens, val[0], test, decays) for name, one in best.items()}


def update(
    probes: AttentivePools, optimiser: torch.optim.Adam, inputs: tuple[Tensor, Tensor], labels: np.ndarray,
    shrink: Tensor,
) -> None:  # fmt: skip
    """Take one step of every probe on its own mean binary cross-entropy; `shrink` (K,) is the decay of its weights."""
    logits = probes(*inputs)  # (K, B, C)
    targets = torch.from_numpy(labels.astype(np.float32)).to(logits.device).expand_as(logits)
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=(1, 2)).sum()
    if not loss.isfinite():
        raise TrainingStopped(
            "attentive-pooling probe: the loss is not finite", allowed="finite numbers",
            fix="lower attentive.lr in params.yaml",
        )  # fmt: skip
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    with torch.no_grad():
        probes.query.mul_(shrink[:, None])
        probes.weight.mul_(shrink[:, None, None])
    optimiser.step()


def score(probes: AttentivePools, tokens: Tokens, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the macro AUROC of every probe, (K,); NaN if no class can be scored."""
    return np.array([metrics.macro(metrics.auroc(logits, labels)) for logits in predict(probes, tokens, rows)])


@torch.no_grad()
def predict(probes: AttentivePools, tokens: Tokens, rows: np.ndarray) -> np.ndarray:
    """Return the logits of every probe, float32 (K, n, C)."""
    starts = range(0, len(rows), PREDICT_BATCH)
    batches = [probes(*tokens(rows[begin : begin + PREDICT_BATCH])) for begin in starts]
    logits: np.ndarray = torch.cat(batches, 1).cpu().numpy()
    return logits


def keep(best: Best, scores: np.ndarray, candidates: range, epoch: int, probes: AttentivePools) -> None:
    """Take over the best probe of an epoch if it is better than what was best before, or if none can be ranked."""
    ranked = scores[list(candidates)]
    position = 0 if np.isnan(ranked).all() else int(np.nanargmax(ranked))
    if np.isnan(ranked[position]) or ranked[position] > best.score:
        best.score = -1.0 if np.isnan(ranked[position]) else float(ranked[position])
        best.epoch, best.candidate = epoch, candidates[position]
        best.state = {name: value.detach().clone() for name, value in probes.state_dict().items()}


def _chosen(
    best: Best, probes: AttentivePools, tokens: Tokens, val: np.ndarray, test: np.ndarray, decays: list[float]
) -> Chosen:
    """Predict with the probe of the best epoch."""
    probes.load_state_dict(best.state)
    logits = [predict(probes, tokens, rows)[best.candidate] for rows in (val, test)]
    return Chosen(best.epoch, decays[best.candidate % len(decays)], *logits)
