"""Measure the disentanglement: which features predict the report, and which reconstruct the signal."""

from collections.abc import Mapping, Sequence

import numpy as np

from cgdmer import report_text
from cgdmer.probing import bootstrap, logistic, metrics
from cgdmer.results import Interval

C = 0.01
"""Inverse L2 strength of the probes, the same for all features, because nothing is chosen here."""
Features = Mapping[str, np.ndarray]


def statements(texts: Sequence[str]) -> list[set[str]]:
    """Split machine reports into their statements."""
    return [{statement.strip(" .") for statement in text.split(report_text.SEPARATOR)} - {""} for text in texts]


def labels(fitted: Sequence[str], measured: Sequence[str], least: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return statements and which reports contain them, (n, S) for each group of reports.

    A statement counts if at least `least` reports of both groups contain it and as many do not.
    """
    groups = statements(fitted), statements(measured)
    counts = [
        {name: sum(name in report for report in group) for name in set().union(*group)} for group in groups
    ]  # fmt: skip
    names = [
        name
        for name in sorted(counts[0])
        if all(least <= count.get(name, 0) <= len(group) - least for count, group in zip(counts, groups, strict=True))
    ]
    first, second = (
        np.array([[name in report for name in names] for report in group], dtype=np.int8).reshape(len(group), -1)
        for group in groups
    )
    return names, first, second


def content(
    fitted: Features, measured: Features, labels: tuple[np.ndarray, np.ndarray], replicates: int
) -> dict[str, Interval]:
    """Return the macro AUROC of predicting a report's statements from each kind of features, and shared minus specific.

    One probe per kind is fitted on `fitted` (n, D) and scored on `measured`; `labels` holds the statements (n, S) of
    both. Intervals resample the measured records, the same for all kinds.
    """
    counts = bootstrap.draws(len(labels[1]), replicates)
    points, drawn, intervals = {}, {}, {}
    for name in fitted:
        path = logistic.fit(logistic.principal_axes(fitted[name]), labels[0], [C])
        scores = path.decision(measured[name], 0)
        points[name] = metrics.macro(metrics.auroc(scores, labels[1]))
        drawn[name] = bootstrap.macro(bootstrap.auroc(scores, labels[1], counts))
        intervals[name] = bootstrap.interval(points[name], drawn[name]).rounded()
    if {"shared", "specific"} <= set(fitted):
        gap = points["shared"] - points["specific"], drawn["shared"] - drawn["specific"]
        intervals["shared minus specific"] = bootstrap.interval(*gap).rounded()
    return intervals


def rebuilt(errors: Mapping[str, np.ndarray], replicates: int) -> dict[str, Interval]:
    """Return the mean error of hidden patches by the features that the decoder read, and shared minus specific."""
    if not errors:
        return {}
    columns = dict(errors) | {"shared minus specific": errors["shared"] - errors["specific"]}
    counts = bootstrap.draws(len(errors["both"]), replicates) / len(errors["both"])
    means = {name: bootstrap.interval(float(values.mean()), values @ counts) for name, values in columns.items()}
    return {name: interval.rounded() for name, interval in means.items()}
