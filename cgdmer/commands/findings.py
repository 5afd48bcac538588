"""The short table that `cgdmer score` prints: the likeliest classes of the first recordings, by name."""

import os
import re
from collections.abc import Sequence
from typing import Any

from cgdmer.commands.outputs import Columns
from cgdmer.evaluation import zero_shot

ROWS, CLASSES = 10, 3
"""Recordings that are shown, and classes of each."""
MAX_ID = 40
"""Characters of an id that are shown, from its end."""


class Findings:
    """Collects the first recordings of an output; its text is the table.

    Columns of `probabilities` are shown by the text of their class, columns of `own` labels by the name of the label.
    """

    def __init__(self, probabilities: Sequence[str], own: Sequence[str] = ()) -> None:
        self._columns, self._own = [*own, *probabilities], frozenset(own)
        self._rows: list[tuple[str, str, str]] = []
        self._more = 0
        self._names: dict[str, str] = {}
        if probabilities:
            prompts = zero_shot.read_prompts(zero_shot.STATEMENTS, zero_shot.STATEMENTS.stem, ensemble=False)
            self._names = {name: texts[0] for name, texts in prompts.texts.items()}

    def add(self, columns: Columns) -> None:
        """Take the rows of a batch; only the first ones are kept."""
        count = len(columns["id"])
        for row in range(min(count, ROWS - len(self._rows))):
            self._rows.append((_short(columns["id"][row]), self._top(columns, row), str(columns["quality"][row])))
        self._more += count

    def _top(self, columns: Columns, row: int) -> str:
        likeliest: dict[str, float] = {}
        for name in sorted(self._columns, key=lambda name: -float(columns[name][row])):
            likeliest.setdefault(self._readable(name), float(columns[name][row]))  # several tasks may have a class
        return ", ".join(f"{name} {value:.2f}" for name, value in list(likeliest.items())[:CLASSES])

    def _readable(self, column: str) -> str:
        name = column.rsplit("/", 1)[-1]
        text = "" if column in self._own else self._names.get(name, "")
        return f"{text} ({name})" if text and len(text) <= MAX_ID else name

    def __str__(self) -> str:
        if not self._rows:
            return ""
        heads = ("recording", "likeliest classes" if self._columns else "(no --probe: no probabilities)", "quality")
        widths = [max(len(row[place]) for row in [heads, *self._rows]) for place in range(len(heads))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                 for row in [heads, *self._rows]]  # fmt: skip
        hidden = self._more - len(self._rows)
        return "\n".join([*lines, *([f"and {hidden} more in the output"] if hidden > 0 else [])])


def without_controls(text: str) -> str:
    """Return a text in which question marks replace control characters, which could act on the terminal."""
    return re.sub(r"[^ -~\u00a0-\ud7ff\ue000-\ufffd]", "?", text)


def _short(name: Any) -> str:
    """Return the end of an id without control characters."""
    text = without_controls(str(name))
    return text if len(text) <= MAX_ID else f"...{os.path.basename(text)[-MAX_ID + 3 :]}"
