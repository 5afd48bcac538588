"""Pretraining on reports that say little: only the first line of each, which names the rhythm.

What is trained in other processes would read whole reports, so this needs CGDMER_DEVICES=1.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from unittest.mock import patch

from benchmarks.quality import one_process
from cgdmer import report_text
from cgdmer.simulator import Case
from cgdmer.streams import reference
from cgdmer.streams.blocks import Block


def first(report: str) -> str:
    """Return the first statement of a cleaned report."""
    return report_text.statements(report)[0]


@contextmanager
def read_alone() -> Iterator[None]:
    """Let the tokenizer and the training read first lines only; ConfigError if other processes would train."""
    one_process.require("--first-line")
    whole = reference.report

    def drawn(case: Case, seed: int, number: int) -> str:
        return first(whole(case, seed, number))

    lines = cached_property(lambda block: [first(report) for report in json.loads(block.text.tobytes())])
    lines.__set_name__(Block, "reports")
    with patch.object(reference, "report", drawn), patch.object(Block, "reports", lines):
        yield
