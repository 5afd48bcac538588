"""The paired comparison of the method with its controls: charts, and a table with p-values and power.

One comparison with each control was planned. All others are adjusted by Holm, as one family.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import polars as pl

from cgdmer import paths, tables
from cgdmer.ablation_results import HEADLINE, MEAN, Ablation, DifferenceCell
from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, el, section
from cgdmer.page.comparisons import Bar, from_reference
from cgdmer.page.standalone import Panel
from cgdmer.probing import multiplicity, seeds
from cgdmer.probing.saved_scores import difference, trainings_of
from cgdmer.probing.seeds import Trainings
from cgdmer.report import table
from cgdmer.report.encoders import UNTRAINED_ENCODERS
from cgdmer.report.headline import METHOD, TASK_NAMES, encoder_order, name_of, percent
from cgdmer.report.table import Content, Table, stacked

REACH = 0.3
"""Larger differences are drawn at the edge of the chart; the number beside them is exact."""
PLANNED = dict.fromkeys(UNTRAINED_ENCODERS, (MEAN, "1.0"))
"""The comparison with each control that was planned (docs/protocols.md): the mean over tasks with all labels."""
NAMES = {MEAN: "Mean over tasks"} | TASK_NAMES
Compared = dict[str, dict[str, dict[str, DifferenceCell]]]
"""The method minus a control: by control, task (or `mean`) and label fraction."""
Place = tuple[str, str]
"""Task (or `mean`) and label fraction."""


def compare_all(probes: Mapping[str, Mapping[str, object]], metrics: Metrics) -> Compared:
    """Compare the method with every control from saved predictions, at every fraction that both have.

    Each encoder is read with its chosen features. All sets of weights of a random control count.
    """
    encoders = sorted({encoder for results in probes.values() for encoder in results}, key=encoder_order)
    if METHOD not in encoders:
        return {}
    method = _scored(METHOD, probes, metrics)
    differences = {}
    for control in encoders:
        if control != METHOD and (places := dict(_apart(method, _scored(control, probes, metrics)))):
            differences[control] = places
    return adjusted(differences)


def _scored(encoder: str, probes: Mapping[str, Mapping[str, object]], metrics: Metrics) -> dict[Place, Trainings]:
    """Score the chosen features of an encoder on each task at each fraction, one row per set of weights."""
    files = {task: paths.predictions(encoder, task) for task, results in probes.items() if encoder in results}
    scored = {}
    for task, file in files.items():
        if file.is_file():
            chosen = tables.read(file).filter(pl.col("representation") == metrics.main(encoder)).drop("representation")
            for part in chosen.partition_by("fraction", maintain_order=True):
                scored[task, str(part["fraction"][0])] = trainings_of(part)
    return scored


def _apart(
    method: Mapping[Place, Trainings], control: Mapping[Place, Trainings]
) -> Iterator[tuple[Place, DifferenceCell]]:
    """Yield the differences, and that of the mean over tasks at each fraction if there are several."""
    common = [place for place in method if place in control]
    for place in common:
        yield place, difference(method[place], control[place])
    for fraction in sorted({fraction for _, fraction in common}):
        own = [place for place in common if place[1] == fraction]
        if len(own) > 1:
            means = [seeds.mean([scored[place] for place in own]) for scored in (method, control)]
            yield (MEAN, fraction), difference(*means)


def adjusted(differences: Mapping[str, Mapping[Place, DifferenceCell]]) -> Compared:
    """Return the differences with Holm's p-values for all comparisons that were not planned."""
    family = [(control, place) for control, places in differences.items() for place in places
              if PLANNED.get(control) != place]  # fmt: skip
    p = dict(zip(family, multiplicity.holm([differences[c][place].p for c, place in family]), strict=True))
    compared: Compared = {}
    for control, places in differences.items():
        for (task, fraction), one in places.items():
            with_p = replace(one, p_adjusted=p.get((control, (task, fraction))))
            compared.setdefault(control, {}).setdefault(task, {})[fraction] = with_p
    return compared


def paired_section(compared: Compared, fraction: str, full: Ablation | None) -> Html | None:
    """Draw the differences at one fraction and the tables of all; None if there is nothing to compare.

    `full` is the full method of the ablation study, which has several pretrainings.
    """
    if not compared:
        return None
    figures = [chart(control, fraction, tasks).figure() for control, tasks in compared.items()]
    lead = (
        f"Macro AUROC of CG-DMER minus that of a control, each with its chosen features, {percent(fraction)} of the "
        "labels in the charts: the same test records are drawn for both in every bootstrap replicate, so what is hard "
        "for both cancels. The draws of a random control's weights are resampled too. CG-DMER is one pretraining here: "
        "the intervals leave out how much another seed would change it. An interval that contains zero shows no "
        "difference."
    )
    blocks = [table.html(one) for one in paired_tables(compared, full)]
    return section("differences", "Against the controls", el("div", figures, class_="grid wide"), *blocks, lead=lead)


def chart(control: str, fraction: str, tasks: Mapping[str, Mapping[str, DifferenceCell]]) -> Panel:
    """Draw the differences from one control at one fraction, a row per task."""
    cells = {task: shares[fraction] for task, shares in tasks.items() if task != MEAN and fraction in shares}
    bars = [Bar(TASK_NAMES[task], one.mean, one.low, one.high) for task, one in cells.items()]
    words = "; ".join(f"{TASK_NAMES[task]} {one.text(signed=True)}" for task, one in cells.items())
    title = f"CG-DMER minus {name_of(control)}"
    ticks = [(-REACH, f"−{REACH:g}"), (0.0, "0"), (REACH, f"+{REACH:g}")]
    drawing = from_reference(f"{title}: {words}", bars, reference=0.0, ticks=ticks, form="+.3f")
    above, below = sum(b.low > 0 for b in bars), sum(b.high < 0 for b in bars)
    return Panel(title, drawing, f"Better on {above}, worse on {below} of {len(bars)} tasks; 95% intervals.")


def paired_tables(compared: Compared, full: Ablation | None) -> list[Table]:
    """Return the table of each control, and that of several pretrainings if there are some."""
    drawn = [_table(control, tasks, _caption(control)) for control, tasks in compared.items()]
    if full is None or not full.controls:
        return drawn
    count = len(full.pretraining_seeds)
    stale = ", stale" if full.stale else ""
    caption = (
        f"Over {count} pretraining{'s' if count > 1 else ''} of the ablation study{stale}: CG-DMER minus each control, "
        "mean over tasks; the intervals contain pretrainings. Those with all labels were planned; the other p-values "
        "are adjusted by Holm as one family."
    )
    shares = over_pretrainings(full)
    fractions = sorted({share for by_share in shares.values() for share in by_share}, key=float, reverse=True)
    rows = [[name_of(name), *(content(by_share.get(share)) for share in fractions)]
            for name, by_share in sorted(shares.items(), key=lambda item: encoder_order(item[0]))]  # fmt: skip
    head = ["Control", *(f"{percent(share)} of labels" for share in fractions)]
    return [*drawn, Table(caption, head, rows)] if rows else drawn


def over_pretrainings(full: Ablation) -> dict[str, dict[str, DifferenceCell]]:
    """Return the full method minus each control, the mean over tasks, by control and label fraction, with Holm's p."""
    by_place = {
        control: {(MEAN, share): kinds[HEADLINE] for share, kinds in tasks.get(MEAN, {}).items() if HEADLINE in kinds}
        for control, tasks in full.controls.items()
    }
    return {control: tasks[MEAN] for control, tasks in adjusted(by_place).items() if MEAN in tasks}


def _caption(control: str) -> str:
    planned = f"Planned: {NAMES[PLANNED[control][0]].lower()} with all labels. " if control in PLANNED else ""
    return (
        f"CG-DMER minus {name_of(control)}: difference with 95% interval, p-value, and the smallest difference that "
        f"this number of test records n can show (80% power, alpha 0.05). {planned}All other p-values of these tables "
        "are adjusted by Holm as one family."
    )


def _table(control: str, tasks: Mapping[str, Mapping[str, DifferenceCell]], caption: str) -> Table:
    """Return one control's table: a row per task, a column per label fraction."""
    fractions = sorted({share for shares in tasks.values() for share in shares}, key=float, reverse=True)
    rows: list[list[Content]] = []
    for task in (name for name in NAMES if name in tasks):
        n = next(iter(tasks[task].values())).n_test
        rows.append([stacked(NAMES[task], f"n {n:,}" if task != MEAN else "all"),
                     *(content(tasks[task].get(share)) for share in fractions)])  # fmt: skip
    return Table(caption, ["Task", *(f"{percent(share)} of labels" for share in fractions)], rows)


def content(one: DifferenceCell | None) -> Content:
    """Return a difference with its interval, the p-value that counts, and what could be shown."""
    if one is None:
        return None
    return stacked(one.value(signed=True), one.bounds(signed=True), p_text(one), f"can show {one.detectable:.3f}")


def p_text(one: DifferenceCell) -> str:
    """Write the p-value that counts: adjusted, unless the comparison was planned."""
    adjusted = one.p_adjusted is not None
    return f"p {p_words(one.p if one.p_adjusted is None else one.p_adjusted)}{' adjusted' if adjusted else ''}"


def p_words(p: float) -> str:
    """Write a p-value with three decimals."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
