"""Types of `reports/real.json`: every number of the evaluation on sets of real recordings."""

from dataclasses import dataclass, field

from cgdmer.evaluation.intervals import Measured
from cgdmer.json_dataclass import Json
from cgdmer.results import Interval


@dataclass(frozen=True)
class RealCell(Interval):
    """Macro AUROC of out-of-fold scores, mean over the sets of weights of a random control."""

    per_class: dict[str, float]
    by_weights: list[float] | None = None
    """Value of each set of weights; None with one set."""


@dataclass(frozen=True)
class RealDifference(Interval):
    """Macro AUROC of one encoder minus that of another, on the same records."""

    share_above: float
    """Share of replicates in which the first is better."""
    p: float
    """Two-sided, not adjusted."""
    detectable: float
    """Smallest difference that these records would show with 80 % power at alpha 0.05."""


ZERO_SHOT = "zero-shot"
"""No label at all: cosine of the ECG's aligned vector and the prompt of a class."""
SIMULATED = "simulated"
"""No label of a real recording: the probe was fitted on the simulated corpus of the same task."""


def by_labels(kind: str) -> int:
    """Sort key of ZERO_SHOT, SIMULATED and numbers of labelled records."""
    return -1 if kind == ZERO_SHOT else 0 if kind == SIMULATED else int(kind)


@dataclass(frozen=True)
class FewLabels(Json):
    """One task with the same few labels for every encoder, pooled features; aligned ones for zero-shot."""

    encoders: dict[str, RealCell]
    """The mean over draws of the labelled records."""
    differences: dict[str, RealDifference] = field(default_factory=dict)
    """By every other encoder: what is subtracted from `RealResult.method`."""


@dataclass(frozen=True)
class RealTask(Json):
    """One task of one set."""

    records: int
    patients: int
    positives: dict[str, int]
    """By class that is scored."""
    left_out: dict[str, int]
    """Positives of the classes that are not scored, because too few records have or lack them."""
    encoders: dict[str, dict[str, RealCell]]
    """By encoder, then representation; the first is `RealResult.method`."""
    differences: dict[str, RealDifference]
    """By every other encoder: what is subtracted."""
    few: dict[str, FewLabels] = field(default_factory=dict)
    """With few labels of these recordings or none: by ZERO_SHOT, SIMULATED, or the number of labelled records."""

    def by_labels(self) -> list[tuple[str, FewLabels]]:
        """Return `few` in the order of the number of labels."""
        return sorted(self.few.items(), key=lambda item: by_labels(item[0]))


@dataclass(frozen=True)
class RealSet(Json):
    """One set of real recordings."""

    title: str
    version: str
    licence: str
    link: str
    records: int
    patients: int
    left_out: dict[str, int]
    """Recordings that are not used, by reason."""
    in_pretraining: bool
    """Whether the corpus is in the pretraining set of the encoder, so that its records may have been seen."""
    tasks: dict[str, RealTask] = field(default_factory=dict)
    measurements: dict[str, Measured] = field(default_factory=dict)


@dataclass(frozen=True)
class RealResult(Json):
    """The whole evaluation."""

    sets: dict[str, RealSet]
    absent: list[str]
    """Sets of which there was no copy."""
    folds: int
    bootstrap: int
    fewest: int
    """Fewest records that must have a class, and fewest that must not."""
    encoder: str
    """Digest of the weights of `method`, as `versions.model` of metrics.json has it."""
    pretrained_on: list[str]
    versions: dict[str, str]
    method: str = "cgdmer"
    """The encoder from which the others are subtracted."""
