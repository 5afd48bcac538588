"""Encoders that compute in Python, on one core, with their batches spread over worker processes."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

import numpy as np

from cgdmer import environment
from cgdmer.encoders.base import Encoder
from cgdmer.executor import open_executor, worker_died


class OneCore:
    """Marks an encoder that uses one core, and whose features of a record do not depend on the batch."""


class Spread:
    """An encoder that gives each worker an equal part of a batch; the features are the same to the bit."""

    def __init__(self, encoder: Encoder, executor: Executor, workers: int) -> None:
        self.name, self.unit, self.leads, self.digest = encoder.name, encoder.unit, encoder.leads, encoder.digest
        self.fs, self.seconds, self.dims = encoder.fs, encoder.seconds, encoder.dims
        self.encoder, self.executor, self.workers = encoder, executor, workers

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T) as features (B, D) by name; WorkerDied if a worker process ends early."""
        parts = [rows for rows in np.array_split(np.arange(len(signal)), self.workers) if len(rows)]
        if len(parts) < 2:
            return self.encoder.encode(signal, leads, valid)
        counts = [None if valid is None else np.asarray(valid)[rows] for rows in parts]
        try:
            futures = [
                self.executor.submit(self.encoder.encode, signal[rows], leads, count)
                for rows, count in zip(parts, counts, strict=True)
            ]
            done = [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise worker_died([]) from error
        return {name: np.concatenate([features[name] for features in done]) for name in self.dims}


@contextmanager
def on_every_core(encoder: Encoder) -> Iterator[Encoder]:
    """Yield the encoder, with its batches spread over CGDMER_WORKERS processes if it uses one core."""
    workers = environment.read().workers
    if not isinstance(encoder, OneCore) or workers == 1:
        yield encoder
        return
    with open_executor() as executor:
        yield Spread(encoder, executor, workers)
