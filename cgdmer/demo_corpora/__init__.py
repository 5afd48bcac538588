"""Simulated corpora: one zip per source, in the layout of the real corpus, so that one reader reads both.

Two tables are copied from the real corpora, each CC BY 4.0: `scp_statements.csv` holds the 71
SCP-ECG statements of PTB-XL 1.0.3 (Wagner et al., Scientific Data 7:154, 2020, doi.org/10.13026/kfzx-aw45; first seven
columns), `condition_names.csv` the 63 acronyms of the Chapman-Shaoxing-Ningbo database (Zheng et al., 2022,
doi.org/10.13026/wgex-er52; without its byte order mark). Signals, reports and labels are simulated.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol

from cgdmer.demo_corpora import zipping
from cgdmer.demo_corpora.zipping import Members
from cgdmer.files import atomic
from cgdmer.settings import Corpus


class Layout(Protocol):
    """The interface of a layout module."""

    TOP: str
    """Top folder of the zip, as in PhysioNet's."""

    def files(self, records: int, seed: int) -> Members:
        """Yield the files of the corpus. A record depends on the seed and its number, not on the number of records."""


def write(source: str, path: Path, corpus: Corpus) -> None:
    """Write `corpus.records` simulated records as a zip in the layout of `source`; the same seed gives the same bytes.

    A few groups of records are in memory at a time. Raises ConfigError if the layout cannot number so many records.
    """
    layout: Layout = import_module(f"{__name__}.{source}")
    with atomic(path) as temporary:
        zipping.pack(temporary, layout.TOP, layout.files(corpus.records, corpus.seed))
