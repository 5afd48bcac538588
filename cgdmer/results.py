"""Result types from the probe to the benchmark page, MLflow and the README: intervals, cells, results and tables.

The fields are the keys of the JSON files in reports/. An interval is turned into text by `Interval` and nowhere else.
"""

from dataclasses import dataclass, field
from typing import SupportsFloat

from cgdmer.json_dataclass import Json

DECIMALS = 6
"""Stored decimals: finer than the change that one record more or less makes."""
WEIGHTS = "weights"
"""Column of the predictions of a random control with the number of the set of weights."""


def rounded(value: SupportsFloat) -> float:
    """Round to the decimals that are stored."""
    return round(float(value), DECIMALS)


@dataclass(frozen=True)
class Interval(Json):
    """A value with the ends of its 95% interval."""

    mean: float
    low: float
    high: float

    def rounded(self) -> "Interval":
        """Return the interval as it is stored."""
        return Interval(rounded(self.mean), rounded(self.low), rounded(self.high))

    def value(self, digits: int = 3, *, signed: bool = False) -> str:
        """Write the value alone: `0.873`, or `+0.873` if signed."""
        return f"{self.mean:{'+' if signed else ''}.{digits}f}"

    def bounds(self, digits: int = 3, *, signed: bool = False) -> str:
        """Write the interval alone: `0.850 to 0.900`."""
        form = f"{'+' if signed else ''}.{digits}f"
        return f"{self.low:{form}} to {self.high:{form}}"

    def text(self, digits: int = 3, *, signed: bool = False) -> str:
        """Write both: `0.873 (0.850 to 0.900)`."""
        return f"{self.value(digits, signed=signed)} ({self.bounds(digits, signed=signed)})"

    def compact(self) -> str:
        """Write both for a narrow column: `0.873 [0.85, 0.90]`."""
        return f"{self.mean:.3f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Cell(Interval):
    """Macro AUROC of one encoder, representation and label fraction on one task."""

    n_test: int
    seeds: int
    """Number of training subsets."""
    protocol: str
    by_weights: list[float] | None = field(default=None, kw_only=True)
    """The value of each set of weights, whose mean this is: random controls and methods pretrained several times."""


@dataclass(frozen=True)
class FinetunedCell(Cell):
    """Macro AUROC of a fine-tuned model."""

    n_train: int
    epoch: list[int]
    """Epoch chosen on validation, by seed."""


@dataclass(frozen=True)
class RobustnessCell(Cell):
    """Macro AUROC with fewer leads or on disturbed records, and its change from twelve clean leads."""

    representation: str
    change: Interval


@dataclass(frozen=True)
class ZeroShotCell(Interval):
    """Zero-shot macro AUROC on one task."""

    n_test: int
    protocol: str
    prompts: str | None = None
    """Name of the prompt set."""
    representation: str | None = None


@dataclass(frozen=True)
class Positional(Json):
    """Macro AUROC when labels are read by position (docs/protocols.md A.3.4)."""

    mean: float
    max_over_test_epochs: float


@dataclass(frozen=True)
class ProbeCell(Interval):
    """A probe of one representation at one label fraction, over its training subsets."""

    seeds: list[int]
    n_test: int
    per_class: dict[str, float] = field(default_factory=dict)
    """AUROC of each class that can be scored."""
    per_class_interval: dict[str, list[float]] = field(default_factory=dict)
    """[low, high] by class."""
    classes_without_train_positive: list[str] = field(default_factory=list)
    n_train: int | None = None
    distinct_subsets: int | None = None
    by_seed: list[float] | None = None
    C: list[float | None] | None = None
    """Chosen inverse L2 strength of each run."""
    untrained_by_seed: list[int] | None = None
    """Number of classes without a training positive, by run."""
    skipped_replicates: int | None = None
    auprc: float | None = None
    f1: float | None = None
    epoch: list[int] | None = None
    """Fine-tuning only: the epoch chosen on validation, by seed."""
    validation: list[float | None] | None = None
    """Macro AUROC of each run on validation, at its chosen C or epoch."""
    by_weights: list[Interval] | None = None
    """Random controls only: macro AUROC of each set of weights, over its training subsets."""
    epochs: int | None = None
    """Published protocols only: epochs trained."""
    max_over_test_epochs: float | None = None
    """Published protocols only: the maximum that their code prints; it is chosen on the test split."""
    positional: Positional | None = None
    """Published protocols on PTB-XL Sub only."""

    def cell(self, protocol: str) -> Cell:
        """Return the numbers that a table shows."""
        means = [one.mean for one in self.by_weights] if self.by_weights else None
        return Cell(self.mean, self.low, self.high, self.n_test, len(self.seeds), protocol, by_weights=means)

    def cells_by_weights(self, protocol: str) -> list[Cell]:
        """Return the numbers of each set of weights of a random control; empty for other encoders."""
        rows = self.by_weights or []
        return [Cell(row.mean, row.low, row.high, self.n_test, len(self.seeds), protocol) for row in rows]


@dataclass(frozen=True)
class ProbeResult(Json):
    """All probes of one encoder on one task."""

    task: str
    protocol: str
    results: dict[str, dict[str, ProbeCell]]
    """By label fraction, then representation; for fine-tuning, what training started from."""
    classes: list[str] = field(default_factory=list)
    classes_left_out: list[str] = field(default_factory=list)
    """Classes without both a positive and a negative test record."""
    test_positives: dict[str, int] = field(default_factory=dict)
    n_train: int | None = None
    n_val: int | None = None
    n_test: int = 0
    n_without_features: int | None = None
    encoder: str | None = None
    split: str | None = None
    """How the corpus is split: published, folds or hash."""
    subset: str | None = None
    """Published protocols only: which training subset was drawn."""
    defects: list[str] | None = None
    """Published protocols only: defects that are reproduced."""


@dataclass(frozen=True)
class Condition(Interval):
    """Macro AUROC of one lead set or disturbance, with its change from twelve clean leads."""

    condition: str
    change: Interval
    n_test: int
    per_class: dict[str, float]


@dataclass(frozen=True)
class RobustnessResult(Json):
    """One encoder on one task with fewer leads and on disturbed test records."""

    encoder: str
    representation: str
    protocol: str
    seeds: list[int]
    n_test: int
    leads: list[Condition]
    """Lead sets; twelve clean leads first."""
    disturbances: list[Condition]


@dataclass(frozen=True)
class PromptSet(Json):
    """Prompts of a zero-shot result."""

    name: str


@dataclass(frozen=True)
class ZeroShotResult(Interval):
    """Zero-shot classification of one task."""

    n_test: int
    protocol: str
    prompts: PromptSet | None = None


@dataclass(frozen=True)
class Direction(Json):
    """Retrieval in one direction."""

    recall: dict[str, float]
    """Share of queries whose match is among the first k, by k."""
    median_rank: float


@dataclass(frozen=True)
class Nearest(Json):
    """A retrieved report."""

    report: str
    score: float
    right: bool


@dataclass(frozen=True)
class Example(Json):
    """A record with the reports nearest to its ECG."""

    id: str
    source: str
    report: str
    nearest: list[Nearest]


@dataclass(frozen=True)
class RetrievalResult(Json):
    """Retrieval between ECGs and reports."""

    n: int
    distinct_reports: int
    chance_recall_at_1: float
    ecg_to_report: Direction
    report_to_ecg: Direction
    sources: list[str]
    examples: list[Example] | None = None


@dataclass(frozen=True)
class DisentanglementResult(Json):
    """What shared and specific features hold: report statements (AUROC) and the hidden signal (squared error)."""

    n: dict[str, int]
    content: dict[str, Interval]
    reconstruction: dict[str, Interval]
    sources: list[str] | None = None
