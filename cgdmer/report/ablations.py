"""The ablation section: what the method loses without each of its components, at every label fraction."""

from collections.abc import Iterator, Mapping

from cgdmer.ablation_results import HEADLINE, MEAN, Ablation, DifferenceCell
from cgdmer.page import Child, Html, el, section
from cgdmer.page.charts import key
from cgdmer.page.comparisons import Bar, from_reference
from cgdmer.page.standalone import Panel
from cgdmer.report import table
from cgdmer.report.headline import METHOD, TASK_NAMES, name_of, percent, task_head
from cgdmer.report.paired import p_text
from cgdmer.report.table import Content, Table, stacked
from cgdmer.results import Cell

COMMAND = "make ablations"
FULL = "full"
NAME = f"{name_of(METHOD)} in full"
NONE = f"No ablation was run. To run them: {COMMAND}"
LEAD = (
    "The method with one component changed or left out. Every method, the full one included, is pretrained under "
    "several seeds, apart from the pretraining that the rest of this page shows. Intervals and p-values contain how "
    "much pretrainings, test records and training subsets vary; each method has the features that validation chose for "
    "it. One comparison was planned for each ablation: the mean over tasks with all labels. Its p-value is as it is; "
    "all others are adjusted by Holm, over the whole section."
)
SINGLE = (
    "Only one pretraining is finished of {}: what another seed would change is not in these intervals, and a small "
    f"p-value may be the seed's. To finish the study: {COMMAND}"
)
VOUCHED = (
    "Seeds {}: pretrained with earlier code. A pretraining was repeated with the present code, and all its numbers are "
    "the same."
)
TERMS = {"contrastive": "alignment", "ecg_reconstruction": "masked ECG", "report_reconstruction": "masked words"}
ZERO = "zero-shot"
LEVEL = 0.05
Ablations = Mapping[str, Ablation]
NOTHING: Mapping[str, str] = {}


def titled(ablation: Ablation) -> str:
    """Return the name of a method; one made with other params, data or code is marked as stale."""
    name = NAME if ablation.profile == FULL else ablation.profile.replace("_", " ")
    return f"{name}{' (stale)' if ablation.stale else ''}"


def fractions(ablations: Ablations) -> list[str]:
    """Return the label fractions, most labels first."""
    shares = {share for one in ablations.values() for task in one.auroc.values() for share in task}
    return sorted(shares, key=float, reverse=True)


def columns(ablations: Ablations) -> list[str]:
    """Return the fractions, and zero-shot if any method has it."""
    return fractions(ablations) + ([ZERO] if any(one.zero_shot for one in ablations.values()) else [])


def cell(ablation: Ablation, task: str, column: str) -> Cell | None:
    """Return the value of a method on a task (or the mean) at a fraction, or by zero-shot."""
    if column == ZERO:
        return ablation.zero_shot.get(task)
    return ablation.auroc.get(task, {}).get(column, {}).get(ablation.representation)


def difference(ablation: Ablation, task: str, column: str) -> DifferenceCell | None:
    """Return the difference from the full method."""
    if column == ZERO:
        return ablation.zero_shot_differences.get(task)
    return ablation.differences.get(task, {}).get(column, {}).get(HEADLINE)


def headed(column: str) -> str:
    """Return the head of a column."""
    return column if column == ZERO else f"{percent(column)} of labels"


def ablations_section(ablations: Ablations, left_out: Mapping[str, str] = NOTHING) -> Html:
    """Draw the means over tasks with one dot per pretraining, every fraction by task in full size, and the losses.

    `left_out` names files whose rows are not shown, each with the reason.
    """
    notes = [el("p", line) for line in [*single(ablations), *stale(ablations), *vouched(ablations), *unshown(left_out)]]
    if not ablations:
        return section("ablations", "Ablations", notes, lead=NONE)
    items = [el("li", el("b", titled(one)), f": {one.does}.") for one in ablations.values()]
    figures = [chart(ablations, column).figure() for column in columns(ablations) if _differences(ablations, column)]
    blocks: list[Child] = [
        notes,
        el("ul", [el("li", line) for line in sentences(ablations)], class_="plain"),
        table.html(summary(ablations)),
        key([("difference from the full method, with its 95% interval", 0), ("one pretraining", 3)]),
        el("div", figures, class_="grid wide"),
        [table.html(by_task(ablations, column)) for column in columns(ablations)],
        el("ul", items, class_="plain"),
        table.html(losses(ablations)),
    ]
    return section("ablations", "Ablations", *blocks, lead=LEAD)


def tables(ablations: Ablations) -> list[Table]:
    """Return the tables of `report.md`."""
    if not ablations:
        return []
    return [summary(ablations), *(by_task(ablations, column) for column in columns(ablations)), losses(ablations)]


def text(ablations: Ablations, left_out: Mapping[str, str] = NOTHING) -> str:
    """Return the Markdown before the tables: how they were made, and what they show in sentences."""
    lines = [f"- {line}" for line in sentences(ablations)]
    notes = [*single(ablations), *stale(ablations), *vouched(ablations), *unshown(left_out)]
    return "\n\n".join([LEAD, "\n".join(lines), *notes] if ablations else [NONE, *notes])


def single(ablations: Ablations) -> list[str]:
    """Return a note about methods of which only one pretraining is finished."""
    names = [titled(one) for one in ablations.values() if len(one.pretraining_seeds) == 1]
    return [SINGLE.format(", ".join(names))] if names else []


def stale(ablations: Ablations) -> list[str]:
    """Return a note about rows that were made with other params or code."""
    changes = sorted({change for one in ablations.values() for change in one.changed or []})
    if not any(one.stale for one in ablations.values()):
        return []
    return [f"Stale rows were made with other {', '.join(changes) or 'params or code'}. To fix: {COMMAND}"]


def vouched(ablations: Ablations) -> list[str]:
    """Return a note about pretrainings that a repeated one vouches for."""
    seeds = sorted({seed for one in ablations.values() for seed in one.vouched})
    return [VOUCHED.format(", ".join(map(str, seeds)))] if seeds else []


def unshown(left_out: Mapping[str, str]) -> list[str]:
    """Return a note about rows of an earlier format and of other data."""
    if not left_out:
        return []
    files = ", ".join(f"{path} ({reason})" for path, reason in left_out.items())
    return [f"Not shown: {files}. To fix: {COMMAND}"]


def sentences(ablations: Ablations) -> list[str]:
    """Say what the mean over tasks shows, one sentence per label fraction and one for zero-shot."""
    return [_sentence(ablations, column) for column in columns(ablations)]


def _sentence(ablations: Ablations, column: str) -> str:
    apart = {titled(one): cell for one in ablations.values() if (cell := difference(one, MEAN, column))}
    groups = {
        "worse than the full method": [name for name, cell in apart.items() if shown(cell) and cell.mean < 0],
        "better": [name for name, cell in apart.items() if shown(cell) and cell.mean > 0],
        "no difference shown": [name for name, cell in apart.items() if not shown(cell)],
    }
    parts = [f"{what}: {', '.join(f'{n} {apart[n].value(signed=True)}' for n in names) or 'none'}"
             for what, names in groups.items()]  # fmt: skip
    return f"{headed(column)[:1].upper()}{headed(column)[1:]}, mean over tasks: {'; '.join(parts)}."


def shown(cell: DifferenceCell) -> bool:
    """Return True if the p-value that counts, adjusted unless the comparison was planned, is small."""
    return (cell.p if cell.p_adjusted is None else cell.p_adjusted) <= LEVEL


def summary(ablations: Ablations) -> Table:
    """Return the means over tasks at every fraction and by zero-shot, one row per method."""
    every = columns(ablations)
    rows: list[list[Content]] = []
    for one in ablations.values():
        made = f"{len(one.pretraining_seeds)} pretrainings" if len(one.pretraining_seeds) > 1 else "1 pretraining"
        name = stacked(titled(one), f"{one.representation} features", made)
        rows.append([name, *(content(one, MEAN, column) for column in every)])
    caption = (
        "Macro AUROC, mean over tasks, and its difference from the full method with the 95% interval and the p-value; "
        f"zero-shot reads no labels.{power(ablations, MEAN)}"
    )
    return Table(caption, ["Method", *(headed(column) for column in every)], rows)


def by_task(ablations: Ablations, column: str) -> Table:
    """Return macro AUROC by task at one label fraction or by zero-shot, with differences from the full method."""
    tested = {task: [one for row in ablations.values() if (one := cell(row, task, column))] for task in TASK_NAMES}
    tasks = [task for task in TASK_NAMES if tested[task]]
    rows: list[list[Content]] = [
        [titled(one), *(content(one, task, column) for task in tasks)] for one in ablations.values()
    ]
    what = "Zero-shot" if column == ZERO else f"{percent(column)} of the training labels"
    caption = (
        f"{what}: macro AUROC, its difference from the full method, the 95% interval and the adjusted p-value; n is "
        f"the number of test records.{power(ablations, *tasks, column=column)}"
    )
    return Table(caption, ["Method", *(task_head(task, tested[task]) for task in tasks)], rows)


def content(ablation: Ablation, task: str, column: str) -> Content:
    """Return a value; below it the range over pretrainings of the full method, or the difference from it."""
    value, apart = cell(ablation, task, column), difference(ablation, task, column)
    if value is None:
        return None
    if apart is None:
        seeds = value.by_weights or []
        spread = f"seeds {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else "one seed"
        return stacked(value.value(), value.bounds(), spread)
    return stacked(value.value(), apart.text(signed=True), p_text(apart))


def power(ablations: Ablations, *tasks: str, column: str | None = None) -> str:
    """Write the smallest differences that these comparisons can show."""
    parts = []
    for task in tasks:
        for each in [column] if column else columns(ablations):
            sizes = [apart.detectable for one in ablations.values() if (apart := difference(one, task, each))]
            if sizes:
                name = TASK_NAMES[task] if column else headed(each)
                low, high = f"{min(sizes):.3f}", f"{max(sizes):.3f}"
                parts.append(f"{name} {low}" if low == high else f"{name} {low} to {high}")
    return f" Smallest differences that can be shown (80% power, alpha 0.05): {', '.join(parts)}." if parts else ""


def chart(ablations: Ablations, column: str) -> Panel:
    """Draw each ablation's difference from the full method, mean over tasks, with one dot per pretraining."""
    full = cell(ablations[FULL], MEAN, column) if FULL in ablations else None
    rows = list(_bars(ablations, column, full.mean if full else 0.0))
    reach = max(0.02, *(abs(end) for row in rows for end in (row.low, row.high, *row.dots)))
    ticks = [(-reach, f"−{reach:.2f}"), (0.0, "0"), (reach, f"+{reach:.2f}")]
    words = "; ".join(f"{row.name} {row.value:+.3f} ({row.low:+.3f} to {row.high:+.3f})" for row in rows)
    title = "Zero-shot" if column == ZERO else f"{percent(column)} of the labels"
    drawing = from_reference(
        f"Mean over tasks minus the full method, {title}: {words}", rows, reference=0.0, ticks=ticks, form="+.3f"
    )
    return Panel(title, drawing, "Mean over tasks minus the full method; a dot per pretraining.")


def _differences(ablations: Ablations, column: str) -> bool:
    return any(difference(one, MEAN, column) for one in ablations.values())


def _bars(ablations: Ablations, column: str, full: float) -> Iterator[Bar]:
    """Yield the full method, whose difference is zero and whose dots are its pretrainings, then each ablation."""
    for one in ablations.values():
        value, apart = cell(one, MEAN, column), difference(one, MEAN, column)
        dots = tuple(seed - full for seed in (value.by_weights or [] if value else []))
        if apart:
            yield Bar(one.profile.replace("_", " "), apart.mean, apart.low, apart.high, dots=dots)
        elif one.profile == FULL and value:
            yield Bar(FULL, 0.0, 0.0, 0.0, dots=dots)


def losses(ablations: Ablations) -> Table:
    """Return the pretraining losses on held-out records, means over pretrainings."""
    rows = [[titled(one), *_losses(one.pretraining.get("held_out", {}))] for one in ablations.values()]
    caption = (
        "Pretraining losses on held-out records. Losses of masked ECG compare only between methods that hide the same "
        "patches: with less of a moment hidden, the task is easier."
    )
    return Table(caption, ["Method", *(f"loss, {name}" for name in TERMS.values())], rows)


def _losses(held_out: Mapping[str, float]) -> list[str]:
    return [f"{held_out[term]:.3f}" if term in held_out else "–" for term in TERMS]
