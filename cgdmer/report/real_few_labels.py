"""Real recordings with few labels or none: a table of all tasks, and a chart of each task with enough records."""

from collections.abc import Sequence

from cgdmer.external.results import SIMULATED, ZERO_SHOT, RealDifference, RealTask
from cgdmer.page import Html, el, number
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.standalone import Panel
from cgdmer.report.headline import ENCODER_NAMES, MAIN, encoder_order, name_of
from cgdmer.report.table import Content, Table, stacked
from cgdmer.results import Interval

NAMES = {ZERO_SHOT: "no label: zero-shot", SIMULATED: "no label: probe of simulated recordings"}
ALL = "all"
NONE = "None: the probe of simulated recordings."
Tasks = Sequence[tuple[str, RealTask]]
"""Name and result of each task."""
FEWEST_POINTS = 4
"""Fewest numbers of labels of a chart."""
DRAWN = ("handcrafted", "random_resnet18", "cgdmer", "cgdmer_base", "random")
"""What stands beside the evaluated encoder, as far as lines can be told apart; the tables have all encoders."""
STYLES, BANDS = 4, 2
"""Most lines of a chart, and how many of them have their interval as a band."""


def few_label_table(tasks: Tasks, method: str) -> list[Table]:
    """Return macro AUROC with no label and with few: a row per task and number of labels; none if nothing is known."""
    with_few = [(name, kind, few) for name, task in tasks for kind, few in task.by_labels()]
    encoders = sorted({encoder for _, _, few in with_few for encoder in few.encoders}, key=encoder_order)
    controls = sorted({encoder for _, _, few in with_few for encoder in few.differences}, key=encoder_order)
    rows: list[list[Content]] = [
        [f"{name}, {NAMES.get(kind, f'{kind} records')}", *(few.encoders.get(encoder) for encoder in encoders),
         *(gap(few.differences.get(control)) for control in controls)]
        for name, kind, few in with_few
    ]  # fmt: skip
    heads = ["Labels", *map(name_of, encoders), *(f"minus {ENCODER_NAMES.get(one, one)}" for one in controls)]
    about = (
        "Macro AUROC with 95% intervals over patients, with few labels of these recordings or none: zero-shot by the "
        "prompts of the package; probes that were fitted on simulated recordings only; probes of each fold on few "
        f"records, the same for all encoders. Differences are those of {name_of(method)}."
    )
    return [Table(about, heads, rows)] if rows else []


def gap(difference: RealDifference | None) -> Content:
    """Write a difference with its interval."""
    return None if difference is None else stacked(difference.value(signed=True), difference.bounds(signed=True))


def curves(tasks: Tasks, method: str) -> Html | None:
    """Draw AUROC against the number of labelled real recordings; None without a task that has enough of them."""
    occurring = {encoder for _, task in tasks for encoder in task.encoders}
    encoders = [name for name in dict.fromkeys([method, *DRAWN]) if name in occurring][:STYLES]
    panels = [chart(name, task, encoders) for name, task in tasks if len(kinds(task)) >= FEWEST_POINTS]
    if not panels:
        return None
    legend = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    return el("div", legend, el("div", [panel.figure() for panel in panels], class_="grid"))


def kinds(task: RealTask) -> list[str]:
    """Return the numbers of labels of a chart: from the probe of simulated recordings to all records."""
    return [kind for kind, _ in task.by_labels() if kind != ZERO_SHOT] + [ALL]


def chart(name: str, task: RealTask, encoders: Sequence[str]) -> Panel:
    """Draw one line per encoder; the leftmost point needs no label of these recordings."""
    series, words, lows = [], [], []
    for style, encoder in enumerate(encoders):
        points = [(float(x), cell) for x, kind in enumerate(kinds(task)) if (cell := _cell(task, kind, encoder))]
        if not points:
            continue
        cells = [cell for _, cell in points]
        lows += [cell.low if style < BANDS else cell.mean for cell in cells]
        low, high = ([cell.low for cell in cells], [cell.high for cell in cells]) if style < BANDS else (None, None)
        means = [cell.mean for cell in cells]
        series.append(Series(name_of(encoder), [x for x, _ in points], means, low, high, style))
        words.append(f"{name_of(encoder)} {', '.join(cell.value(2) for cell in cells)}")
    ticks = [(float(x), "none" if kind == SIMULATED else kind) for x, kind in enumerate(kinds(task))]
    label = f"{name}, macro AUROC by labelled real recordings: {'; '.join(words)}"
    drawing = lines(label, series, x_ticks=ticks, y=(min(0.5, *lows), 1.0))
    return Panel(name, drawing, f"{number(task.records)} records, by how many of them had labels. {NONE}")


def _cell(task: RealTask, kind: str, encoder: str) -> Interval | None:
    if kind == ALL:
        return task.encoders.get(encoder, {}).get(MAIN)
    return task.few[kind].encoders.get(encoder)
