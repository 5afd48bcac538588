"""Owns the parts of the page that show numbers: headline table, label fractions, classes, zero-shot, retrieval."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cgdmer.page import Child, Html, el, number, section, table
from cgdmer.page.charts import Series, key, lines
from cgdmer.page.comparisons import Bar, from_reference
from cgdmer.page.standalone import Panel
from cgdmer.report.headline import SOURCE_NAMES, TASK_NAMES, at, encoder_order, fractions, lines_of, name_of, percent

MAIN = "pooled"
"""The representation that every encoder has; charts that show one show this."""


def cell(entry: Mapping[str, Any] | None) -> Child:
    """Write a mean with its interval below."""
    if not entry:
        return "–"
    interval = f"{entry['low']:.3f} – {entry['high']:.3f}"
    return [f"{entry['mean']:.3f}", el("small", interval, class_="below")]


def how(entries: Sequence[Mapping[str, Any]]) -> str:
    """Say which protocol and how many seeds numbers come from."""
    protocols, seeds = sorted({e["protocol"] for e in entries}), sorted({e["seeds"] for e in entries})
    return f"{' and '.join(protocols)} protocol, {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}"


def headline_section(metrics: Mapping[str, Any], fraction: str) -> Html:
    """Draw the table of one label fraction in full, and the others folded."""
    blocks = [_table(metrics, fraction)]
    for other in fractions(metrics):
        if other != fraction:
            blocks.append(el("details", el("summary", f"With {percent(other)} of the labels"), _table(metrics, other)))
    lead = (
        "Macro AUROC on the test split, with the 95% interval of a bootstrap over records. Encoders are frozen; a "
        "logistic regression is all that learns. The controls say what the architecture and plain ECG measurements "
        "give without any pretraining."
    )
    return section("results", "Linear probes", blocks, lead=lead)


def _table(metrics: Mapping[str, Any], fraction: str) -> Html:
    cells = at(metrics, fraction)
    entries = [e for encoders in cells.values() for kinds in encoders.values() for e in kinds.values()]
    head: list[Child] = ["Encoder and features"]
    head += [[TASK_NAMES[task], el("small", f"n {tested(cells[task])}", class_="below")] for task in cells]
    rows = []
    for encoder, kind in lines_of(cells):
        named = [name_of(encoder), el("small", f"{kind} features", class_="below")]
        rows.append([named, *(cell(cells[task].get(encoder, {}).get(kind)) for task in cells)])
    return table(
        f"{percent(fraction)} of the training labels; {how(entries)}; n is the number of test records.", head, rows
    )


def tested(encoders: Mapping[str, Any]) -> str:
    counts = {e["n_test"] for kinds in encoders.values() for e in kinds.values()}
    return " or ".join(number(n) for n in sorted(counts))


def fraction_section(metrics: Mapping[str, Any]) -> Html:
    """Draw one small chart a task: AUROC against the share of labels, an encoder a line, intervals as bands."""
    shares = fractions(metrics)
    encoders = sorted({e for task in metrics["auroc"].values() for f in task.values() for e in f}, key=encoder_order)
    figures = [
        fraction_chart(metrics, task, shares, encoders).figure() for task in TASK_NAMES if task in metrics["auroc"]
    ]
    lead = (
        "How little labelling is enough: macro AUROC of pooled features as the share of labelled training records "
        "grows. Below 100%, means over nested random subsets; bands are 95% intervals."
    )
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    return section("fractions", "Few labels", keys, el("div", figures, class_="grid"), lead=lead)


def fraction_chart(metrics: Mapping[str, Any], task: str, shares: Sequence[str], encoders: Sequence[str]) -> Panel:
    series, words, entries = [], [], []
    for style, encoder in enumerate(encoders):
        found = [(x, metrics["auroc"][task].get(f, {}).get(encoder, {}).get(MAIN)) for x, f in enumerate(shares)]
        known = [(x, entry) for x, entry in found if entry]
        if not known:
            continue
        entries += [entry for _, entry in known]
        xs, ys = [float(x) for x, _ in known], [entry["mean"] for _, entry in known]
        series.append(
            Series(name_of(encoder), xs, ys, [e["low"] for _, e in known], [e["high"] for _, e in known], style)
        )
        words.append(f"{name_of(encoder)} " + ", ".join(f"{e['mean']:.2f} at {percent(shares[x])}" for x, e in known))
    label = f"{TASK_NAMES[task]}, macro AUROC of pooled features by label share: {'; '.join(words)}"
    ticks = [(float(x), percent(f)) for x, f in enumerate(shares)]
    drawing = lines(label, series, x_ticks=ticks, y=(floor(metrics), 1.0))
    note = f"n {number(entries[0]['n_test'])}; {how(entries)}."
    return Panel(TASK_NAMES[task], drawing, note)


def floor(metrics: Mapping[str, Any]) -> float:
    """Return the lowest AUROC that all small charts show, so that they share one axis: chance, or lower by tenths."""
    lows: list[float] = [entry["low"] for task in metrics["auroc"].values() for encoders in task.values()
            for kinds in encoders.values() for kind, entry in kinds.items() if kind == MAIN]  # fmt: skip
    return min(0.5, math.floor(min(lows) * 10) / 10)


def class_section(probes: Mapping[str, Mapping[str, Any]], fraction: str) -> Html:
    """Draw one chart a task: AUROC of each class, the method as bars from chance, the controls as ticks."""
    encoders = sorted({encoder for results in probes.values() for encoder in results}, key=encoder_order)
    figures = [chart.figure() for task in probes if (chart := class_chart(task, probes[task], encoders, fraction))]
    lead = (
        f"AUROC of pooled features by class at {percent(fraction)} of the labels: bars start at chance (0.5), thin "
        "lines are 95% intervals, ticks are the controls. The number of test positives stands beside each class."
    )
    keys = key([(name_of(encoder), style) for style, encoder in enumerate(encoders)])
    return section("classes", "Class by class", keys, el("div", figures, class_="flow"), lead=lead)


def class_chart(task: str, results: Mapping[str, Any], encoders: Sequence[str], fraction: str) -> Panel | None:
    kinds = {e: results[e]["results"].get(fraction, {}).get(MAIN) for e in encoders if e in results}
    first = next((encoder for encoder in encoders if kinds.get(encoder)), None)
    if first is None:
        return None
    main, positives = kinds[first], results[first]["test_positives"]
    ranked = sorted(main["per_class"].items(), key=lambda item: (-item[1], item[0]))
    bars = []
    for name, value in ranked:
        low, high = main["per_class_interval"][name]
        others = tuple((kinds.get(e) or {}).get("per_class", {}).get(name) for e in encoders if e != first)
        bars.append(Bar(f"{name} {positives[name]}", value, low, high, others))
    spoken = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
    label = f"{TASK_NAMES[task]}, AUROC by class of {name_of(first)}: {spoken}"
    left_out = results[first]["classes_left_out"]
    note = f" Not scored, for want of a positive or negative test record: {', '.join(left_out)}." if left_out else ""
    untrained = main["classes_without_train_positive"]
    note += f" No positive to train on, scored 0.5: {', '.join(untrained)}." if untrained else ""
    caption = f"n {number(main['n_test'])}; {results[first]['protocol']} protocol, {name_of(first)}.{note}"
    return Panel(TASK_NAMES[task], from_reference(label, bars), caption)


def zero_shot_section(metrics: Mapping[str, Any]) -> Html:
    """Draw the zero-shot table: no label of the task was seen."""
    found = {task: metrics["zero_shot"][task] for task in TASK_NAMES if task in metrics["zero_shot"]}
    if not found:
        return section("zero-shot", "Zero-shot", lead="The model was trained without reports, so it reads no prompts.")
    rows = [
        (TASK_NAMES[task], cell(entry), number(entry["n_test"]), entry["prompts"], entry["protocol"])
        for task, entry in found.items()
    ]
    head = ("Task", "Macro AUROC", "n test", "Prompts", "Protocol")
    lead = (
        "Each class is a sentence; a record's score is the cosine between its aligned ECG vector and the sentence's. "
        "No label of these tasks was seen, and no checkpoint was chosen on them."
    )
    return section("zero-shot", "Zero-shot", table("CG-DMER, aligned features.", head, rows, text=(0, 3, 4)), lead=lead)


WITHHELD = "Examples are not shown: reports of people (retrieval.examples in params.yaml)."


def retrieval_section(retrieval: Mapping[str, Any]) -> Html:
    """Draw recall both ways and examples of what was found, report texts as they are (escaped)."""
    if not retrieval:
        return section("retrieval", "Finding reports", lead="Nothing was ranked in this run.")
    ks = sorted(retrieval["ecg_to_report"]["recall"], key=int)
    rows = [
        (name, *(f"{retrieval[way]['recall'][k]:.1%}" for k in ks), f"{retrieval[way]['median_rank']:g}")
        for name, way in (("ECG to report", "ecg_to_report"), ("Report to ECG", "report_to_ecg"))
    ]
    corpora = ", ".join(SOURCE_NAMES.get(source, source) for source in retrieval["sources"])
    caption = (
        f"{number(retrieval['n'])} held-out records of {corpora} with {number(retrieval['distinct_reports'])} distinct "
        f"reports; an identical report counts as correct; a blind guess is right in "
        f"{retrieval['chance_recall_at_1'] * 100:.1f}%."
    )
    head = ("", *(f"Recall at {k}" for k in ks), "Median rank")
    examples = [_example(entry) for entry in retrieval["examples"]]
    lead = "Given an ECG, find its report among all, and the reverse."
    shown: list[Html] = [el("h3", "Examples"), el("div", examples, class_="grid wide")] if examples else []
    return section("retrieval", "Finding reports", table(caption, head, rows), shown or el("p", WITHHELD), lead=lead)


def _example(entry: Mapping[str, Any]) -> Html:
    items = [
        el("li", near["report"], " ", el("span", f"{near['score']:.3f}", class_="soft"),
           [" ", el("span", "its own", class_="badge good")] if near["right"] else None)
        for near in entry["nearest"]
    ]  # fmt: skip
    title = f"{SOURCE_NAMES.get(entry['source'], entry['source'])} {entry['id']}"
    parts = [
        el("p", title, class_="kicker"),
        el("blockquote", entry["report"]),
        el("p", "Nearest reports:", class_="soft"),
        el("ol", items, class_="plain"),
    ]
    return el("div", parts, class_="card")
