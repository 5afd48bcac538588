"""Names of tasks, corpora, encoders and label fractions, and the headline tables for a terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from cgdmer.metrics_json import Metrics, counts, every, protocols_and_seeds
from cgdmer.report import table
from cgdmer.report.table import Content, Stacked, Table, stacked
from cgdmer.results import Cell

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
ENCODER_NAMES = {"cgdmer": "CG-DMER", "random": "Random weights", "handcrafted": "Hand-crafted"}
METHOD = "cgdmer"
REPRESENTATIONS = ("pooled", "shared", "specific")
"""In the order of the tables; every encoder has `pooled`."""
MAIN = "pooled"
"""The representation of every chart and comparison that shows one."""


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


def task_head(task: str, cells: Iterable[Cell]) -> Stacked:
    """Return the head of a task's column: its name and its number of test records."""
    return stacked(TASK_NAMES[task], f"n {counts(cells)}")


def lines_of(cells: Mapping[str, Mapping[str, Iterable[str]]]) -> list[tuple[str, str]]:
    """Return the (encoder, representation) pairs of `{task: {encoder: {representation: ...}}}`, in order."""
    pairs = {(encoder, kind) for encoders in cells.values() for encoder, kinds in encoders.items() for kind in kinds}
    return sorted(pairs, key=lambda pair: (encoder_order(pair[0]), REPRESENTATIONS.index(pair[1])))


def headline(content: Mapping[str, Any]) -> str:
    """Return the tables for a terminal, from the content of metrics.json: macro AUROC by task, most labels first.

    Controls show pooled features only; the benchmark page shows every representation.
    """
    metrics = Metrics.from_json(content)
    tables = [_probes(metrics, fraction) for fraction in reversed(metrics.fractions())]
    return "\n\n".join(table.text(one) for one in [*tables, *_zero_shot(metrics)])


def _probes(metrics: Metrics, fraction: str) -> Table:
    cells = metrics.at(fraction)
    shown = [(encoder, kind) for encoder, kind in lines_of(cells) if encoder == METHOD or kind == REPRESENTATIONS[0]]
    rows = [
        [
            TASK_NAMES[task],
            *(encoders.get(encoder, {}).get(kind) for encoder, kind in shown),
            counts(every({task: encoders})),
        ]
        for task, encoders in cells.items()
    ]
    made = protocols_and_seeds(every(cells))
    caption = f"Linear probe, macro AUROC [95% interval], {percent(fraction)} of labels, {made}"
    return Table(caption, ["", *(stacked(name_of(encoder), kind) for encoder, kind in shown), "n test"], rows)


def _zero_shot(metrics: Metrics) -> list[Table]:
    cells = metrics.zero_shots()
    if not cells:
        return []
    prompts = "/".join(sorted({cell.prompts or "" for cell in cells.values()}))
    caption = f"Zero-shot, macro AUROC [95% interval], no labels, prompts {prompts}"
    rows: list[list[Content]] = [[TASK_NAMES[task], cell, f"{cell.n_test:,}"] for task, cell in cells.items()]
    return [Table(caption, ["", stacked(name_of(METHOD), "aligned"), "n test"], rows)]
