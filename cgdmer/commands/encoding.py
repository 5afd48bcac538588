"""Owns where recordings are encoded: beside their decoding in single-threaded workers on a CPU, here on a GPU.

One thread a process is faster than one process with many (no waiting for each other at every layer), and gives the same
bytes whatever the number of workers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from cgdmer import environment
from cgdmer.encoders.cgdmer import Pretrained, open_folder
from cgdmer.models import weights
from cgdmer.recordings.batches import Batch, Job, decode
from cgdmer.recordings.places import Rejected

_opened: dict[str, Pretrained] = {}
"""Encoders of this process by folder."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """The rows of a batch that an encoder took, and what was refused on the way."""

    ids: list[str]
    valid: np.ndarray
    missing: list[tuple[str, ...]]
    features: dict[str, np.ndarray]
    """float32 (n, D) by name."""
    rejected: list[Rejected]


@contextmanager
def encoding(encoder: Pretrained) -> Iterator[tuple[Callable[[Job], Any], Callable[[Any], Encoded]]]:
    """Yield what a worker does with a job, and what this process does with the result."""
    if encoder.device.type != "cpu" or environment.read().executor.startswith("dask"):
        yield decode, partial(encode, encoder=encoder)
        return
    with TemporaryDirectory(prefix="cgdmer-") as folder:
        weights.save(Path(folder), encoder.model, encoder.form, {})
        _opened[folder] = encoder
        try:
            yield partial(_work, folder=folder), _taken
        finally:
            del _opened[folder]


def _work(job: Job, folder: str) -> Encoded:
    torch.set_num_threads(1)
    environment.keep_freed_memory()
    if folder not in _opened:
        _opened[folder] = open_folder(Path(folder))
    return encode(decode(job), _opened[folder])


def _taken(result: Encoded) -> Encoded:
    return result


def encode(batch: Batch, encoder: Pretrained) -> Encoded:
    """Encode what the encoder can take; too short recordings and features that are no numbers are refused by name."""
    valid, patch = np.array(batch.valid, np.int32), encoder.model.settings.patch
    refused = [
        Rejected(batch.ids[row], f"{valid[row]} samples, fewer than a patch of {patch}")
        for row in np.flatnonzero(valid < patch)
    ]
    rows = np.flatnonzero(valid >= patch)
    features: dict[str, np.ndarray] = {}
    if len(rows):
        features = encoder.encode(batch.signal[rows].astype(np.float32) / 1000, valid=valid[rows])
        finite = np.all([np.isfinite(values).all(axis=1) for values in features.values()], axis=0)
        refused += [Rejected(batch.ids[row], "its features are not finite") for row in rows[~finite]]
        rows, features = rows[finite], {name: values[finite] for name, values in features.items()}
    ids, missing = [batch.ids[row] for row in rows], [batch.missing[row] for row in rows]
    return Encoded(ids, valid[rows], missing, features, [*batch.rejected, *refused])
