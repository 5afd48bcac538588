"""Owns how tasks, encoders and fractions are called, and the headline table as plain text."""

from collections.abc import Mapping
from typing import Any

from cgdmer.tables import TASKS

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
"""In the order of the tables; `pooled` is what every encoder has."""


def name_of(encoder: str) -> str:
    """Name an encoder as a person would; one that is not known here goes by its own name."""
    return ENCODER_NAMES.get(encoder, encoder)


def percent(fraction: str) -> str:
    """Name a label fraction: `0.01` is `1%`."""
    return f"{float(fraction) * 100:g}%"


def encoder_order(name: str) -> tuple[int, str]:
    """Sort the method first, then the controls that are known, then any other encoder by name."""
    known = list(ENCODER_NAMES)
    return (known.index(name) if name in known else len(known), name)


def lines_of(cells: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the (encoder, representation) pairs that occur in `{task: {encoder: {representation: ...}}}`, in order."""
    found = {(encoder, kind) for encoders in cells.values() for encoder, kinds in encoders.items() for kind in kinds}
    return sorted(found, key=lambda pair: (encoder_order(pair[0]), REPRESENTATIONS.index(pair[1])))


def at(metrics: Mapping[str, Any], fraction: str) -> dict[str, Any]:
    """Return `{task: {encoder: {representation: cell}}}` of one label fraction, tasks in the order of the benchmark."""
    auroc = metrics["auroc"]
    return {task: auroc[task][fraction] for task in TASKS if fraction in auroc.get(task, {})}


def fractions(metrics: Mapping[str, Any]) -> list[str]:
    """Return the label fractions that occur, ascending."""
    return sorted({fraction for task in metrics["auroc"].values() for fraction in task}, key=float)


def headline(metrics: Mapping[str, Any]) -> str:
    """Return the table for a terminal: macro AUROC and interval by task, most labels first.

    Of the controls only pooled features are shown; the report has every representation.
    """
    blocks = [_block(metrics, fraction) for fraction in reversed(fractions(metrics))]
    return "\n\n".join([*blocks, *_zero_shot(metrics)])


def _block(metrics: Mapping[str, Any], fraction: str) -> str:
    cells = at(metrics, fraction)
    shown = [(encoder, kind) for encoder, kind in lines_of(cells) if encoder == METHOD or kind == REPRESENTATIONS[0]]
    head = [["", *(name_of(encoder) for encoder, _ in shown), "n test"], ["", *(kind for _, kind in shown), ""]]
    rows = [
        [
            TASK_NAMES[task],
            *(_cell(cells[task].get(encoder, {}).get(kind)) for encoder, kind in shown),
            _counts(cells[task]),
        ]
        for task in cells
    ]
    title = f"Linear probe, macro AUROC [95% interval], {percent(fraction)} of labels, {_how(cells)}"
    return "\n".join([title, *_aligned([*head, *rows])])


def _zero_shot(metrics: Mapping[str, Any]) -> list[str]:
    cells = {task: metrics["zero_shot"][task] for task in TASK_NAMES if task in metrics["zero_shot"]}
    if not cells:
        return []
    rows = [[TASK_NAMES[task], _cell(cell), str(cell["n_test"])] for task, cell in cells.items()]
    prompts = "/".join(sorted({cell["prompts"] for cell in cells.values()}))
    title = f"Zero-shot, macro AUROC [95% interval], no labels, prompts {prompts}"
    return ["\n".join([title, *_aligned([["", name_of(METHOD), "n test"], ["", "aligned", ""], *rows])])]


def _cell(cell: Mapping[str, Any] | None) -> str:
    return f"{cell['mean']:.3f} [{cell['low']:.2f}, {cell['high']:.2f}]" if cell else "-"


def _counts(encoders: Mapping[str, Any]) -> str:
    return "/".join(str(n) for n in sorted({cell["n_test"] for kinds in encoders.values() for cell in kinds.values()}))


def _how(cells: Mapping[str, Any]) -> str:
    """Say by which protocols and from how many seeds the numbers of a table are."""
    every = [cell for encoders in cells.values() for kinds in encoders.values() for cell in kinds.values()]
    protocols, seeds = sorted({cell["protocol"] for cell in every}), sorted({cell["seeds"] for cell in every})
    return f"protocol {'/'.join(protocols)}, {'/'.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return ["  ".join(row).rstrip() for row in padded]
