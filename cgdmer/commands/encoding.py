"""Where recordings are encoded: on a CPU in the single-threaded workers that decode them, on a GPU in this process.

Many processes with one thread each are faster than one process with many threads, which wait for each other at every
layer, and they give the same bytes for any number of workers.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import numpy as np
import torch

from cgdmer import environment
from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.encoders.usable_leads import refusal
from cgdmer.errors import CgdmerError, DataError
from cgdmer.models import weights
from cgdmer.probing.label_probe_io import MEASUREMENTS
from cgdmer.recordings.batches import Batch, Job, decode
from cgdmer.recordings.discovery import Rejected

_encoders: dict[str, Pretrained] = {}
"""Encoders that this process has loaded, by folder."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """The features of a batch, and the recordings that were rejected."""

    ids: list[str]
    valid: np.ndarray
    missing: list[tuple[str, ...]]
    quality: list[str]
    """What is doubtful about each recording, or `ok`."""
    digests: list[str]
    """Start of the sha256 of each signal that was encoded; equal for identical recordings."""
    features: dict[str, np.ndarray]
    """float32 (B, D) by name."""
    rejected: list[Rejected]


@contextmanager
def encoding(
    encoder: Pretrained, *, measurements: bool = False
) -> Iterator[tuple[Callable[[Job], Any], Callable[[Any], Encoded]]]:
    """Yield two functions: the work of a worker on a job, and the work of this process on the result."""
    if encoder.device.type != "cpu" or environment.read().executor.startswith("dask"):
        yield decode, partial(encode, encoder=encoder, measurements=measurements)
        return
    with TemporaryDirectory(prefix="cgdmer-") as folder:
        _copy(encoder, Path(folder))
        _encoders[folder] = encoder
        try:
            yield partial(_decode_and_encode, folder=folder, measurements=measurements), _unchanged
        finally:
            del _encoders[folder]


def _copy(encoder: Pretrained, folder: Path) -> None:
    """Save an encoder for the workers; DataError if the folder for temporary files is full."""
    try:
        weights.save(folder, encoder.model, encoder.form, {})
    except CgdmerError:
        raise
    except Exception as error:  # the library of the tokenizer raises bare Exception
        raise DataError(
            f"{gettempdir()} cannot hold a copy of the encoder: {error}"[:300],
            fix="free space there, or export TMPDIR=/another/folder",
        ) from error


def _decode_and_encode(job: Job, folder: str, measurements: bool) -> Encoded:
    torch.set_num_threads(1)
    environment.keep_freed_memory()
    if folder not in _encoders:
        _encoders[folder] = open_folder(Path(folder))
    return encode(decode(job), _encoders[folder], measurements)


def _unchanged(result: Encoded) -> Encoded:
    return result


def encode(batch: Batch, encoder: Pretrained, measurements: bool = False) -> Encoded:
    """Encode a batch; reject recordings that the encoder cannot read, and those whose features are not finite.

    With `measurements`, the hand-crafted features of the same signals are added under that name.
    """
    reasons = [_unreadable(batch, row, encoder) for row in range(len(batch.ids))]
    rejected = [Rejected(batch.ids[row], reason) for row, reason in enumerate(reasons) if reason]
    valid, rows = np.array(batch.valid, np.int32), np.flatnonzero([not reason for reason in reasons])
    features: dict[str, np.ndarray] = {}
    if len(rows):
        millivolt = batch.signal[rows].astype(np.float32) / 1000
        features = encoder.encode(millivolt, valid=valid[rows])
        if measurements:
            from cgdmer.encoders.handcrafted import Handcrafted  # its imports take 0.7 s of CPU time per process

            features[MEASUREMENTS] = Handcrafted(encoder.form).encode(millivolt, valid=valid[rows])["pooled"]
        finite = np.all([np.isfinite(values).all(axis=1) for values in features.values()], axis=0)
        rejected += [Rejected(batch.ids[row], "its features are not finite") for row in rows[~finite]]
        rows, features = rows[finite], {name: values[finite] for name, values in features.items()}
    ids, missing = [batch.ids[row] for row in rows], [batch.missing[row] for row in rows]
    quality = [batch.quality[row] for row in rows]
    digests = [hashlib.sha256(batch.signal[row].data).hexdigest()[:16] for row in rows]
    return Encoded(ids, valid[rows], missing, quality, digests, features, [*batch.rejected, *rejected])


def _unreadable(batch: Batch, row: int, encoder: Pretrained) -> str:
    """Return why the encoder cannot read a recording: it is shorter than a patch, or lacks leads; '' if it can."""
    valid, patch = batch.valid[row], encoder.model.settings.patch
    if valid < patch:
        return f"{valid} samples, fewer than a patch of {patch}"
    error = refusal(encoder, batch.signal[row])
    return f"{error.problem} (allowed: {error.allowed})" if error else ""
