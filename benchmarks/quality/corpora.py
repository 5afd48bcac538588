"""What encoders are scored on: simulated benchmark corpora, larger than the demo's, and the real recordings at hand."""

import logging
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from cgdmer import environment, paths, settings, stages, tables
from cgdmer.encoders.chunks import assigned
from cgdmer.evaluation.robustness_features import Change
from cgdmer.external import benchmarks
from cgdmer.external.external_set import ExternalSet
from cgdmer.files import exclusive_lock, work_key
from cgdmer.settings import profiles
from cgdmer.shards import Shards, open_shards

REAL = "ptb_xl"
log = logging.getLogger(__name__)


def as_recorded(signal: np.ndarray, valid: np.ndarray, ids: Sequence[str]) -> np.ndarray:
    """Return the signals (B, 12, T) unchanged."""
    return signal


@dataclass(frozen=True)
class Corpus:
    """One simulated corpus: its shards, its records and its labels."""

    source: str
    shards: Shards
    records: pl.DataFrame
    """Columns row, id, split and valid."""
    index: pl.DataFrame
    change: Change = as_recorded
    """What is done to records before they are encoded."""


def simulated(work: Path) -> list[Corpus]:
    """Return the benchmark corpora of params/probes.yaml, simulated into `work` once; other processes wait for them."""
    content = profiles.read("probes")
    for corpus in content["corpora"].values():
        corpus["way"] = "simulate"
    config = settings.parse(content)
    folder = (work / f"corpora-{work_key(content['corpora'], content['index'], content['signal'])}").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder / ".lock"), chdir(folder):
        for source in config.matrix.benchmarks:
            if not (paths.shards(source) / "manifest.json").is_file():
                for stage in ("acquire", "index", "shards"):
                    stages.call(stage, [source], config)
    return [opened(folder, source) for source in config.matrix.benchmarks]


def opened(folder: Path, source: str) -> Corpus:
    """Open one source of a project."""
    shards = open_shards(folder / paths.shards(source))
    return Corpus(source, shards, assigned(shards), tables.read(folder / paths.index(source)))


def real(config: settings.Settings, work: Path) -> ExternalSet | None:
    """Return the real PTB-XL records at hand, None without any."""
    root = environment.read().raw_root
    copies = benchmarks.copies(REAL, root) if root else []
    if not copies:
        log.warning("no real %s: CGDMER_RAW_ROOT is not set, or holds no copy", REAL)
        return None
    work.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="real-", dir=work) as folder:
        return benchmarks.read(REAL, copies, config, config.signal, Path(folder))
