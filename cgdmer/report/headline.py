"""Names of tasks, corpora, encoders and label fractions, and the headline tables for a terminal."""

from collections.abc import Callable, Iterable, Mapping
from textwrap import fill
from typing import Any, TypeVar

from cgdmer.metrics_json import Headline, Metrics, counts, every, protocols_and_seeds
from cgdmer.probing import representations
from cgdmer.probing.representations import REPRESENTATIONS
from cgdmer.report import leakage, table
from cgdmer.report.table import Content, Stacked, Table, stacked
from cgdmer.results import Cell, ProbeResult, rounded

TASK_NAMES = {
    "ptb_xl_super": "PTB-XL Super",
    "ptb_xl_sub": "PTB-XL Sub",
    "ptb_xl_form": "PTB-XL Form",
    "ptb_xl_rhythm": "PTB-XL Rhythm",
    "cpsc2018": "CPSC2018",
    "csn": "CSN",
    "csn_exact": "CSN exact",
}
SOURCE_NAMES = {"mimic_iv_ecg": "MIMIC-IV-ECG", "ptb_xl": "PTB-XL", "cpsc2018": "CPSC2018", "csn": "CSN"}
ENCODER_NAMES = {
    "cgdmer": "CG-DMER",
    "cgdmer_base": "CG-DMER base",
    "random": "Random transformer",
    "random_resnet18": "Random ResNet18",
    "handcrafted": "Hand-crafted",
    "merl_resnet18": "MERL ResNet18",
    "merl_vit_tiny": "MERL ViT-tiny",
    "melp": "MELP",
    "heartlang": "HeartLang",
    "ecg_fm": "ECG-FM",
    "ecgfounder": "ECGFounder",
    "ecg_jepa": "ECG-JEPA",
}
METHOD = "cgdmer"
Score = TypeVar("Score")
MAIN = "pooled"
"""The representation of what is measured for one alone: ablations, robustness, the registry. Every encoder has it."""


def name_of(encoder: str) -> str:
    """Return the display name of an encoder; an unlisted encoder keeps its own name."""
    return ENCODER_NAMES.get(encoder, encoder)


def percent(fraction: str) -> str:
    """Write a label fraction in percent: `0.01` is `1%`."""
    return f"{float(fraction) * 100:g}%"


def encoder_order(name: str) -> tuple[int, str]:
    """Sort key: the method first, then the controls, then other encoders by name."""
    listed = list(ENCODER_NAMES)
    return (listed.index(name) if name in listed else len(listed), name)


def encoder_rows(
    scores: Mapping[str, Mapping[str, Score]], cell: Callable[[Score | None], Content]
) -> list[list[Content]]:
    """Return one row per encoder and one column per task, of `{task: {encoder: score}}`; `cell` writes a score."""
    encoders = sorted({encoder for results in scores.values() for encoder in results}, key=encoder_order)
    return [[name_of(encoder), *(cell(scores[task].get(encoder)) for task in scores)] for encoder in encoders]


def task_head(task: str, cells: Iterable[Cell]) -> Stacked:
    """Return the head of a task's column: its name and its number of test records."""
    return stacked(TASK_NAMES[task], f"n {counts(cells)}")


def lines_of(cells: Mapping[str, Mapping[str, Iterable[str]]]) -> list[tuple[str, str]]:
    """Return the (encoder, representation) pairs of `{task: {encoder: {representation: ...}}}`, in order."""
    pairs = {(encoder, kind) for encoders in cells.values() for encoder, kinds in encoders.items() for kind in kinds}
    return sorted(pairs, key=lambda pair: (encoder_order(pair[0]), REPRESENTATIONS.index(pair[1])))


def choose(probes: Mapping[str, Mapping[str, ProbeResult]]) -> dict[str, Headline]:
    """Choose one representation per encoder, from `{task: {encoder: result}}`, by validation alone.

    An encoder without any task that validation can score is left out.
    """
    encoders = sorted({encoder for results in probes.values() for encoder in results}, key=encoder_order)
    chosen = {}
    for encoder in encoders:
        of_task = {task: results[encoder] for task, results in probes.items() if encoder in results}
        validation = {task: representations.on_validation(result) for task, result in of_task.items()}
        if scores := representations.scores(validation):
            rounded_scores = {kind: rounded(score) for kind, score in scores.items()}
            chosen[encoder] = Headline(representations.best(scores), rounded_scores)
    return chosen


def chosen(metrics: Metrics) -> str:
    """Say which representation stands for each encoder: `CG-DMER shared, Hand-crafted pooled`."""
    ordered = sorted(metrics.headline.items(), key=lambda item: encoder_order(item[0]))
    return ", ".join(f"{name_of(encoder)} {one.representation}" for encoder, one in ordered)


def headline(content: Mapping[str, Any]) -> str:
    """Return the tables for a terminal, from the content of metrics.json: macro AUROC by task, most labels first.

    Every encoder shows the features that validation chose; the benchmark page shows every representation.
    """
    metrics = Metrics.from_json(content)
    tables = [_probes(metrics, fraction) for fraction in reversed(metrics.fractions())]
    return "\n\n".join(table.text(one) for one in [*tables, *_zero_shot(metrics)])


def _probes(metrics: Metrics, fraction: str) -> Table:
    cells = metrics.at(fraction)
    shown = [(encoder, kind) for encoder, kind in lines_of(cells) if kind == metrics.main(encoder)]
    rows = [
        [
            TASK_NAMES[task],
            *(number_of(metrics, task, encoder, encoders.get(encoder, {}).get(kind)) for encoder, kind in shown),
            counts(every({task: encoders})),
        ]
        for task, encoders in cells.items()
    ]
    made = protocols_and_seeds(every(cells))
    caption = f"Linear probe, macro AUROC [95% interval], {percent(fraction)} of labels, {made}"
    if metrics.headline:
        caption += f"\nFeatures chosen on validation: {chosen(metrics)}"
    caption += _seen(metrics, cells)
    return Table(caption, ["", *(stacked(name_of(encoder), kind) for encoder, kind in shown), "n test"], rows)


def _seen(metrics: Metrics, tasks: Iterable[str]) -> str:
    """Return the lines that explain the mark of a corpus that pretraining has read; empty without such a corpus."""
    notes = (
        leakage.note(metrics, tasks, SOURCE_NAMES),
        leakage.note_on_others(metrics, tasks, SOURCE_NAMES, ENCODER_NAMES),
    )
    return "".join(f"\n{fill(note, 110)}" for note in notes if note)


def number_of(metrics: Metrics, task: str, encoder: str, cell: Cell | None) -> Content:
    """Return a probe's number, marked where pretraining has read the corpus."""
    if encoder == METHOD:
        return leakage.marked(metrics, task, cell)
    return leakage.marked_of_other(metrics, encoder, task, cell)


def _zero_shot(metrics: Metrics) -> list[Table]:
    cells = metrics.zero_shots()
    if not cells:
        return []
    prompts = "/".join(sorted({cell.prompts or "" for cell in cells.values()}))
    caption = f"Zero-shot, macro AUROC [95% interval], no labels, prompts {prompts}{_seen(metrics, cells)}"
    rows: list[list[Content]] = [
        [TASK_NAMES[task], leakage.marked(metrics, task, cell), f"{cell.n_test:,}"] for task, cell in cells.items()
    ]
    return [Table(caption, ["", stacked(name_of(METHOD), "aligned"), "n test"], rows)]
