"""The probe protocols of MERL and MELP on cached features, defects included, so that published rows can be reproduced.

docs/protocols.md B.1, B.2 and B.5. They exist beside the canonical probe and are never the default. Features are cached
in eval mode, which is exact for MELP and for MERL's ViT. Two details are not reproduced: the BatchNorm statistics of
MERL's ResNet, which drift during its probe, and training in half precision.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, linear_probe, metrics, subsets
from cgdmer.probing.cohort import Cohort, Split, scorable
from cgdmer.probing.solver import sigmoid
from cgdmer.results import Positional, ProbeCell, ProbeResult, rounded
from cgdmer.settings import Probe

SEED = 42
EPOCHS = 100
CROSSED = ("AVB", "RAO/RAE", "ISC"), ("ISC", "AVB", "RAO/RAE")
"""Columns 10 to 12 of PTB-XL Sub in the training table, and in the validation and test tables
(docs/protocols.md A.3.4)."""


@dataclass(frozen=True)
class Protocol:
    """How a published probe trains and scores its linear layer."""

    batch: int
    decoupled: bool
    """True for AdamW's decay of weights, False for Adam's penalty in the gradient."""
    rate: Callable[[int, int, int], float]
    """Learning rate by (update, epoch, scheduler steps so far)."""
    patience: int | None
    """Epochs without a better validation AUROC before training stops."""
    softmax: bool
    """Score with softmax over classes although training is by binary cross-entropy."""
    subset: Callable[[int, float], np.ndarray]
    defects: tuple[str, ...]


def _merl_rate(update: int, epoch: int, steps: int) -> float:
    """Fall tenfold after 40 scheduler steps: one per update and one more per epoch."""
    return 1e-3 if steps < 40 else 1e-4


def _melp_rate(update: int, epoch: int, steps: int) -> float:
    """Cosine from 1e-3 to 1e-5 over 100 epochs, one step per epoch."""
    return 1e-5 + (1e-3 - 1e-5) * (1.0 + float(np.cos(np.pi * epoch / EPOCHS))) / 2.0


PROTOCOLS = {
    "merl": Protocol(
        batch=16,
        decoupled=False,
        rate=_merl_rate,
        patience=None,
        softmax=False,
        subset=subsets.merl,
        defects=(
            "learning rate falls after 40 updates: the epoch scheduler is stepped every iteration",
            "one seed and one subset",
            "features are not standardised",
            "the published code prints the maximum test AUROC over epochs: `max_over_test_epochs` here, not `mean`",
            "labels of PTB-XL Sub are read by position: `positional` here",
        ),
    ),
    "melp": Protocol(
        batch=128,
        decoupled=True,
        rate=_melp_rate,
        patience=5,
        softmax=True,
        subset=subsets.melp,
        defects=(
            "softmax over classes is scored although training is by binary cross-entropy",
            "patience 5 may stop a 1 % run after a few updates",
            "one seed and one subset",
            "features are not standardised",
            "labels of PTB-XL Sub are read by position: `positional` here",
        ),
    ),
}


def evaluate(
    cohort: Cohort, features: Mapping[str, np.ndarray], probe: Probe, published: pl.DataFrame | None
) -> tuple[ProbeResult, pl.DataFrame]:
    """Probe as `probe.protocol` says; `published` is the split table in CSV order, which decides the subset."""
    protocol = PROTOCOLS[probe.protocol]
    counts = bootstrap.draws(len(cohort.test.ids), probe.bootstrap)
    order, subset = training_order(cohort, published)
    results: dict[str, dict[str, ProbeCell]] = {}
    tables = []
    for fraction in probe.fractions:
        rows = order[protocol.subset(len(order), fraction)]
        rows = rows[rows >= 0]
        if not len(rows):
            raise DataError(
                f"{cohort.task}: {probe.protocol} draws no record at {fraction:g} of {len(order)}",
                fix="take that fraction out of probe.fractions in params.yaml",
            )
        for name, matrix in features.items():
            history = train(protocol, cohort, matrix, rows)
            run = history.chosen(rows, cohort.val.labels)
            crossed = cohort.task == "ptb_xl_sub" and set(CROSSED[0]) <= set(cohort.classes)
            results.setdefault(str(fraction), {})[name] = replace(
                linear_probe.summarise(cohort, [run], counts, [SEED]),
                max_over_test_epochs=rounded(max(history.aurocs(cohort.test.labels, "test"))),
                epochs=len(history.val),
                positional=positional(protocol, cohort, matrix, rows) if crossed else None,
            )
            tables.append(linear_probe.predictions(cohort, run, fraction, name))
    head = linear_probe.head(cohort, probe.protocol)
    return ProbeResult(results=results, subset=subset, defects=list(protocol.defects), **head), pl.concat(tables)


def training_order(cohort: Cohort, published: pl.DataFrame | None) -> tuple[np.ndarray, str]:
    """Return positions of the training split in the published CSV's order, -1 for a quarantined record, and its name.

    The order of the index is used instead if there is no published table or the corpus lacks most of its records.
    """
    positions = {name: row for row, name in enumerate(cohort.train.ids)}
    if published is not None:
        listed = published.filter(pl.col("split") == "train")["id"].to_list()
        order = np.array([positions.get(name, -1) for name in listed])
        if (order >= 0).sum() == len(positions) > 0.9 * len(order):
            return order, "published"
    return np.arange(len(positions)), "same draw from this corpus, not the published records"


@dataclass
class History:
    """Scores on validation and test after every epoch."""

    val: list[np.ndarray] = field(default_factory=list)
    test: list[np.ndarray] = field(default_factory=list)

    def aurocs(self, labels: np.ndarray, split: str) -> list[float]:
        """Return the macro AUROC of each epoch; 0 if no class can be scored."""
        scored = scorable(labels)
        scores = self.val if split == "val" else self.test
        if not scored.any():
            return [0.0] * len(scores)
        return [metrics.macro(metrics.auroc(score[:, scored], labels[:, scored])) for score in scores]

    def chosen(self, rows: np.ndarray, labels: np.ndarray) -> linear_probe.Run:
        """Return the scores of the epoch that is best on validation."""
        best = int(np.argmax(self.aurocs(labels, "val")))
        return linear_probe.Run(SEED, rows, None, self.val[best], self.test[best])


def positional(protocol: Protocol, cohort: Cohort, features: np.ndarray, rows: np.ndarray) -> Positional:
    """Score with labels read by position: three outputs of Sub are compared with other classes' labels.

    Early stopping reads them so too, and may thus stop at another epoch.
    """
    crossed = list(range(len(cohort.classes)))
    for trained, read in zip(*CROSSED, strict=True):
        crossed[cohort.classes.index(trained)] = cohort.classes.index(read)
    val, test = cohort.val.labels[:, crossed], cohort.test.labels[:, crossed]
    history, scored = train(protocol, cohort, features, rows, watched=val), scorable(test)
    run = history.chosen(rows, val)
    mean = rounded(metrics.macro(metrics.auroc(run.test[:, scored], test[:, scored])))
    return Positional(mean, rounded(max(history.aurocs(test, "test"))))


def train(
    protocol: Protocol, cohort: Cohort, features: np.ndarray, rows: np.ndarray, watched: np.ndarray | None = None
) -> History:  # fmt: skip
    """Train a linear layer by mini-batches and score it after every epoch.

    `watched` are the validation labels (V, C) that decide early stopping, by default those of the cohort.
    """
    watched = cohort.val.labels if watched is None else watched
    splits: tuple[Split, Split, Split] = (cohort.train, cohort.val, cohort.test)
    X, val, test = (_with_ones(features[split.rows]) for split in splits)
    X, Y = X[rows], cohort.train.labels[rows].astype(np.float32)
    rng = np.random.default_rng(SEED)
    bound = 1.0 / np.sqrt(X.shape[1] - 1)
    layer = Layer(rng.uniform(-bound, bound, (X.shape[1], Y.shape[1])).astype(np.float32), protocol.decoupled)
    history, steps, update, best, waited = History(), 0, 0, -1.0, 0
    for epoch in range(EPOCHS):
        for batch in _batches(rng, len(X), protocol.batch):
            layer.step(X[batch], Y[batch], protocol.rate(update, epoch, steps))
            update, steps = update + 1, steps + 1
        steps += 1
        score = _softmax if protocol.softmax else np.asarray
        history.val.append(score(val @ layer.weights))
        history.test.append(score(test @ layer.weights))
        now = History(val=history.val[-1:]).aurocs(watched, "val")[0]
        best, waited = (now, 0) if now > best else (best, waited + 1)
        if protocol.patience is not None and waited >= protocol.patience:
            break
    return history


@dataclass
class Layer:
    """A linear layer, last row its bias, under Adam (penalty in the gradient) or AdamW (decoupled decay) of 1e-4."""

    weights: np.ndarray
    decoupled: bool
    count: int = 0
    decay: float = 1e-4

    def __post_init__(self) -> None:
        self.first, self.second = np.zeros_like(self.weights), np.zeros_like(self.weights)

    def step(self, X: np.ndarray, Y: np.ndarray, rate: float) -> None:
        """Take one update on binary cross-entropy averaged over records and classes, as PyTorch defines them."""
        gradient = X.T @ (sigmoid(X @ self.weights) - Y) / Y.size
        if self.decoupled:
            self.weights *= 1.0 - rate * self.decay
        else:
            gradient += self.decay * self.weights
        self.count += 1
        self.first += 0.1 * (gradient - self.first)
        self.second += 0.001 * (gradient**2 - self.second)
        size = np.sqrt(self.second / (1.0 - 0.999**self.count)) + 1e-8
        self.weights -= rate / (1.0 - 0.9**self.count) * self.first / size


def _with_ones(features: np.ndarray) -> np.ndarray:
    return np.column_stack([features, np.ones(len(features), np.float32)]).astype(np.float32)


def _batches(rng: np.random.Generator, n: int, size: int) -> Iterator[np.ndarray]:
    order = rng.permutation(n)
    return (order[begin : begin + size] for begin in range(0, n, size))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares
