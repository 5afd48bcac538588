"""Result types of methods that are pretrained several times: the ablations, and differences between methods.

The fields are the keys of the files in reports/ablations/.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from cgdmer.json_dataclass import Json
from cgdmer.results import Cell, Interval

FORMAT = 2
"""Format of the files. Those without a format are of one pretraining and have no fractions but those of its probes."""
MEAN = "mean"
"""Name of the mean over tasks among the tasks."""
HEADLINE = "headline"
"""Among the representations of a difference: each method with the one that validation chose for it."""


@dataclass(frozen=True)
class DifferenceCell(Interval):
    """Macro AUROC of one method minus that of another, paired by test record and training subset."""

    n_test: int
    p: float
    """Two-sided, not adjusted."""
    detectable: float
    """Smallest difference that the comparison would show with 80 % power at alpha 0.05."""
    p_adjusted: float | None = None
    """By Holm, over all comparisons that were not planned; a planned one has none."""


Differences = dict[str, dict[str, dict[str, DifferenceCell]]]
"""By task (or `mean`), label fraction and representation (or `headline`)."""


@dataclass(frozen=True)
class Made(Json):
    """What decided the scores of a run: digests of params and data, and the first digits of every source file's."""

    params: str
    data: str
    code: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class SeedResult(Json):
    """One pretraining of one method: the values that its probes and its zero-shot classification have."""

    format: int
    method: str
    """Profile, or `full`."""
    seed: int
    key: str
    """Changes with the params, the data and the code behind the numbers."""
    threads: int
    made: Made
    auroc: dict[str, dict[str, dict[str, float]]]
    """By task, label fraction and representation."""
    validation: dict[str, dict[str, dict[str, float]]]
    """Macro AUROC on validation, by which a representation is chosen."""
    zero_shot: dict[str, float]
    pretraining: dict[str, dict[str, float]]
    """Losses of the last `training` step and after the last epoch on `held_out` records."""
    vouched_by: int | None = None
    """If earlier code made this result: the seed whose run, repeated with the code of `made`, gave the same numbers."""


@dataclass(frozen=True, kw_only=True)
class AblationNumbers(Json):
    """The numbers of one method over its pretrainings."""

    format: int
    key: str
    """Changes with the params, the data and the code behind the numbers."""
    pretraining_seeds: list[int]
    """Values of train.seed; the order of `by_weights` in every cell."""
    full_seeds: list[int]
    """Those of the full method in the differences."""
    threads: int
    """CPU threads of each pretraining; another number rounds differently."""
    representation: str
    """The one that tables show: the best on validation with the most labels, mean over tasks."""
    auroc: dict[str, dict[str, dict[str, Cell]]]
    """By task (or `mean`), label fraction and representation; intervals contain pretrainings, records and subsets."""
    zero_shot: dict[str, Cell]
    """By task (or `mean`)."""
    differences: Differences = field(default_factory=dict)
    """From the full method; empty for the full method itself."""
    zero_shot_differences: dict[str, DifferenceCell] = field(default_factory=dict)
    controls: dict[str, Differences] = field(default_factory=dict)
    """The full method only: its differences from each control."""
    validation: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """Macro AUROC on validation, mean over pretrainings, by task, label fraction and representation."""
    pretraining: dict[str, dict[str, float]] = field(default_factory=dict)
    """Means over pretrainings: losses of the last `training` step, and after the last epoch on `held_out` records."""
    vouched: list[int] = field(default_factory=list)
    """Seeds that were pretrained with earlier code, whose first seed gave the same numbers with the present one."""
    stale: bool | None = None
    """Whether params, data or code changed since; not stored with the ablation."""


@dataclass(frozen=True, kw_only=True)
class Ablation(AblationNumbers):
    """One method of the ablation study: its profile, what the profile changes, and the numbers."""

    profile: str
    does: str
    overrides: dict[str, Any]
    made: Made
    changed: list[str] | None = None
    """Of a stale method: what changed since, `params`, `data` or source files; not stored with the ablation."""

    def numbers(self) -> AblationNumbers:
        """Return what metrics.json holds of it."""
        return AblationNumbers(**{one.name: getattr(self, one.name) for one in fields(AblationNumbers)})
