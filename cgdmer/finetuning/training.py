"""Training a classifier on labelled records: binary cross-entropy, layer-wise rates, best epoch on validation."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from cgdmer.training.records import mix_seed, split_micro_batches

PREDICT_BATCH = 256
"""Records that a CPU predicts at once."""
GPU_RECORDS = 32
"""Records that a GPU trains on or predicts at once: 8 GB of activations for the largest model of a profile."""
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
            batch = Labelled(train.rows[positions], train.labels[positions])
            update(classifier, optimiser, signals, batch, settings.clip)
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
    classifier: Classifier, optimiser: torch.optim.AdamW, signals: Signals, batch: Labelled, clip: float
) -> None:
    """Take one step on the mean binary cross-entropy over the records and classes of a batch.

    A GPU gets the batch in micro-batches, each weighted by its share of the records. The gradient is that of the whole
    batch up to rounding, because no term and no layer compares records; with dropout, the division decides which units
    are dropped.
    """
    optimiser.zero_grad(set_to_none=True)
    for positions, share in micro_batches(len(batch.rows), signals.device):
        (mean_loss(classifier, signals(batch.rows[positions]), batch.labels[positions]) * share).backward()
    torch.nn.utils.clip_grad_norm_(classifier.parameters(), clip)
    optimiser.step()


def micro_batches(records: int, device: torch.device) -> list[tuple[np.ndarray, float]]:
    """Return the positions of each micro-batch and its share of the records; a CPU takes all of them at once."""
    number = -(-records // records_at_once(device, records))
    return [(positions, share) for (positions,), share in split_micro_batches(np.arange(records), number, 1)]


def records_at_once(device: torch.device, on_cpu: int) -> int:
    """Return how many records the device takes at once: `on_cpu` on a CPU, whose memory is not the scarce one."""
    return GPU_RECORDS if device.type == "cuda" else on_cpu


def mean_loss(classifier: Classifier, inputs: Inputs, labels: np.ndarray) -> Tensor:
    """Return the mean binary cross-entropy; `labels` are (B, C). TrainingStopped if it is not finite."""
    device = inputs[0].device
    with torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(device)):
        logits = classifier(*inputs).float()
    targets = torch.from_numpy(labels.astype(np.float32)).to(device)  # (B, C)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    if not loss.isfinite():
        raise TrainingStopped(
            "fine-tuning: the loss is not finite",
            allowed="finite numbers",
            fix="lower finetune.lr or finetune.scratch_lr in params.yaml",
        )
    return loss


def uses_bf16(device: torch.device) -> bool:
    """Return True where pretraining with `train.precision: auto` uses bf16."""
    return device.type == "cuda"


@contextmanager
def memory_errors(batch: int) -> Iterator[None]:
    """Raise TrainingStopped, which names `finetune.batch`, when the GPU runs out of memory."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        problem, at_once = str(error).partition(". ")[0].removesuffix("."), min(batch, GPU_RECORDS)
        free = "free memory of the GPU and run it again, which keeps the finished runs"
        smaller = f"set finetune.batch: {at_once // 2} in params.yaml, which begins anew; or " if at_once > 1 else ""
        raise TrainingStopped(
            f"fine-tuning with finetune.batch: {batch}: {problem}",
            allowed=f"{at_once} records at once that fit in GPU memory",
            fix=smaller + free,
        ) from error


@torch.no_grad()
def predict(classifier: Classifier, signals: Signals, rows: np.ndarray) -> np.ndarray:
    """Return logits in eval mode, float32 (n, C), in the order of `rows` (n,)."""
    classifier.eval()
    at_once = records_at_once(signals.device, PREDICT_BATCH)
    batches = [classifier(*signals(rows[begin : begin + at_once])) for begin in range(0, len(rows), at_once)]
    logits: np.ndarray = torch.cat(batches).float().cpu().numpy()
    return logits
