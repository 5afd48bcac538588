"""The sections on fewer leads and on disturbed recordings."""

import math
from collections.abc import Mapping, Sequence

from cgdmer.page import Html, el, number, section
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.standalone import Panel
from cgdmer.report import table
from cgdmer.report.headline import TASK_NAMES, encoder_order, name_of, task_head
from cgdmer.report.table import Changed, Content, Table
from cgdmer.results import Condition, RobustnessCell, RobustnessResult

Results = Mapping[str, Mapping[str, RobustnessResult]]
"""By task, then encoder."""


def cells(results: Results) -> dict[str, dict[str, dict[str, RobustnessCell]]]:
    """Return the cells by task, encoder and condition."""
    return {
        task: {
            encoder: {each.condition: cell(each, result) for each in result.leads + result.disturbances}
            for encoder, result in by_encoder.items()
        }
        for task, by_encoder in results.items()
    }


def cell(each: Condition, result: RobustnessResult) -> RobustnessCell:
    """Return a condition with how it was measured."""
    made = len(result.seeds), result.protocol, result.representation
    return RobustnessCell(each.mean, each.low, each.high, each.n_test, *made, each.change)


def robustness_sections(results: Results) -> list[Html]:
    """Draw both sections; none if nothing was measured."""
    if not results:
        return []
    encoders = encoders_of(results)
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    first = next(iter(next(iter(results.values())).values()))
    few = (
        "How many of the twelve leads are needed: probes trained and tested on features of fewer leads. Macro AUROC, "
        f"all labels; bands are 95% intervals. Lead sets: {'; '.join(each.condition for each in first.leads)}."
    )
    disturbed = (
        "The probe of twelve clean leads, tested on records that were disturbed on purpose: noise at the electrodes, "
        "filtered like every record; exchanged electrodes; lost leads, drawn for each record. Below each macro AUROC "
        "is its change from clean records with its 95% interval, from the same records in every bootstrap replicate."
    )
    figures = [chart(task, results[task], encoders, floor(results)).figure() for task in results]
    blocks = [table.html(disturbance_table(results, encoder)) for encoder in encoders]
    return [
        section("fewer-leads", "Fewer leads", keys, el("div", figures, class_="grid"), lead=few),
        section("disturbance", "Under disturbance", blocks, lead=disturbed),
    ]


def encoders_of(results: Results) -> list[str]:
    return sorted({encoder for by_encoder in results.values() for encoder in by_encoder}, key=encoder_order)


def floor(results: Results) -> float:
    """Return the lower end of the common axis of all charts: chance, or the lowest bound rounded down to a tenth."""
    lows = [each.low for by_encoder in results.values() for result in by_encoder.values() for each in result.leads]
    return min(0.5, math.floor(min(lows) * 10) / 10)


def chart(task: str, results: Mapping[str, RobustnessResult], encoders: Sequence[str], lowest: float) -> Panel:
    """Draw AUROC against the number of leads, one line per encoder."""
    series, words = [], []
    for style, encoder in enumerate(encoders):
        if encoder not in results:
            continue
        sets = results[encoder].leads
        x, y = [float(position) for position in range(len(sets))], [each.mean for each in sets]
        low, high = [each.low for each in sets], [each.high for each in sets]
        series.append(Series(name_of(encoder), x, y, low, high, style))
        words.append(f"{name_of(encoder)} " + ", ".join(f"{each.value(2)} with {each.condition}" for each in sets))
    first = next(iter(results.values()))
    ticks = [(float(x), short(each.condition)) for x, each in enumerate(first.leads)]
    label = f"{TASK_NAMES[task]}, macro AUROC by leads: {'; '.join(words)}"
    note = f"n {number(first.n_test)}; {how(first)}."
    return Panel(TASK_NAMES[task], lines(label, series, x_ticks=ticks, y=(lowest, 1.0)), note)


def short(condition: str) -> str:
    """Return the size of a lead set, which fits below an axis."""
    return condition.split(" ", 1)[0]


def how(result: RobustnessResult) -> str:
    """Write how the numbers were made: `pooled features, canonical protocol, 1 seed`."""
    seeds = len(result.seeds)
    return f"{result.representation} features, {result.protocol} protocol, {seeds} seed{'' if seeds == 1 else 's'}"


def disturbance_table(results: Results, encoder: str) -> Table:
    """Return one encoder's table of clean and disturbed test records."""
    of_encoder = _of(results, encoder)
    rows: list[list[Content]] = [["clean", *(result.leads[0] for result in of_encoder.values())]]
    rows += _rows([result.disturbances for result in of_encoder.values()])
    return _table("Test records", of_encoder, encoder, rows)


def lead_table(results: Results, encoder: str) -> Table:
    """Return one encoder's table of lead sets that probes were trained and tested on."""
    of_encoder = _of(results, encoder)
    return _table("Leads", of_encoder, encoder, _rows([result.leads for result in of_encoder.values()]))


def _of(results: Results, encoder: str) -> dict[str, RobustnessResult]:
    return {task: by_encoder[encoder] for task, by_encoder in results.items() if encoder in by_encoder}


def _rows(columns: Sequence[Sequence[Condition]]) -> list[list[Content]]:
    """Return one row per condition, one column per task."""
    return [[same[0].condition, *(Changed(each, each.change) for each in same)] for same in zip(*columns, strict=True)]


def _table(first: str, results: Mapping[str, RobustnessResult], encoder: str, rows: list[list[Content]]) -> Table:
    head = [task_head(task, [cell(result.leads[0], result)]) for task, result in results.items()]
    caption = (
        f"{name_of(encoder)}: macro AUROC and its change from twelve clean leads with 95% interval; "
        f"{how(next(iter(results.values())))}; n is the number of test records."
    )
    return Table(caption, [first, *head], rows)


def tables(results: Results) -> list[Table]:
    """Return the tables of `report.md`: lead sets and disturbances of each encoder."""
    return [make(results, encoder) for encoder in encoders_of(results) for make in (lead_table, disturbance_table)]
