"""The paired comparison of the method with its controls: one small chart per control, one row per task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cgdmer import paths, tables
from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, el, section
from cgdmer.page.comparisons import Bar, from_reference
from cgdmer.page.standalone import Panel
from cgdmer.probing import seeds
from cgdmer.probing.comparison import Difference
from cgdmer.report.headline import METHOD, TASK_NAMES, encoder_order, name_of
from cgdmer.results import WEIGHTS

REACH = 0.3
"""Larger differences are drawn at the edge of the chart; the number beside them is exact."""


@dataclass(frozen=True)
class Comparison:
    """The method minus a control on one task."""

    task: str
    control: str
    difference: Difference


def compare_all(probes: Mapping[str, Mapping[str, object]], metrics: Metrics, fraction: str) -> list[Comparison]:
    """Compare the method with every control from saved predictions, on the tasks where both have some.

    Each encoder is read with its chosen features. All sets of weights of a random control count.
    """
    comparisons = []
    for task, results in probes.items():
        controls = sorted((encoder for encoder in results if encoder != METHOD), key=encoder_order)
        files = {encoder: paths.predictions(encoder, task) for encoder in (METHOD, *controls)}
        if METHOD not in results or not files[METHOD].is_file():
            continue
        first = _predictions(METHOD, task, metrics, fraction)
        for control in controls:
            if files[control].is_file():
                difference = seeds.difference(first, _predictions(control, task, metrics, fraction))
                comparisons.append(Comparison(task, control, difference))
    return comparisons


def _predictions(encoder: str, task: str, metrics: Metrics, fraction: str) -> seeds.Trainings:
    """Score the chosen features of an encoder, one row per set of weights."""
    table = tables.read(paths.predictions(encoder, task))
    chosen = table.filter(
        pl.col("fraction") == float(fraction), pl.col("representation") == metrics.main(encoder)
    ).drop("representation")
    sets = chosen.partition_by(WEIGHTS, include_key=False) if WEIGHTS in chosen.columns else [chosen]
    return seeds.trainings(sets)


def paired_section(comparisons: Sequence[Comparison], share: str) -> Html | None:
    """Draw the differences; None if there is nothing to compare."""
    controls = list(dict.fromkeys(item.control for item in comparisons))
    if not controls:
        return None
    figures = [
        chart(control, [item for item in comparisons if item.control == control]).figure() for control in controls
    ]
    lead = (
        f"Macro AUROC of CG-DMER minus that of a control, each with its chosen features, {share} of the labels: the "
        "same test records are drawn for both in every bootstrap replicate, so what is hard for both cancels. The "
        "draws of a random control's weights are resampled too. An interval that contains zero shows no difference."
    )
    return section("differences", "Against the controls", el("div", figures, class_="grid wide"), lead=lead)


def chart(control: str, items: Sequence[Comparison]) -> Panel:
    bars = [Bar(TASK_NAMES[i.task], i.difference.mean, i.difference.low, i.difference.high) for i in items]
    words = "; ".join(f"{TASK_NAMES[item.task]} {item.difference.text(signed=True)}" for item in items)
    title = f"CG-DMER minus {name_of(control)}"
    ticks = [(-REACH, f"−{REACH:g}"), (0.0, "0"), (REACH, f"+{REACH:g}")]
    drawing = from_reference(f"{title}: {words}", bars, reference=0.0, ticks=ticks, form="+.3f")
    above, below = sum(b.low > 0 for b in bars), sum(b.high < 0 for b in bars)
    return Panel(title, drawing, f"Better on {above}, worse on {below} of {len(bars)} tasks; 95% intervals.")
