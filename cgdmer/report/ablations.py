"""Owns what the report says of the ablations: what the method loses without each of its parts."""

from collections.abc import Mapping
from typing import Any

from cgdmer.page import Child, Html, el, section, table
from cgdmer.report.headline import METHOD, TASK_NAMES, at, name_of, percent

MAIN = "pooled"
COMMAND = "make ablations"
FULL = f"{name_of(METHOD)} in full"
NONE = f"No ablation was run. To run them: {COMMAND}"
LEAD = (
    "The method with one of its parts changed or left out: macro AUROC of pooled features, and its difference from the "
    "full method, paired by test record and training subset. An interval that holds zero shows no difference."
)
UNLABELLED = (
    "Without labels: zero-shot, and the losses that pretraining reached on held-out records. How well masked ECG is "
    "restored compares only where the same patches are hidden: what hides less of a moment is easier."
)
TERMS = {"contrastive": "alignment", "ecg_reconstruction": "masked ECG", "report_reconstruction": "masked words"}
Rows = Mapping[str, Mapping[str, Any]]
Losses = Mapping[str, Any]
Cell = Mapping[str, Any] | None


def for_metrics(rows: Rows) -> dict[str, Any]:
    """Return the rows as metrics.json holds them: numbers, and whether they are of this state of the method."""
    kept = ("auroc", "differences", "zero_shot", "pretraining", "key", "stale")
    return {name: {key: row[key] for key in kept} for name, row in rows.items()}


def tasks_of(rows: Rows, fraction: str) -> list[str]:
    return [task for task in TASK_NAMES if any(fraction in row["auroc"].get(task, {}) for row in rows.values())]


def titled(row: Mapping[str, Any]) -> str:
    """Name a row by its profile; a row that is not of this state of the method says so."""
    return f"{row['profile'].replace('_', ' ')}{' (stale)' if row['stale'] else ''}"


def ablations_section(rows: Rows, metrics: Mapping[str, Any], fraction: str, reached: Losses) -> Html:
    """Draw the table of one label fraction, the others folded, and what no label says: zero-shot and losses.

    `reached` holds the full method's losses on held-out records.
    """
    if not rows:
        return section("ablations", "Ablations", lead=NONE)
    shares = sorted({share for row in rows.values() for task in row["auroc"].values() for share in task}, key=float)
    blocks: list[Child] = [_table(rows, metrics, fraction)] if fraction in shares else []
    blocks += [
        el("details", el("summary", f"With {percent(share)} of the labels"), _table(rows, metrics, share))
        for share in reversed(shares) if share != fraction
    ]  # fmt: skip
    legend = el("ul", [el("li", el("b", titled(row)), f": {row['does']}.") for row in rows.values()], class_="plain")
    stale = [titled(row) for row in rows.values() if row["stale"]]
    note = el("p", f"Stale: made with other params, data or code than the full method's. To fix: {COMMAND}")
    parts = [blocks, legend, _unlabelled(rows, metrics, reached), note if stale else None]
    return section("ablations", "Ablations", *parts, lead=LEAD)


def _table(rows: Rows, metrics: Mapping[str, Any], fraction: str) -> Html:
    tasks, full = tasks_of(rows, fraction), at(metrics, fraction)
    head: list[Child] = ["Method"]
    head += [[TASK_NAMES[task], el("small", f"n {tested(rows, task, fraction)}", class_="below")] for task in tasks]
    body: list[list[Child]] = [[FULL, *(_value(full.get(t, {}).get(METHOD, {}).get(MAIN)) for t in tasks)]]
    for row in rows.values():
        body.append([titled(row), *(_both(*cells(row, task, fraction)) for task in tasks)])
    caption = (
        f"{percent(fraction)} of the training labels; below each value its difference from the full method and the "
        "95% interval of that; n is the number of test records."
    )
    return table(caption, head, body)


def tested(rows: Rows, task: str, fraction: str) -> str:
    found = {c["n_test"] for row in rows.values() if (c := row["auroc"].get(task, {}).get(fraction, {}).get(MAIN))}
    return " or ".join(f"{n:,}" for n in sorted(found))


def cells(row: Mapping[str, Any], task: str, fraction: str) -> tuple[Cell, Cell]:
    """Return the value of an ablation and its difference from the full method."""
    value = row["auroc"].get(task, {}).get(fraction, {}).get(MAIN)
    return value, row["differences"].get(task, {}).get(fraction)


def _value(cell: Cell) -> Child:
    return f"{cell['mean']:.3f}" if cell else "–"


def _both(value: Cell, apart: Cell) -> Child:
    if not apart:
        return _value(value)
    below = f"{apart['mean']:+.3f}", f"{apart['low']:+.3f}, {apart['high']:+.3f}"
    return [_value(value), *(el("small", words, class_="below") for words in below)]


def unlabelled(rows: Rows, metrics: Mapping[str, Any], reached: Losses) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of what needs no label: zero-shot, mean over tasks, and losses on held-out records."""
    head = ["Method", "Zero-shot, mean AUROC", "tasks", *(f"loss, {name}" for name in TERMS.values())]
    body = [[FULL, *zero_shot(metrics["zero_shot"]), *_losses(reached)]]
    for row in rows.values():
        body.append([titled(row), *zero_shot(row["zero_shot"]), *_losses(row["pretraining"]["held_out"])])
    return head, body


def _losses(held_out: Mapping[str, Any]) -> list[str]:
    return [f"{held_out[term]:.3f}" if term in held_out else "–" for term in TERMS]


def zero_shot(found: Mapping[str, Any]) -> list[str]:
    means = [cell["mean"] for cell in found.values()]
    return [f"{sum(means) / len(means):.3f}", str(len(means))] if means else ["–", "0"]


def _unlabelled(rows: Rows, metrics: Mapping[str, Any], reached: Losses) -> Html:
    head, body = unlabelled(rows, metrics, reached)
    return table(UNLABELLED, head, body)


def markdown(
    rows: Rows, metrics: Mapping[str, Any], fraction: str, reached: Losses
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Return introduction, head and rows of each Markdown table; without rows only the sentence that says so."""
    if not rows:
        return [(NONE, [], [])]
    tasks, full = tasks_of(rows, fraction), at(metrics, fraction)
    head = ["Method", *(f"{TASK_NAMES[task]}, n {tested(rows, task, fraction)}" for task in tasks)]
    plain = [_value(full.get(task, {}).get(METHOD, {}).get(MAIN)) for task in tasks]
    body = [[FULL, *map(str, plain)]]
    for row in rows.values():
        body.append([titled(row), *(_words(*cells(row, task, fraction)) for task in tasks)])
    return [
        (f"{LEAD} {percent(fraction)} of the labels.", head, body),
        (UNLABELLED, *unlabelled(rows, metrics, reached)),
    ]


def _words(value: Cell, apart: Cell) -> str:
    if not (value and apart):
        return "–"
    return f"{value['mean']:.3f}, {apart['mean']:+.3f} ({apart['low']:+.3f} to {apart['high']:+.3f})"
