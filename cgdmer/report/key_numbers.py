"""About twenty numbers that say how a pipeline state did: what `dvc metrics diff` and `dvc exp show` list."""

from collections.abc import Iterable, Mapping
from statistics import fmean

from cgdmer.metrics_json import Metrics
from cgdmer.report.headline import METHOD
from cgdmer.results import rounded

Numbers = dict[str, dict[str, float]]


def key_numbers(metrics: Metrics) -> Numbers:
    """Return numbers by group and name; each encoder is shown with its headline representation.

    `auroc` is the mean over tasks by encoder and label fraction, `tasks` the method at the largest fraction, and
    `zero_shot` and `change` the means over tasks without labels and under each disturbance.
    """
    fractions = metrics.fractions()
    encoders = sorted({name for task in metrics.auroc.values() for cells in task.values() for name in cells})
    means = {
        f"{encoder} {fraction}": _mean(_headline(metrics, encoder, fraction).values())
        for encoder in encoders
        for fraction in fractions
    }
    tasks = _headline(metrics, METHOD, fractions[-1]) if fractions else {}
    changes: dict[str, list[float]] = {}
    for by_encoder in metrics.robustness.values():
        for condition, cell in by_encoder.get(METHOD, {}).items():
            changes.setdefault(condition, []).append(cell.change.mean)
    groups: dict[str, Mapping[str, float | None]] = {
        "auroc": means,
        "tasks": tasks,
        "zero_shot": {"mean": _mean(cell.mean for cell in metrics.zero_shot.values())},
        "change": {condition: _mean(values) for condition, values in changes.items()},
    }
    return {group: _known(numbers) for group, numbers in groups.items() if _known(numbers)}


def _headline(metrics: Metrics, encoder: str, fraction: str) -> dict[str, float]:
    """Return the macro AUROC of an encoder's headline representation by task."""
    cells = {
        task: by_encoder.get(encoder, {}).get(metrics.main(encoder))
        for task, by_encoder in metrics.at(fraction).items()
    }
    return {task: cell.mean for task, cell in cells.items() if cell}


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return fmean(known) if known else None


def _known(numbers: Mapping[str, float | None]) -> dict[str, float]:
    return {name: rounded(value) for name, value in numbers.items() if value is not None}
