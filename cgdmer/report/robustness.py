"""Owns the parts of the report on fewer leads and on disturbed recordings."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.page import Child, Html, el, number, section, table
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.standalone import Panel
from cgdmer.report.headline import TASK_NAMES, encoder_order, name_of
from cgdmer.report.numbers import cell

Results = Mapping[str, Mapping[str, Any]]
"""By task, then encoder: what the stage robustness wrote."""


def read() -> dict[str, dict[str, Any]]:
    """Read all results below the working directory; empty where the stage did not run."""
    folder = paths.REPORTS / "robustness"
    encoders = sorted((path.name for path in folder.glob("*") if path.is_dir()), key=encoder_order)
    found = {task: {e: read_json(paths.robustness(e, task)) for e in encoders if paths.robustness(e, task).is_file()}
             for task in TASK_NAMES}  # fmt: skip
    return {task: results for task, results in found.items() if results}


def for_metrics(found: Results) -> dict[str, Any]:
    """Return `{task: {encoder: {condition: cell}}}`."""
    return {
        task: {
            encoder: {each["condition"]: _cell(each, result) for each in result["leads"] + result["disturbances"]}
            for encoder, result in results.items()
        }
        for task, results in found.items()
    }


def _cell(each: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: each[name] for name in ("mean", "low", "high", "n_test", "change")}
    told = {"protocol": result["protocol"], "representation": result["representation"], "seeds": len(result["seeds"])}
    return kept | told


def robustness_sections(found: Results) -> list[Html]:
    """Draw both sections; none where nothing was measured."""
    if not found:
        return []
    encoders = encoders_of(found)
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    first = next(iter(next(iter(found.values())).values()))
    few = (
        "How much of the twelve is needed: probes trained and tested on features of fewer leads. Macro AUROC, all "
        f"labels; bands are 95% intervals. Lead sets: {'; '.join(each['condition'] for each in first['leads'])}."
    )
    harmed = (
        "The probe of twelve clean leads, given test records that were disturbed on purpose: noise at the electrodes, "
        "filtered as every record is; electrodes in each other's place; leads lost, drawn for each record. Below each "
        "macro AUROC stands its change against clean records with its 95% interval, from the same records in every "
        "bootstrap replicate."
    )
    figures = [chart(task, found[task], encoders, floor(found)).figure() for task in found]
    tables = [_table(found, encoder) for encoder in encoders]
    return [
        section("fewer-leads", "Fewer leads", keys, el("div", figures, class_="grid"), lead=few),
        section("disturbance", "Under disturbance", tables, lead=harmed),
    ]


def encoders_of(found: Results) -> list[str]:
    return sorted({encoder for results in found.values() for encoder in results}, key=encoder_order)


def floor(found: Results) -> float:
    """Return the lowest value of all charts, so that they share one axis: chance, or lower by tenths."""
    lows: list[float] = [
        each["low"] for results in found.values() for result in results.values() for each in result["leads"]
    ]
    return min(0.5, math.floor(min(lows) * 10) / 10)


def chart(task: str, results: Mapping[str, Any], encoders: Sequence[str], lowest: float) -> Panel:
    """Draw AUROC against the number of leads, an encoder a line."""
    series, words = [], []
    for style, encoder in enumerate(encoders):
        if encoder not in results:
            continue
        cells = results[encoder]["leads"]
        y, low, high = ([each[name] for each in cells] for name in ("mean", "low", "high"))
        series.append(Series(name_of(encoder), [float(x) for x in range(len(cells))], y, low, high, style))
        words.append(
            f"{name_of(encoder)} " + ", ".join(f"{each['mean']:.2f} with {each['condition']}" for each in cells)
        )
    first = next(iter(results.values()))
    ticks = [(float(x), short(each["condition"])) for x, each in enumerate(first["leads"])]
    label = f"{TASK_NAMES[task]}, macro AUROC by leads: {'; '.join(words)}"
    note = f"n {number(first['n_test'])}; {how(first)}."
    return Panel(TASK_NAMES[task], lines(label, series, x_ticks=ticks, y=(lowest, 1.0)), note)


def short(condition: str) -> str:
    """Name a lead set by its size: what fits below an axis."""
    return condition.split(" ", 1)[0]


def how(result: Mapping[str, Any]) -> str:
    count = len(result["seeds"])
    return (
        f"{result['representation']} features, {result['protocol']} protocol, {count} seed{'' if count == 1 else 's'}"
    )


def _table(found: Results, encoder: str) -> Html:
    """Return one encoder's table: a row a condition, a column a task."""
    results = {task: found[task][encoder] for task in found if encoder in found[task]}
    first = next(iter(results.values()))
    head: list[Child] = ["Test records"]
    head += [
        [TASK_NAMES[t], el("small", f"n {number(result['n_test'])}", class_="below")] for t, result in results.items()
    ]
    clean = [result["leads"][0] for result in results.values()]
    rows: list[list[Child]] = [["clean", *(cell(each) for each in clean)]]
    for place, each in enumerate(first["disturbances"]):
        rows.append([each["condition"], *(_changed(result["disturbances"][place]) for result in results.values())])
    return table(f"{name_of(encoder)}, {how(first)}; n is the number of test records.", head, rows)


def _changed(each: Mapping[str, Any]) -> Child:
    change, interval = spoken(each["change"]).rstrip(")").split(" (")
    return [f"{each['mean']:.3f}", el("small", change, class_="below"), el("small", interval, class_="below")]


def spoken(change: Mapping[str, float]) -> str:
    """Write a change with its interval."""
    return f"{change['mean']:+.3f} ({change['low']:+.3f} to {change['high']:+.3f})".replace("-", "−")


def markdown(found: Results) -> list[tuple[str, str, list[str], list[list[str]]]]:
    """Return title, introduction, head and rows of one table an encoder for `report.md`."""
    tables = []
    for encoder in encoders_of(found):
        results = {task: found[task][encoder] for task in found if encoder in found[task]}
        first = next(iter(results.values()))
        head = ["Condition", *(f"{TASK_NAMES[task]}, n {result['n_test']:,}" for task, result in results.items())]
        columns = [result["leads"] + result["disturbances"] for result in results.values()]
        rows = [
            [
                each["condition"],
                *(f"{column[place]['mean']:.3f}, {spoken(column[place]['change'])}" for column in columns),
            ]
            for place, each in enumerate(columns[0])
        ]
        intro = (
            f"Macro AUROC and its change against twelve clean leads (95% interval); {how(first)}. Lead sets: trained "
            "and tested on them. Disturbances: test records alone."
        )
        tables.append((f"Fewer leads and disturbances, {name_of(encoder)}", intro, head, rows))
    return tables
