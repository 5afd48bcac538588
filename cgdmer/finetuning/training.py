"""Training a classifier on labelled records: binary cross-entropy, layer-wise rates, best epoch on validation."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cgdmer.errors import TrainingStopped
from cgdmer.finetuning.classifier import Classifier
from cgdmer.settings import Finetune
from cgdmer.shards import Shards
from cgdmer.shards.batches import lead_flags
from cgdmer.training.engine import set_precision
from cgdmer.training.optimiser import learning_rate
from cgdmer.training.records import mix_seed

PREDICT_BATCH = 256
"""Records predicted at once."""
Inputs = tuple[Tensor, Tensor, Tensor]
"""int16 microvolt (B, 12, T), valid samples (B,) and missing leads (B, 12)."""


class Signals:
    """Rows of shards as inputs of a classifier, cut to the longest of the requested records."""

    def __init__(self, shards: Shards, device: torch.device) -> None:
        columns = shards.columns("valid", "missing")
        self.shards, self.device = shards, device
        self.valid = columns["valid"].to_numpy()
        self.missing = lead_flags(columns["missing"].to_numpy(), len(shards.leads))

    def __call__(self, rows: np.ndarray) -> Inputs:
        """Return the inputs of B rows; a lead of zeros counts as missing."""
        valid = self.valid[rows].astype(np.int64)
        signal = self.shards.gather(rows)[:, :, : int(valid.max())]
        flat = np.asarray(~signal.any(axis=2))
        missing = self.missing[rows] | (flat & ~flat.all(axis=1, keepdims=True))
        return (
            torch.from_numpy(np.ascontiguousarray(signal)).to(self.device),
            torch.from_numpy(valid).to(self.device),
            torch.from_numpy(missing).to(self.device),
        )


@dataclass(frozen=True)
class Labelled:
    """Rows of the shards and their labels (n, C)."""

    rows: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """The selected epoch and the validation scores."""

    epoch: int
    """Counted from 1."""
    scores: list[float]
    """Validation score after each epoch."""


def fit(
    classifier: Classifier, signals: Signals, train: Labelled, val: np.ndarray, score: Callable[[np.ndarray], float],
    settings: Finetune, *, peak: float, decay: float, seed: int,
) -> Fitted:  # fmt: skip
    """Train in place, then load the weights of the epoch whose logits on the rows `val` score highest.

    `peak` is the highest learning rate of the head; `decay` multiplies the rate of a layer once for each layer above
    it. A NaN score means that validation cannot rank epochs: then all epochs run and the last one is selected. Raises
    TrainingStopped for a loss that is not finite.
    """
    set_precision()
    start_bias(classifier, train.labels)
    optimiser, scales = layerwise_adamw(classifier, settings, decay)
    passes, steps = plan(len(train.rows), settings)
    best_score, best_state, scores = -1.0, copy.deepcopy(classifier.state_dict()), list[float]()
    for epoch in range(settings.epochs):
        classifier.train()
        for number, positions in enumerate(order(len(train.rows), passes, settings.batch, (seed, epoch))):
            for group, scale in zip(optimiser.param_groups, scales, strict=True):
                step = epoch * steps + number
                group["lr"] = scale * learning_rate(step, steps * settings.epochs, peak, settings.warmup)
            torch.manual_seed(mix_seed(seed, "dropout", epoch, number))
            update(classifier, optimiser, signals(train.rows[positions]), train.labels[positions], settings.clip)
        scores.append(score(predict(classifier, signals, val)))
        if math.isnan(scores[-1]) or scores[-1] > best_score:
            best_score, best_state = scores[-1], copy.deepcopy(classifier.state_dict())
        elif len(scores) - 1 - int(np.argmax(scores)) >= settings.patience:
            break
    classifier.load_state_dict(best_state)
    ranked = not any(map(math.isnan, scores))
    return Fitted(int(np.argmax(scores)) + 1 if ranked else len(scores), scores)


def start_bias(classifier: Classifier, labels: np.ndarray) -> None:
    """Start each logit at the log odds of its class, so that no steps are spent on learning them."""
    frequency = (labels.sum(axis=0) + 0.5) / (len(labels) + 1.0)
    with torch.no_grad():
        classifier.head.bias.copy_(torch.from_numpy(np.log(frequency / (1 - frequency))))


def layerwise_adamw(classifier: Classifier, settings: Finetune, decay: float) -> tuple[torch.optim.AdamW, list[float]]:
    """Return AdamW with parameter groups per layer, and the factor of each group's learning rate.

    Biases, norms and the lead embedding have no weight decay, so they are in groups of their own.
    """
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, parameter in classifier.named_parameters():
        decayed = parameter.ndim > 1 and not name.endswith("position_embed.lead.weight")
        groups.setdefault((classifier.layers_above(name), decayed), []).append(parameter)
    keys = sorted(groups)
    parameters = [{"params": groups[key], "weight_decay": settings.weight_decay * key[1]} for key in keys]
    return torch.optim.AdamW(parameters, lr=settings.lr, betas=(0.9, 0.98)), [decay**depth for depth, _ in keys]


def plan(records: int, settings: Finetune) -> tuple[int, int]:
    """Return passes over the records and updates per epoch; passes repeat until there are `min_updates` updates."""
    steps = -(-records // settings.batch)
    passes = max(1, -(-settings.min_updates // steps))
    return passes, passes * steps


def order(records: int, passes: int, batch: int, seed: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield positions in batches whose sizes differ by at most one; every pass shows each record once."""
    for number in range(passes):
        shuffled = np.random.default_rng(mix_seed("fine-tuning", *seed, number)).permutation(records)
        yield from np.array_split(shuffled, -(-records // batch))


def update(
    classifier: Classifier, optimiser: torch.optim.AdamW, inputs: Inputs, labels: np.ndarray, clip: float
) -> None:
    """Take one step on the mean binary cross-entropy over records and classes; `labels` are (B, C)."""
    logits = classifier(*inputs)
    targets = torch.from_numpy(labels.astype(np.float32)).to(logits.device)  # (B, C)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    if not loss.isfinite():
        raise TrainingStopped(
            "fine-tuning: the loss is not finite",
            allowed="finite numbers",
            fix="lower finetune.lr or finetune.scratch_lr in params.yaml",
        )
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(classifier.parameters(), clip)
    optimiser.step()


@torch.no_grad()
def predict(classifier: Classifier, signals: Signals, rows: np.ndarray) -> np.ndarray:
    """Return logits in eval mode, float32 (n, C), in the order of `rows` (n,)."""
    classifier.eval()
    starts = range(0, len(rows), PREDICT_BATCH)
    batches = [classifier(*signals(rows[begin : begin + PREDICT_BATCH])) for begin in starts]
    logits: np.ndarray = torch.cat(batches).float().cpu().numpy()
    return logits
