"""Owns training a classifier on labelled records: binary cross-entropy, layer decay, the best epoch on validation."""

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
from cgdmer.training.records import mixed
from cgdmer.training.schedule import rate

MEASURED = 256
"""Records scored at once."""
Inputs = tuple[Tensor, Tensor, Tensor]


class Signals:
    """Rows of shards as a classifier reads them, cut to the longest record asked for."""

    def __init__(self, shards: Shards, device: torch.device) -> None:
        columns = shards.columns("valid", "missing")
        self.shards, self.device = shards, device
        self.valid = columns["valid"].to_numpy()
        self.missing = lead_flags(columns["missing"].to_numpy(), len(shards.leads))

    def __call__(self, rows: np.ndarray) -> Inputs:
        """Return int16 microvolt (B, 12, T), valid samples (B,), missing leads (B, 12); a lead of zeros is missing."""
        valid = self.valid[rows].astype(np.int64)
        signal = self.shards.gather(rows)[:, :, : int(valid.max())]
        flat = np.asarray(~signal.any(axis=2))
        missing = self.missing[rows] | (flat & ~flat.all(axis=1, keepdims=True))
        parts = (torch.from_numpy(part) for part in (np.ascontiguousarray(signal), valid, missing))
        first, second, third = (part.to(self.device) for part in parts)
        return first, second, third


@dataclass(frozen=True)
class Labelled:
    """Rows of the shards and their labels (n, C)."""

    rows: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """Which epoch was kept, counted from 1, and the validation score after each."""

    epoch: int
    scores: list[float]


def fit(
    classifier: Classifier, read: Signals, train: Labelled, val: np.ndarray, score: Callable[[np.ndarray], float],
    settings: Finetune, *, peak: float, decay: float, seed: int,
) -> Fitted:  # fmt: skip
    """Train in place and leave the weights of the epoch whose logits on the rows `val` score highest.

    `peak` is the head's highest rate; `decay` scales a layer's once for each layer above it. A score of NaN says that
    validation cannot tell epochs apart: then all of them are run and the last counts. Raises TrainingStopped for a loss
    that is not finite.
    """
    set_precision()
    start_bias(classifier, train.labels)
    optimiser, scales = layered(classifier, settings, decay)
    passes, steps = plan(len(train.rows), settings)
    best, kept, scores = -1.0, copy.deepcopy(classifier.state_dict()), list[float]()
    for epoch in range(settings.epochs):
        classifier.train()
        for number, positions in enumerate(order(len(train.rows), passes, settings.batch, (seed, epoch))):
            for group, scale in zip(optimiser.param_groups, scales, strict=True):
                group["lr"] = scale * rate(epoch * steps + number, steps * settings.epochs, peak, settings.warmup)
            torch.manual_seed(mixed(seed, "dropout", epoch, number))
            update(classifier, optimiser, read(train.rows[positions]), train.labels[positions], settings.clip)
        scores.append(score(predict(classifier, read, val)))
        if math.isnan(scores[-1]) or scores[-1] > best:
            best, kept = scores[-1], copy.deepcopy(classifier.state_dict())
        elif len(scores) - 1 - int(np.argmax(scores)) >= settings.patience:
            break
    classifier.load_state_dict(kept)
    known = not any(map(math.isnan, scores))
    return Fitted(int(np.argmax(scores)) + 1 if known else len(scores), scores)


def start_bias(classifier: Classifier, labels: np.ndarray) -> None:
    """Start each logit at the log odds of its class, so that the first steps do not go into learning them."""
    share = (labels.sum(axis=0) + 0.5) / (len(labels) + 1.0)
    with torch.no_grad():
        classifier.head.bias.copy_(torch.from_numpy(np.log(share / (1 - share))))


def layered(classifier: Classifier, settings: Finetune, decay: float) -> tuple[torch.optim.AdamW, list[float]]:
    """Return AdamW with a group a layer and kind of parameter, and each group's share of the rate; norms keep size."""
    groups: dict[tuple[int, bool], list[Tensor]] = {}
    for name, parameter in classifier.named_parameters():
        decayed = parameter.ndim > 1 and not name.endswith("places.lead.weight")
        groups.setdefault((classifier.depth_of(name), decayed), []).append(parameter)
    keys = sorted(groups)
    chosen = [{"params": groups[key], "weight_decay": settings.weight_decay * key[1]} for key in keys]
    return torch.optim.AdamW(chosen, lr=settings.lr, betas=(0.9, 0.98)), [decay**depth for depth, _ in keys]


def plan(records: int, settings: Finetune) -> tuple[int, int]:
    """Return passes and updates an epoch: a pass over few labels is too short to be stopped on, so several make one."""
    steps = -(-records // settings.batch)
    passes = max(1, -(-settings.min_updates // steps))
    return passes, passes * steps


def order(records: int, passes: int, batch: int, seed: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield positions: every record once a pass, in batches whose sizes differ by at most one."""
    for number in range(passes):
        shuffled = np.random.default_rng(mixed("fine-tuning", *seed, number)).permutation(records)
        yield from np.array_split(shuffled, -(-records // batch))


def update(
    classifier: Classifier, optimiser: torch.optim.AdamW, inputs: Inputs, labels: np.ndarray, clip: float
) -> None:
    """Take one step on the mean binary cross-entropy over records and classes."""
    logits = classifier(*inputs)
    wanted = torch.from_numpy(labels.astype(np.float32)).to(logits.device)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
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
def predict(classifier: Classifier, read: Signals, rows: np.ndarray) -> np.ndarray:
    """Return logits float32 (n, C) in eval mode."""
    classifier.eval()
    parts = [classifier(*read(rows[begin : begin + MEASURED])) for begin in range(0, len(rows), MEASURED)]
    logits: np.ndarray = torch.cat(parts).float().cpu().numpy()
    return logits
