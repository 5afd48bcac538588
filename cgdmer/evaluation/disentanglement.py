"""Owns the question whether the parts are apart: which knows what the report says, and which rebuilds the signal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cgdmer import report_text
from cgdmer.probing import bootstrap, logistic, metrics
from cgdmer.probing.linear_probe import tidy

STRENGTH = 0.01
"""Inverse penalty of the probe; one for all parts, because nothing is chosen here."""
Features = Mapping[str, np.ndarray]


def statements(texts: Sequence[str]) -> list[set[str]]:
    """Cut machine reports into their statements."""
    return [{part.strip(" .") for part in text.split(report_text.SEPARATOR)} - {""} for text in texts]


def labels(fitted: Sequence[str], measured: Sequence[str], least: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the statements that at least `least` reports of both groups make and as many do not, and who does."""
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
    fitted: Features, measured: Features, made: tuple[np.ndarray, np.ndarray], replicates: int
) -> dict[str, dict[str, float]]:
    """Return the macro AUROC of telling a report's statements from each part of its ECG, and shared minus specific.

    A probe is fitted for each part on `fitted` (n, D) and measured on `measured`; `made` holds who makes which
    statement, (n, C) of both. Intervals resample the measured records, the same for all parts.
    """
    counts = bootstrap.draws(len(made[1]), replicates)
    points, drawn, found = {}, {}, {}
    for name in fitted:
        path = logistic.fit(logistic.principal_axes(fitted[name]), made[0], [STRENGTH])
        scores = path.decision(measured[name], 0)
        points[name] = metrics.macro(metrics.auroc(scores, made[1]))
        drawn[name] = bootstrap.macro(bootstrap.auroc(scores, made[1], counts))
        found[name] = told(points[name], drawn[name])
    if {"shared", "specific"} <= set(fitted):
        found["shared minus specific"] = told(
            points["shared"] - points["specific"], drawn["shared"] - drawn["specific"]
        )
    return found


def rebuilt(errors: Mapping[str, np.ndarray], replicates: int) -> dict[str, dict[str, float]]:
    """Return the mean error of hidden patches by the parts the decoder read, and shared alone minus specific alone."""
    if not errors:
        return {}
    columns = dict(errors) | {"shared minus specific": errors["shared"] - errors["specific"]}
    counts = bootstrap.draws(len(errors["both"]), replicates) / len(errors["both"])
    return {name: told(float(values.mean()), values @ counts) for name, values in columns.items()}


def told(point: float, replicates: np.ndarray) -> dict[str, Any]:
    """Return a value with its interval, rounded as all results are."""
    found = bootstrap.interval(point, replicates)
    return {"mean": tidy(found.mean), "low": tidy(found.low), "high": tidy(found.high)}
