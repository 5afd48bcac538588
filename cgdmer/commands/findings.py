"""The short table that `cgdmer score` prints: the likeliest classes of the first recordings, by name."""

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cgdmer.commands.class_names import class_texts, readable
from cgdmer.commands.outputs import Columns
from cgdmer.commands.references import References
from cgdmer.probing import reference

ROWS, CLASSES = 10, 3
"""Recordings that are shown, and classes of each."""
MAX_ID, MAX_QUALITY = 40, 60
"""Characters of an id that are shown, from its end, and of what is doubtful."""
LARGEST, PLACE = "/max", "/max_at"
"""Endings of the columns of a recording that was cut into windows."""


class Findings:
    """Collects the first recordings of an output; its text is the table, with a line for each of the top classes.

    Columns of `probabilities` are shown by the text of their class, columns of `own` labels by the name of the label,
    and beside a probability its percentile if there are `references`. Of a recording that was cut into windows, the
    largest probability and its time are shown beside the mean.
    """

    def __init__(
        self, probabilities: Sequence[str], own: Sequence[str] = (), references: References | None = None
    ) -> None:
        self._columns, self._own = [*own, *probabilities], frozenset(own)
        self._references = references or References()
        self._rows: list[tuple[str, ...]] = []
        self._shown, self._more, self._windows = 0, 0, False
        self._names = class_texts() if probabilities else {}

    def add(self, columns: Columns) -> None:
        """Take the rows of a batch; only the first ones are kept."""
        count = len(columns["id"])
        self._windows = any(f"{name}{LARGEST}" in columns for name in self._columns)
        for row in range(min(count, ROWS - self._shown)):
            lines = self._lines(columns, row)
            quality = str(columns["quality"][row])
            firsts = (_short(columns["id"][row]), quality if len(quality) <= MAX_QUALITY else f"{quality[:57]}...")
            for number, (name, *values) in enumerate(lines or [("", "")]):
                first, last = firsts if not number else ("", "")
                self._rows.append((first, name, *values, last))
            self._shown += 1
        self._more += count

    def _lines(self, columns: Columns, row: int) -> list[tuple[str, ...]]:
        """Return name, probability, percentile and, for windows, maximum and time of the likeliest classes."""
        ending = LARGEST if self._windows else ""
        likeliest: dict[str, str] = {}  # several tasks may have a class
        for column in sorted(self._columns, key=lambda name: -float(columns[f"{name}{ending}"][row])):
            likeliest.setdefault(self._readable(column), column)
        lines = []
        for name, column in list(likeliest.items())[:CLASSES]:
            values = [f"{float(columns[column][row]):.2f}", *self._percentile(column, float(columns[column][row]))]
            if self._windows:
                at = clock(float(columns[f"{column}{PLACE}"][row]))
                values.append(f"{float(columns[f'{column}{LARGEST}'][row]):.2f} at {at}")
            lines.append((name, *values))
        return lines

    def _percentile(self, column: str, probability: float) -> list[str]:
        """Return the percentile as a cell; no cell if no column has one."""
        quantiles = self._references.quantiles
        if column not in quantiles:
            return ["-"] if quantiles else []
        return [reference.text(float(reference.percentiles(np.array([probability]), quantiles[column])[0]))]

    def _readable(self, column: str) -> str:
        name = column.split("/", 2)[-1]
        return name if column in self._own else readable(name, self._names)

    def __str__(self) -> str:
        if not self._rows:
            return ""
        heads: tuple[str, ...] = ("recording", "(no --probe: no probabilities)", "", "quality")
        if self._columns:
            compared = ("percentile",) if self._references.quantiles else ()
            values = ("mean", *compared, "largest") if self._windows else ("probability", *compared)
            heads = ("recording", "likeliest classes", *values, "quality")
        widths = [max(len(row[place]) for row in [heads, *self._rows]) for place in range(len(heads))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
                 for row in [heads, *self._rows]]  # fmt: skip
        hidden = self._more - self._shown
        return "\n".join([*lines, *([f"and {hidden} more in the output"] if hidden > 0 else [])])


def clock(seconds: float) -> str:
    """Return a time from the beginning of a recording as H:MM:SS."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def without_controls(text: str) -> str:
    """Return a text in which question marks replace control characters, which could act on the terminal."""
    return re.sub(r"[^ -~\u00a0-\ud7ff\ue000-\ufffd]", "?", text)


def _short(name: Any) -> str:
    """Return the end of an id without control characters."""
    text = without_controls(str(name))
    return text if len(text) <= MAX_ID else f"...{os.path.basename(text)[-MAX_ID + 3 :]}"
