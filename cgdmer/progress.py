"""Owns progress: a bar on a terminal, a plain line every few seconds in a log."""

import sys
from collections.abc import Callable
from typing import Any

from tqdm import tqdm

SECONDS = 10.0
"""Between two lines in a log."""
LINE = "{desc}: {n_fmt}/{total_fmt}{unit}, {percentage:.0f} %, {rate_noinv_fmt}, {remaining} left{postfix}"


class Lines(tqdm):  # type: ignore[type-arg]
    """A tqdm that ends each of its states with a new line, so that a log keeps them apart."""

    @staticmethod
    def status_printer(file: Any) -> Callable[[str], None]:
        """Return what writes one state; tqdm's own asks for the line to be overwritten."""

        def write(text: str) -> None:
            if text.strip():
                file.write(f"{text.strip()}\n")
                file.flush()

        return write


def progress(*arguments: Any, shown: bool = True, at_once: bool = False, **named: Any) -> "tqdm[Any]":
    """Return a tqdm, which takes the same arguments; its unit stands in the plural in a log.

    What ends within SECONDS says nothing in a log, unless `at_once`.
    """
    kind: Any = tqdm
    if shown and not sys.stderr.isatty():
        kind = Lines
        named["unit"] = f" {named.get('unit', 'it')}s"
        named |= {"mininterval": SECONDS, "maxinterval": SECONDS, "bar_format": LINE}
        named["delay"] = 0.0 if at_once else SECONDS
    made: tqdm[Any] = kind(*arguments, disable=not shown, **named)
    return made
