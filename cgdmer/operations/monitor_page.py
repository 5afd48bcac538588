"""The static page of monitoring: the latest comparison by variable, and the history. It shows no recording."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer.files import write_text
from cgdmer.operations.examined import CATEGORIES
from cgdmer.operations.samples import Sample
from cgdmer.page.charts import Series, lines
from cgdmer.page.elements import Html, document, el, figure, number, section, shorten, table, tiles

SHOWN, TICKS = 60, 6
"""Comparisons in the history, and dates below its chart."""


def write(path: Path, history: list[dict[str, Any]], new: Sample, reference: Sample) -> None:
    """Write the page of a history, the oldest entry first; the samples belong to the last one."""
    latest = history[-1]
    drifted = latest["drifted"]
    verdict = f"Drift in {len(drifted)} variables" if drifted else "No drift"
    verdict = verdict if latest["records"] else "Drift: no recording can be used"
    facts = [("verdict", "drift" if drifted else "no drift"), ("recordings", number(latest["records"])),
             ("rejected", number(latest["rejected"])), ("reference", number(latest["reference"]))]  # fmt: skip
    body = [
        el(
            "header",
            el("h1", "Incoming recordings"),
            el("p", f"{verdict}. {latest['when']}, {latest['model']}."),
            tiles(facts),
        ),
        el("main", _variables(latest, new, reference), _history(history[-SHOWN:])),
    ]
    description = "Comparison of incoming recordings with the training data"
    write_text(path, document("Incoming recordings", *body, description=description))


def _variables(latest: dict[str, Any], new: Sample, reference: Sample) -> Html:
    if not latest["findings"]:
        return section("variables", "Variables", lead="No variable was compared, because no recording can be used.")
    findings = sorted(latest["findings"].items(), key=lambda item: (item[1]["adjusted"], -(item[1]["index"] or 0.0)))
    rows = [
        [
            name, *(_typical(sample.frame, name) for sample in (new, reference)), number(one["index"], 2),
            f"{one['statistic']:.2g}", f"{one['lower']:.2g} to {one['upper']:.2g}", number(one["adjusted"], 4),
            "drift" if name in latest["drifted"] else "",
        ]
        for name, one in findings
    ]  # fmt: skip
    head = ["variable", "incoming", "reference", "index", "distance", "by chance, 95 %", "adjusted p", ""]
    note = (
        "Index: the population stability index, less what chance gives. Distance: Cramér-von Mises for numbers, the "
        "index for categories, maximum mean discrepancy for the embedding. A variable has drifted if its adjusted p "
        "value is 0.01 or less and its index 0.1 or more. The p values hold for all variables together: without "
        "drift, at most one comparison in a hundred has any of 0.01 or less."
    )
    return section("variables", "Variables", table("All variables", head, rows, text=(0, 1, 2, 5, 7)), lead=note)


def _typical(frame: pl.DataFrame, name: str) -> str:
    """Return the median of a number with its quartiles, or the most frequent category with its share."""
    if name not in frame.columns:
        return ""
    values = frame[name]
    if name in CATEGORIES:
        most = values.value_counts(sort=True).row(0)
        return f"{most[0]} {most[1] / len(values):.0%}"
    finite = values.to_numpy()[np.isfinite(values.to_numpy())]
    if not len(finite):
        return "none"
    low, middle, high = np.quantile(finite, [0.25, 0.5, 0.75])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _history(history: list[dict[str, Any]]) -> Html:
    rows = [
        [
            one["when"],
            number(one["records"]),
            number(one["rejected"]),
            shorten(", ".join(one["drifted"]), 80) or "none",
            one["model"],
        ]
        for one in reversed(history)
    ]
    listed = table("Comparisons", ["when", "recordings", "rejected", "drift in", "model"], rows, text=(0, 3, 4))
    drawn = None
    if len(history) > 1:
        x = list(range(len(history)))
        y = [len(one["drifted"]) for one in history]
        step = max(1, len(x) // TICKS)
        ticks = [(float(place), history[place]["when"][5:10]) for place in x[::step]]
        chart = lines("Variables with drift", [Series("drift", x, y)], x_ticks=ticks, width=640)
        drawn = figure(chart, "Number of variables with drift in each comparison.")
    return section("history", "History", drawn, listed)
