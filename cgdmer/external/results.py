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
    """Macro AUROC of CG-DMER minus that of a control, pooled features, on the same records."""

    share_above: float
    """Share of replicates in which CG-DMER is better."""


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
