"""Owns progress: a bar on a terminal, a plain line every few seconds in a log."""

import sys
from typing import Any

from tqdm import tqdm

SECONDS = 10.0
"""Between two lines in a log."""
LINE = "{desc}: {n_fmt}/{total_fmt}{unit}, {percentage:.0f} %, {rate_noinv_fmt}, {remaining} left{postfix}"


class Log:
    """Where a tqdm writes in a log: each of its states ends in a new line, and nothing moves a cursor."""

    def write(self, text: str) -> None:
        """Write one state; what else a tqdm writes is white space, to overwrite a line with."""
        if text.strip():
            sys.stderr.write(f"{text.strip()}\n")

    def flush(self) -> None:
        """Let the log have its lines now."""
        sys.stderr.flush()


def progress(*arguments: Any, shown: bool = True, at_once: bool = False, **named: Any) -> "tqdm[Any]":
    """Return a tqdm, which takes the same arguments; its unit stands in the plural in a log.

    What ends within SECONDS says nothing in a log, unless `at_once`.
    """
    if shown and not sys.stderr.isatty():
        named |= {"file": Log(), "position": 0}  # a tqdm below another would write what moves the cursor
        named["unit"] = f" {named.get('unit', 'it')}s"
        named |= {"mininterval": SECONDS, "maxinterval": SECONDS, "bar_format": LINE}
        named["delay"] = 0.0 if at_once else SECONDS
    kind: Any = tqdm
    made: tqdm[Any] = kind(*arguments, disable=not shown, **named)
    return made
