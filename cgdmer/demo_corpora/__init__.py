"""Owns simulated corpora: each source's own layout, as one zip, so that one reader reads the demo and the real one.

Two tables are carried over because they are facts of the corpora, each CC BY 4.0: `scp_statements.csv` holds the 71
SCP-ECG statements of PTB-XL 1.0.3 (Wagner et al., Scientific Data 7:154, 2020, doi.org/10.13026/kfzx-aw45; first seven
columns), `condition_names.csv` the 63 acronyms of the Chapman-Shaoxing-Ningbo database (Zheng et al., 2022,
doi.org/10.13026/wgex-er52; without its byte order mark). Signals, reports and labels are made here.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol

from cgdmer.demo_corpora import zipping
from cgdmer.demo_corpora.zipping import Members
from cgdmer.files import atomic
from cgdmer.settings import Corpus


class Layout(Protocol):
    """What the module of a layout offers."""

    TOP: str
    """The folder in PhysioNet's own zip."""

    def files(self, records: int, seed: int) -> Members:
        """Yield the corpus's files; record `i` depends on the seed and `i`, never on how many there are."""


def write(source: str, path: Path, corpus: Corpus) -> None:
    """Write `corpus.records` simulated records as a zip in the layout of `source`: the same bytes for the same seed.

    One record is in memory at a time. ConfigError where the layout cannot number so many.
    """
    layout: Layout = import_module(f"{__name__}.{source}")
    with atomic(path) as temporary:
        zipping.pack(temporary, layout.TOP, layout.files(corpus.records, corpus.seed))
