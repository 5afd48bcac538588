"""How many labels an encoder needs to reach another one's score with all labels (`report.label_efficiency`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, number, section
from cgdmer.report import table
from cgdmer.report.headline import TASK_NAMES, encoder_rows, name_of
from cgdmer.report.table import Content, Table, stacked
from cgdmer.results import ProbeResult

TITLE = "Label efficiency"
Points = Sequence[tuple[int, float]]
"""Labelled training records and macro AUROC, by ascending records."""


@dataclass(frozen=True)
class Efficiency:
    """How an encoder's score grows with labels."""

    area: float
    """Mean macro AUROC over the logarithm of the number of labelled records."""
    needed: float | None
    """Labelled records at which its curve reaches the target; None if it does not."""
    at_once: bool
    """Whether its smallest training subset reaches the target already, so that fewer may be enough."""


def efficiency(points: Points, target: float) -> Efficiency | None:
    """Measure a curve of at least two points, which is taken as linear in the logarithm of the number of records."""
    if len(points) < 2:
        return None
    spans = [(math.log(b) - math.log(a), (first + second) / 2) for (a, first), (b, second) in pairwise(points)]
    area = sum(width * height for width, height in spans) / sum(width for width, _ in spans)
    if points[0][1] >= target:
        return Efficiency(area, float(points[0][0]), at_once=True)
    for (a, first), (b, second) in pairwise(points):
        if second >= target:
            share = (target - first) / (second - first)
            return Efficiency(area, math.exp(math.log(a) + share * (math.log(b) - math.log(a))), at_once=False)
    return Efficiency(area, None, at_once=False)


def points_of(result: ProbeResult, representation: str) -> list[tuple[int, float]]:
    """Return the curve of a representation; a fraction of unknown size is left out."""
    cells = [kinds[representation] for kinds in result.results.values() if representation in kinds]
    return sorted({(cell.n_train, cell.mean) for cell in cells if cell.n_train})


Efficiencies = Mapping[str, Mapping[str, Efficiency]]
"""By task, then encoder."""


def measure(probes: Mapping[str, Mapping[str, ProbeResult]], metrics: Metrics, reference: str) -> Efficiencies:
    """Measure every encoder against the reference's score with all labels, on the tasks that the reference has."""
    measured: dict[str, dict[str, Efficiency]] = {}
    for task, results in probes.items():
        goal = points_of(results[reference], metrics.main(reference)) if reference in results else []
        if not goal:
            continue
        curves = {encoder: points_of(result, metrics.main(encoder)) for encoder, result in results.items()}
        reached = {encoder: efficiency(curve, goal[-1][1]) for encoder, curve in curves.items()}
        measured[task] = {encoder: one for encoder, one in reached.items() if one}
    return measured


def efficiency_table(measured: Efficiencies, reference: str) -> Table:
    """Return one row per encoder, one column per task: labels needed, and below them the mean over the curve."""
    caption = (
        f"Labelled training records that reach the macro AUROC of {name_of(reference)} with all labels; below them the "
        "mean macro AUROC over the logarithm of the number of labels."
    )
    return Table(caption, ["Encoder", *(TASK_NAMES[task] for task in measured)], encoder_rows(measured, _cell))


def _cell(one: Efficiency | None) -> Content:
    if one is None:
        return None
    needed = "not reached" if one.needed is None else f"{'at most ' if one.at_once else ''}{number(round(one.needed))}"
    return stacked(needed, f"mean {one.area:.3f}")


def efficiency_section(measured: Efficiencies, reference: str) -> Html | None:
    """Draw the table; None if the reference was not probed with two label fractions."""
    if not any(measured.values()):
        return None
    lead = (
        f"How many labels replace pretraining: between two measured numbers of labels the score is taken as linear in "
        f"their logarithm. {name_of(reference)} is the reference (report.label_efficiency in params.yaml)."
    )
    return section("efficiency", TITLE, table.html(efficiency_table(measured, reference)), lead=lead)
