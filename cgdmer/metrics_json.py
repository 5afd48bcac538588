"""The content of `reports/metrics.json`: every number of the benchmark."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cgdmer.ablation_results import FORMAT, AblationNumbers, DifferenceCell
from cgdmer.json_dataclass import Json
from cgdmer.results import (
    Cell,
    DisentanglementResult,
    FinetunedCell,
    RetrievalResult,
    RobustnessCell,
    ZeroShotCell,
)
from cgdmer.tables import TASKS

Cells = dict[str, dict[str, dict[str, Cell]]]
"""By task, encoder and representation, at one label fraction."""


@dataclass(frozen=True)
class CorpusNumbers(Json):
    """Records of one corpus and the digest of its shards."""

    records: int
    quarantined: int
    digest: str


@dataclass(frozen=True)
class Headline(Json):
    """The representation of an encoder that every chart and comparison shows, chosen before the test split is read."""

    representation: str
    validation: dict[str, float]
    """Macro AUROC on validation by representation, with the most labels, mean over the tasks."""


@dataclass(frozen=True)
class Metrics(Json):
    """All numbers; the JSON keys are a contract with other programs."""

    auroc: dict[str, dict[str, dict[str, dict[str, Cell]]]]
    """By task, label fraction, encoder and representation."""
    headline: dict[str, Headline] = field(default_factory=dict)
    """By encoder."""
    by_weights: dict[str, dict[str, dict[str, dict[str, dict[str, Cell]]]]] = field(default_factory=dict)
    """Of random controls: by task, label fraction, encoder, number of the set of weights and representation."""
    differences: dict[str, dict[str, dict[str, DifferenceCell]]] = field(default_factory=dict)
    """Of the method from each control, by control, task (or `mean`) and label fraction."""
    zero_shot: dict[str, ZeroShotCell] = field(default_factory=dict)
    """By task."""
    finetuning: dict[str, dict[str, dict[str, FinetunedCell]]] = field(default_factory=dict)
    """By task, label fraction and what training started from."""
    ablations: dict[str, AblationNumbers] = field(default_factory=dict)
    """By profile."""
    robustness: dict[str, dict[str, dict[str, RobustnessCell]]] = field(
        default_factory=dict, metadata={"key": "conditions"}
    )
    """By task, encoder and condition."""
    retrieval: RetrievalResult | None = None
    disentanglement: DisentanglementResult | None = field(default=None, metadata={"key": "parts"})
    pretrained_on: list[str] = field(default_factory=list)
    """Sources whose training splits pretraining has read, recordings and reports."""
    seen_by: dict[str, list[str]] = field(default_factory=dict)
    """Benchmark sources that the training of a published encoder has used, test patients among them, by encoder."""
    data: dict[str, CorpusNumbers] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: Any) -> "Metrics":
        """Read the content of metrics.json; a stage that did not run left an empty object.

        Ablations that an earlier version wrote are left out: they are of one pretraining, and `make ablations` replaces
        them.
        """
        ablations = {name: row for name, row in content.get("ablations", {}).items() if row.get("format") == FORMAT}
        return super().from_json({key: value for key, value in content.items() if value} | {"ablations": ablations})

    def to_json(self) -> dict[str, Any]:
        """Return the content of metrics.json."""
        return {"retrieval": {}, "parts": {}} | super().to_json()

    def main(self, encoder: str) -> str:
        """Return the representation of an encoder that charts and comparisons show."""
        chosen = self.headline.get(encoder)
        return chosen.representation if chosen else "pooled"

    def fractions(self) -> list[str]:
        """Return the label fractions that occur, ascending."""
        return sorted({fraction for task in self.auroc.values() for fraction in task}, key=float)

    def at(self, fraction: str) -> Cells:
        """Return the cells of one label fraction, tasks in the order of the benchmark."""
        return {task: self.auroc[task][fraction] for task in TASKS if fraction in self.auroc.get(task, {})}

    def zero_shots(self) -> dict[str, ZeroShotCell]:
        """Return the zero-shot cells, tasks in the order of the benchmark."""
        return {task: self.zero_shot[task] for task in TASKS if task in self.zero_shot}


def protocols_and_seeds(cells: Iterable[Cell]) -> str:
    """Write how numbers were made: `canonical protocol, 5 seeds`."""
    every = list(cells)
    protocols, seeds = sorted({cell.protocol for cell in every}), sorted({cell.seeds for cell in every})
    return f"{' and '.join(protocols)} protocol, {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}"


def counts(cells: Iterable[Cell]) -> str:
    """Write the numbers of test records: `2,158`, or `880 or 901` where they differ."""
    return " or ".join(f"{n:,}" for n in sorted({cell.n_test for cell in cells}))


def every(cells: Cells) -> list[Cell]:
    """Return all cells of one label fraction."""
    return [cell for encoders in cells.values() for kinds in encoders.values() for cell in kinds.values()]
