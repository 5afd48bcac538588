"""The ablation section: what the method loses without each of its components."""

from collections.abc import Mapping

from cgdmer.metrics_json import Metrics
from cgdmer.page import Child, Html, el, section
from cgdmer.report import table
from cgdmer.report.headline import MAIN, METHOD, TASK_NAMES, name_of, percent, task_head
from cgdmer.report.table import Changed, Content, Table
from cgdmer.results import Ablation, ZeroShotCell

COMMAND = "make ablations"
FULL = f"{name_of(METHOD)} in full"
NONE = f"No ablation was run. To run them: {COMMAND}"
LEAD = (
    "The method with one component changed or left out: macro AUROC of pooled features and its difference from the "
    "full method, paired by test record and training subset. An interval that contains zero shows no difference."
)
UNLABELLED = (
    "Without labels: zero-shot AUROC, and the pretraining losses on held-out records. Losses of masked ECG compare "
    "only between methods that hide the same patches: with less of a moment hidden, the task is easier."
)
TERMS = {"contrastive": "alignment", "ecg_reconstruction": "masked ECG", "report_reconstruction": "masked words"}
Ablations = Mapping[str, Ablation]
Losses = Mapping[str, float]
"""Losses on held-out records, by term."""


def titled(ablation: Ablation) -> str:
    """Return the name of an ablation; one made with other params, data or code is marked as stale."""
    return f"{ablation.profile.replace('_', ' ')}{' (stale)' if ablation.stale else ''}"


def ablations_section(ablations: Ablations, metrics: Metrics, fraction: str, full: Losses) -> Html:
    """Draw the table of one label fraction, the others folded, and the table of results without labels.

    `full` holds the held-out losses of the full method.
    """
    if not ablations:
        return section("ablations", "Ablations", lead=NONE)
    fractions = {share for one in ablations.values() for task in one.auroc.values() for share in task}
    blocks: list[Child] = [table.html(labelled(ablations, metrics, fraction))] if fraction in fractions else []
    blocks += [
        el("details", el("summary", f"With {percent(other)} of the labels"),
           table.html(labelled(ablations, metrics, other)))
        for other in sorted(fractions - {fraction}, key=float, reverse=True)
    ]  # fmt: skip
    items = [el("li", el("b", titled(ablation)), f": {ablation.does}.") for ablation in ablations.values()]
    stale = any(ablation.stale for ablation in ablations.values())
    note = el("p", f"Stale: made with other params, data or code than the full method. To fix: {COMMAND}")
    unlabelled_table = table.html(unlabelled(ablations, metrics, full))
    content = [blocks, el("ul", items, class_="plain"), unlabelled_table, note if stale else None]
    return section("ablations", "Ablations", *content, lead=LEAD)


def labelled(ablations: Ablations, metrics: Metrics, fraction: str) -> Table:
    """Return macro AUROC at one label fraction, and each ablation's difference from the full method."""
    tested = {task: [one.auroc[task][fraction][MAIN] for one in ablations.values()
                     if MAIN in one.auroc.get(task, {}).get(fraction, {})] for task in TASK_NAMES}  # fmt: skip
    tasks = [task for task in TASK_NAMES if tested[task]]
    cells = metrics.at(fraction)
    full = [cells.get(task, {}).get(METHOD, {}).get(MAIN) for task in tasks]
    rows: list[list[Content]] = [[FULL, *(cell.value() if cell else None for cell in full)]]
    rows += [[titled(one), *(_changed(one, task, fraction) for task in tasks)] for one in ablations.values()]
    caption = (
        f"{percent(fraction)} of the training labels: macro AUROC, its difference from the full method and the 95% "
        "interval of the difference; n is the number of test records."
    )
    return Table(caption, ["Method", *(task_head(task, tested[task]) for task in tasks)], rows)


def _changed(ablation: Ablation, task: str, fraction: str) -> Content:
    cell = ablation.auroc.get(task, {}).get(fraction, {}).get(MAIN)
    difference = ablation.differences.get(task, {}).get(fraction)
    return Changed(cell, difference) if cell and difference else cell.value() if cell else None


def unlabelled(ablations: Ablations, metrics: Metrics, full: Losses) -> Table:
    """Return what needs no labels: zero-shot AUROC, mean over tasks, and losses on held-out records."""
    head = ["Method", "Zero-shot, mean AUROC", "tasks", *(f"loss, {name}" for name in TERMS.values())]
    rows = [[FULL, *_zero_shot(metrics.zero_shot), *_losses(full)]]
    for ablation in ablations.values():
        losses = _losses(ablation.pretraining["held_out"])
        rows.append([titled(ablation), *_zero_shot(ablation.zero_shot), *losses])
    return Table(UNLABELLED, head, rows)


def _losses(held_out: Losses) -> list[str]:
    return [f"{held_out[term]:.3f}" if term in held_out else "–" for term in TERMS]


def _zero_shot(cells: Mapping[str, ZeroShotCell]) -> list[str]:
    means = [cell.mean for cell in cells.values()]
    return [f"{sum(means) / len(means):.3f}", str(len(means))] if means else ["–", "0"]


def tables(ablations: Ablations, metrics: Metrics, fraction: str, full: Losses) -> list[Table]:
    """Return the tables of `report.md`."""
    return [labelled(ablations, metrics, fraction), unlabelled(ablations, metrics, full)] if ablations else []
