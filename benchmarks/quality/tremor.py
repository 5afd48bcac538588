"""Patients who tremble: a large signal that no report mentions, in pretraining and in every simulated task.

Blocks are shaken as they are read, which other processes would not do, so this needs CGDMER_DEVICES=1.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.quality import one_process
from benchmarks.quality.corpora import Corpus
from cgdmer.evaluation.disturbances import disturb
from cgdmer.settings import Noise, Signal
from cgdmer.streams import stream
from cgdmer.streams.blocks import Block, Key, read_block

TREMOR, SEED = Noise(kind="tremor", mv=0.4), 0


@contextmanager
def recorded(form: Signal) -> Iterator[None]:
    """Let pretraining read records with tremor; ConfigError if other processes would train."""
    one_process.require("--tremor")
    with patch.object(stream, "read_block", partial(shaken, form=form)):
        yield


def shaken(key: Key, folder: Path, form: Signal) -> Block:
    """Read a block and add tremor to its records, the same in every run."""
    block = read_block(key, folder)
    ids = [f"{key.seed}/{key.first + row}" for row in range(len(block.signal))]
    signal = disturb(block.signal.astype(np.float32) / 1000, block.valid, ids, TREMOR, form, SEED)
    return replace(block, signal=np.rint(signal * 1000).astype(np.int16))


def of_patients(corpora: Sequence[Corpus], form: Signal) -> list[Corpus]:
    """Return simulated corpora whose records have tremor as well."""
    change = partial(disturb, disturbance=TREMOR, form=form, seed=SEED)
    return [replace(corpus, change=change) for corpus in corpora]
