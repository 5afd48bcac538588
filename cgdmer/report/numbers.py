"""The sections of the benchmark page with numbers: linear probes, label fractions, classes, zero-shot, retrieval."""

import math
from collections.abc import Mapping, Sequence

from cgdmer.metrics_json import Metrics, every, protocols_and_seeds
from cgdmer.page import Html, el, number, section
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.comparisons import Bar, from_reference
from cgdmer.page.standalone import Panel
from cgdmer.report import leakage, table
from cgdmer.report.headline import (
    ENCODER_NAMES,
    METHOD,
    SOURCE_NAMES,
    TASK_NAMES,
    chosen,
    encoder_order,
    lines_of,
    name_of,
    number_of,
    percent,
    task_head,
)
from cgdmer.report.table import Stacked, Table, stacked
from cgdmer.results import Example, ProbeResult, RetrievalResult

ONE_PRETRAINING = (
    "CG-DMER is one pretraining here: its intervals leave out how much another seed would change it (see Ablations)."
)


def headline_section(metrics: Metrics, fraction: str) -> Html:
    """Draw the table of one label fraction, and the others folded."""
    blocks = [table.html(probe_table(metrics, fraction))]
    for other in metrics.fractions():
        if other != fraction:
            summary = el("summary", f"With {percent(other)} of the labels")
            blocks.append(el("details", summary, table.html(probe_table(metrics, other))))
    lead = (
        "Macro AUROC on the test split, with the 95% interval of a bootstrap over records. Encoders are frozen; only a "
        "logistic regression is trained. The controls show what plain ECG measurements and networks with random "
        "weights give without any pretraining; a random control is the mean over several draws of its weights, its "
        "interval contains them, and their range stands below it."
    )
    return section("results", "Linear probes", blocks, lead=lead)


def chosen_note(metrics: Metrics) -> str:
    """Say which features stand for each encoder and how they were chosen; empty for results without that choice."""
    if not metrics.headline:
        return ""
    return (
        f"Each encoder is shown by the features that are best on validation with the most labels, mean over the tasks: "
        f"{chosen(metrics)}."
    )


def probe_table(metrics: Metrics, fraction: str) -> Table:
    """Return the linear probes at one label fraction: a row per encoder and representation, a column per task."""
    cells = metrics.at(fraction)
    head: list[str | Stacked] = [
        "Encoder and features",
        *(task_head(task, every({task: cells[task]})) for task in cells),
    ]
    rows = [
        [
            _row_head(metrics, encoder, kind),
            *(number_of(metrics, task, encoder, cells[task].get(encoder, {}).get(kind)) for task in cells),
        ]
        for encoder, kind in lines_of(cells)
    ]
    made = protocols_and_seeds(every(cells))
    caption = (
        f"Macro AUROC with 95% intervals, {percent(fraction)} of the training labels; {made}; n is the number of test "
        "records."
    )
    notes = (
        chosen_note(metrics),
        leakage.note(metrics, cells, SOURCE_NAMES),
        leakage.note_on_others(metrics, cells, SOURCE_NAMES, ENCODER_NAMES),
    )
    return Table(sentences(caption, ONE_PRETRAINING, *notes), head, rows)


def sentences(*parts: str) -> str:
    """Join sentences with a space, without those that are empty."""
    return " ".join(part for part in parts if part)


def _row_head(metrics: Metrics, encoder: str, kind: str) -> Stacked:
    """Name an encoder and its features, and mark the features that stand for it."""
    mark = ", chosen" if encoder in metrics.headline and kind == metrics.main(encoder) else ""
    return stacked(name_of(encoder), f"{kind} features{mark}")


def fraction_section(metrics: Metrics) -> Html:
    """Draw one small chart per task: AUROC against the share of labels, one line per encoder, intervals as bands."""
    encoders = encoders_of(metrics)
    figures = [chart.figure() for chart in fraction_charts(metrics, encoders)]
    lead = (
        "How few labels are enough: macro AUROC as the share of labelled training records grows. Below 100%, means "
        "over nested random subsets; bands are 95% intervals."
    )
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    return section(
        "fractions", "Few labels", keys, el("div", figures, class_="grid"), lead=sentences(lead, chosen_note(metrics))
    )


def encoders_of(metrics: Metrics) -> list[str]:
    return sorted({e for task in metrics.auroc.values() for by_e in task.values() for e in by_e}, key=encoder_order)


def fraction_charts(metrics: Metrics, encoders: Sequence[str]) -> list[Panel]:
    """Draw the chart of each task."""
    return [fraction_chart(metrics, task, encoders) for task in TASK_NAMES if task in metrics.auroc]


def fraction_chart(metrics: Metrics, task: str, encoders: Sequence[str]) -> Panel:
    """Draw AUROC of the chosen features against the share of labels, one line per encoder."""
    fractions = metrics.fractions()
    series, words, drawn = [], [], []
    for style, encoder in enumerate(encoders):
        main = metrics.main(encoder)
        optional = [(x, metrics.auroc[task].get(f, {}).get(encoder, {}).get(main)) for x, f in enumerate(fractions)]
        points = [(x, cell) for x, cell in optional if cell]
        if not points:
            continue
        cells = [cell for _, cell in points]
        drawn += cells
        bounds = [cell.low for cell in cells], [cell.high for cell in cells]
        x, y = [float(x) for x, _ in points], [cell.mean for cell in cells]
        series.append(Series(name_of(encoder), x, y, *bounds, style))
        words.append(f"{name_of(encoder)} " + ", ".join(f"{c.value(2)} at {percent(fractions[x])}" for x, c in points))
    label = f"{TASK_NAMES[task]}, macro AUROC by label share: {'; '.join(words)}"
    ticks = [(float(x), percent(f)) for x, f in enumerate(fractions)]
    drawing = lines(label, series, x_ticks=ticks, y=(floor(metrics), 1.0))
    seen = leakage.note(metrics, [task], SOURCE_NAMES)
    note = f"n {number(drawn[0].n_test)}; {protocols_and_seeds(drawn)}."
    return Panel(TASK_NAMES[task], drawing, sentences(note, seen))


def floor(metrics: Metrics) -> float:
    """Return the lower end of the common axis of all charts: chance, or the lowest bound rounded down to a tenth."""
    lows = [kinds[metrics.main(encoder)].low for task in metrics.auroc.values() for encoders in task.values()
            for encoder, kinds in encoders.items() if metrics.main(encoder) in kinds]  # fmt: skip
    return min(0.5, math.floor(min(lows) * 10) / 10)


def class_section(probes: Mapping[str, Mapping[str, ProbeResult]], metrics: Metrics, fraction: str) -> Html:
    """Draw one chart per task: AUROC of each class, the method as bars from chance, the controls as ticks."""
    encoders = sorted({encoder for results in probes.values() for encoder in results}, key=encoder_order)
    charts = [class_chart(task, probes[task], metrics, encoders, fraction) for task in probes]
    figures = [chart.figure() for chart in charts if chart]
    lead = (
        f"AUROC by class at {percent(fraction)} of the labels: bars start at chance (0.5), thin lines are 95% "
        "intervals, ticks are the controls. The number beside a class is its number of test positives."
    )
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    return section(
        "classes", "Class by class", keys, el("div", figures, class_="flow"), lead=sentences(lead, chosen_note(metrics))
    )


def class_chart(
    task: str, results: Mapping[str, ProbeResult], metrics: Metrics, encoders: Sequence[str], fraction: str
) -> Panel | None:
    """Draw AUROC of each class of a task; None if no encoder was probed at this fraction."""
    shown = [encoder for encoder in encoders if encoder in results]
    optional = {e: results[e].results.get(fraction, {}).get(metrics.main(e)) for e in shown}
    cells = {encoder: cell for encoder, cell in optional.items() if cell}
    if not cells:
        return None
    first, main = next(iter(cells.items()))
    result = results[first]
    ranked = sorted(main.per_class.items(), key=lambda item: (-item[1], item[0]))
    bars = []
    for name, value in ranked:
        low, high = main.per_class_interval[name]
        others = tuple(cells[e].per_class.get(name) if e in cells else None for e in encoders if e != first)
        bars.append(Bar(f"{name} {result.test_positives[name]}", value, low, high, others))
    spoken = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
    label = f"{TASK_NAMES[task]}, AUROC by class of {name_of(first)}: {spoken}"
    left_out, untrained = ", ".join(result.classes_left_out), ", ".join(main.classes_without_train_positive)
    caption = sentences(
        f"n {number(main.n_test)}; {result.protocol} protocol, {name_of(first)}.",
        f"Not scored, because no test record is positive or none is negative: {left_out}." if left_out else "",
        f"No positive to train on, scored 0.5: {untrained}." if untrained else "",
        leakage.note(metrics, [task], SOURCE_NAMES) if first == METHOD else "",
    )
    return Panel(TASK_NAMES[task], from_reference(label, bars), caption)


def zero_shot_tables(metrics: Metrics) -> list[Table]:
    """Return the zero-shot table; none if the model was trained without reports."""
    rows = [
        [TASK_NAMES[task], leakage.marked(metrics, task, cell), number(cell.n_test), cell.prompts, cell.protocol]
        for task, cell in metrics.zero_shots().items()
    ]
    head = ("Task", "Macro AUROC", "n test", "Prompts", "Protocol")
    caption = sentences("CG-DMER, aligned features.", leakage.note(metrics, metrics.zero_shots(), SOURCE_NAMES))
    return [Table(caption, head, rows, text=(0, 3, 4))] if rows else []


def zero_shot_section(metrics: Metrics) -> Html:
    """Draw the zero-shot table."""
    blocks = [table.html(one) for one in zero_shot_tables(metrics)]
    lead = (
        "Each class is a sentence; a record's score is the cosine between its aligned ECG vector and the sentence's. "
        "No label of these tasks was used, and no checkpoint was chosen on them; where pretraining has read reports of "
        "the corpus, the number is marked."
        if blocks
        else "The model was trained without reports, so it has no zero-shot scores."
    )
    return section("zero-shot", "Zero-shot", blocks, lead=lead)


WITHHELD = "Examples are not shown: reports of people (retrieval.examples in params.yaml)."


def retrieval_tables(retrieval: RetrievalResult | None) -> list[Table]:
    """Return recall and median rank in both directions; none if nothing was ranked."""
    if retrieval is None:
        return []
    ks = sorted(retrieval.ecg_to_report.recall, key=int)
    directions = {"ECG to report": retrieval.ecg_to_report, "Report to ECG": retrieval.report_to_ecg}
    rows = [[name, *(f"{way.recall[k]:.1%}" for k in ks), f"{way.median_rank:g}"] for name, way in directions.items()]
    corpora = ", ".join(SOURCE_NAMES.get(source, source) for source in retrieval.sources)
    caption = (
        f"{number(retrieval.n)} held-out records of {corpora} with {number(retrieval.distinct_reports)} distinct "
        f"reports; an identical report counts as correct; a blind guess is right in "
        f"{retrieval.chance_recall_at_1 * 100:.1f}%. Pretraining read other patients of the same corpora."
    )
    return [Table(caption, ("", *(f"Recall at {k}" for k in ks), "Median rank"), rows)]


def retrieval_section(retrieval: RetrievalResult | None) -> Html:
    """Draw recall in both directions and examples of retrieved reports, with their texts escaped."""
    if retrieval is None:
        return section("retrieval", "Finding reports", lead="Nothing was ranked in this run.")
    examples = [_example(entry) for entry in retrieval.examples or []]
    lead = "Given an ECG, find its report among all reports, and the reverse."
    shown: list[Html] = [el("h3", "Examples"), el("div", examples, class_="grid wide")] if examples else []
    blocks = [table.html(one) for one in retrieval_tables(retrieval)]
    return section("retrieval", "Finding reports", blocks, shown or el("p", WITHHELD), lead=lead)


def _example(entry: Example) -> Html:
    items = [
        el("li", near.report, " ", el("span", f"{near.score:.3f}", class_="soft"),
           [" ", el("span", "its own", class_="badge good")] if near.right else None)
        for near in entry.nearest
    ]  # fmt: skip
    title = f"{SOURCE_NAMES.get(entry.source, entry.source)} {entry.id}"
    parts = [
        el("p", title, class_="kicker"),
        el("blockquote", entry.report),
        el("p", "Nearest reports:", class_="soft"),
        el("ol", items, class_="plain"),
    ]
    return el("div", parts, class_="card")
