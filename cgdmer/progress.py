"""Progress display: a bar on a terminal, a plain line every few seconds in a log."""

import logging
import sys
from typing import Any

from tqdm import tqdm

SECONDS = 10.0
"""Seconds between two lines in a log."""
LINE = "{desc}: {n_fmt}/{total_fmt}{unit}, {percentage:.0f} %, {rate_noinv_fmt}, {remaining} left{postfix}"


class LogStream:
    """The output stream of a tqdm in a log: each update is one line, without control characters."""

    def write(self, text: str) -> None:
        """Write one update; skip the white space with which tqdm overwrites a line."""
        if text.strip():
            sys.stderr.write(f"{text.strip()}\n")

    def flush(self) -> None:
        """Flush the log."""
        sys.stderr.flush()


def progress(*arguments: Any, shown: bool = True, at_once: bool = False, **options: Any) -> "tqdm[Any]":
    """Return a tqdm, which takes the same arguments; in a log its unit is in the plural.

    A loop that ends within SECONDS writes nothing to a log, unless `at_once` is set.
    """
    if shown and not sys.stderr.isatty():
        options |= {"file": LogStream(), "position": 0}  # a nested tqdm would write cursor movements
        options["unit"] = f" {options.get('unit', 'it')}s"
        options |= {"mininterval": SECONDS, "maxinterval": SECONDS, "bar_format": LINE}
        options["delay"] = 0.0 if at_once else SECONDS
    kind: Any = tqdm
    bar: tqdm[Any] = kind(*arguments, disable=not shown, **options)
    return bar


def terminal_bar(*arguments: Any, **options: Any) -> "tqdm[Any]":
    """Return a tqdm for a command: shown on a terminal, unless --quiet is set, and never in a log."""
    shown = sys.stderr.isatty() and logging.getLogger("cgdmer").isEnabledFor(logging.INFO)
    kind: Any = tqdm
    bar: tqdm[Any] = kind(*arguments, file=sys.stderr, disable=not shown, **options)
    return bar


def grow(bar: "tqdm[Any]", count: int) -> None:
    """Add to the total of a bar, for work whose amount becomes known bit by bit."""
    bar.total = (bar.total or 0) + count
    bar.refresh()
