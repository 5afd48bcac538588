"""Scores over the classes with enough test positives, beside the scores over all classes (`report.min_positives`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cgdmer import paths, tables
from cgdmer.metrics_json import Metrics
from cgdmer.page import Html, section
from cgdmer.probing import comparison, seeds
from cgdmer.probing.saved_scores import trainings_of
from cgdmer.report import table
from cgdmer.report.headline import TASK_NAMES, encoder_rows, percent
from cgdmer.report.table import Content, Stacked, Table, stacked
from cgdmer.results import WEIGHTS, Interval

TITLE = "Frequent classes"


@dataclass(frozen=True)
class Restricted:
    """Macro AUROC over the frequent classes of a task, and over all that can be scored."""

    frequent: Interval
    every: float
    classes: int
    """Number of frequent classes."""
    left_out: list[str]


def restricted(predictions: pl.DataFrame, least: int, every: float) -> Restricted | None:
    """Score one encoder's predictions over the classes with at least `least` test positives; None if there is none.

    `predictions` is filtered to one fraction and representation; `every` is its score over all classes.
    """
    positives = counts(predictions)
    kept = [name for name, count in positives.items() if count >= least]
    if not kept:
        return None
    columns = [f"{kind}/{name}" for kind in ("score", "label") for name in kept]
    keys = [name for name in (*comparison.KEYS, WEIGHTS) if name in predictions.columns]
    return Restricted(
        seeds.estimate(trainings_of(predictions.select(*keys, *columns))),
        every,
        len(kept),
        sorted(name for name, count in positives.items() if count < least),
    )


def counts(predictions: pl.DataFrame) -> dict[str, int]:
    """Return the number of positive test records of each class that has both positives and negatives."""
    records = predictions.unique("id").select(pl.col("^label/.*$"))
    sums = {name.split("/", 1)[1]: int(column.sum()) for name, column in zip(records.columns, records, strict=True)}
    return {name: count for name, count in sums.items() if 0 < count < records.height}


Scores = Mapping[str, Mapping[str, Restricted | None]]
"""By task, then encoder."""


def measure(probes: Mapping[str, Mapping[str, object]], metrics: Metrics, fraction: str, least: int) -> Scores:
    """Score every encoder on every task from its saved predictions."""
    return {
        task: {encoder: _of(encoder, task, metrics, fraction, least)
               for encoder in results if paths.predictions(encoder, task).is_file()}
        for task, results in probes.items()
    }  # fmt: skip


def _of(encoder: str, task: str, metrics: Metrics, fraction: str, least: int) -> Restricted | None:
    cell = metrics.at(fraction).get(task, {}).get(encoder, {}).get(metrics.main(encoder))
    if cell is None:
        return None
    stored = tables.read(paths.predictions(encoder, task))
    chosen = stored.filter(fraction=float(fraction), representation=metrics.main(encoder))
    return restricted(chosen, least, cell.mean) if chosen.height else None


def frequent_table(scores: Scores, fraction: str, least: int) -> Table:
    """Return one row per encoder and one column per task: the restricted score, and below it the full one."""
    caption = (
        f"Macro AUROC over the classes with at least {least} positive test records, {percent(fraction)} of the "
        "training labels, with 95% intervals; below it the macro AUROC over all classes that can be scored."
    )
    head: list[str | Stacked] = ["Encoder", *(stacked(TASK_NAMES[task], _classes(scores[task])) for task in scores)]
    return Table(caption, head, encoder_rows(scores, _cell))


def _cell(score: Restricted | None) -> Content:
    if score is None:
        return None
    return stacked(score.frequent.value(), score.frequent.bounds(), f"all classes {score.every:.3f}")


def _classes(results: Mapping[str, Restricted | None]) -> str:
    first = next((score for score in results.values() if score), None)
    return f"{first.classes} of {first.classes + len(first.left_out)} classes" if first else "no class"


def frequent_section(scores: Scores, fraction: str, least: int) -> Html:
    """Draw the table, and name the classes that were left out."""
    lead = (
        "A class with few positive test records moves a macro average by chance. Some publications leave such classes "
        f"out; here both scores stand together. Left out below {least}: {left_out(scores)}."
    )
    return section("frequent", TITLE, table.html(frequent_table(scores, fraction, least)), lead=lead)


def left_out(scores: Scores) -> str:
    """Name the classes that were left out, by task."""
    lines: list[str] = []
    for task, results in scores.items():
        names: Sequence[str] = next((score.left_out for score in results.values() if score), [])
        if names:
            lines.append(f"{TASK_NAMES[task]}: {', '.join(names)}")
    return "; ".join(lines) or "no class"
