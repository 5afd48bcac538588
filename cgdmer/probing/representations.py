"""Which representation of an encoder stands for it: the best on validation, chosen before the test split is read."""

from collections.abc import Mapping
from statistics import fmean

from cgdmer.results import ProbeCell, ProbeResult

REPRESENTATIONS = ("pooled", "shared", "specific")
"""In the order of the tables, in which the first of equals is chosen; every encoder has `pooled`."""
Validation = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Macro AUROC on validation by task, label fraction and representation."""


def on_validation(result: ProbeResult) -> dict[str, dict[str, float]]:
    """Return the macro AUROC on validation by label fraction and representation, without those it cannot score."""
    return {
        fraction: {kind: value for kind, cell in cells.items() if (value := _mean(cell)) is not None}
        for fraction, cells in result.results.items()
    }


def _mean(cell: ProbeCell) -> float | None:
    """Return the mean over the runs; None if validation lacks positives or negatives of every class."""
    runs = [value for value in cell.validation or [] if value is not None]
    return fmean(runs) if runs else None


def scores(validation: Validation) -> dict[str, float]:
    """Return the mean over tasks with the most labels, by representation.

    A task whose validation cannot be scored does not count. A representation must have been probed on all others.
    """
    most_labels = [by_kind for fractions in validation.values() if (by_kind := fractions[max(fractions, key=float)])]
    common = [kind for kind in REPRESENTATIONS if most_labels and all(kind in by_kind for by_kind in most_labels)]
    return {kind: fmean(by_kind[kind] for by_kind in most_labels) for kind in common}


def best(by_kind: Mapping[str, float]) -> str:
    """Return the representation with the highest score; `pooled` if no task could be scored."""
    return max(by_kind, key=by_kind.__getitem__, default=REPRESENTATIONS[0])
