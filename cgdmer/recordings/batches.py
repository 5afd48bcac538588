"""Read many recordings: worker processes decode them in batches, in order, a few batches at a time."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np

from cgdmer import executor
from cgdmer.errors import RecordError
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.discovery import RecordingPath, Rejected
from cgdmer.recordings.reading import missing_leads, read, to_canonical
from cgdmer.settings import Signal

log = logging.getLogger(__name__)

Result = TypeVar("Result")

BATCH = 64
"""Recordings that one job decodes and that are encoded together: 1.5 MB at 100 Hz."""


@dataclass(frozen=True)
class Job:
    """The recordings of one batch and how to read them."""

    paths: tuple[RecordingPath | Rejected, ...]
    metadata: ArrayMetadata
    form: Signal
    seconds: float


@dataclass(eq=False)
class Batch:
    """The decoded recordings of one job, in the order of its paths."""

    ids: list[str] = field(default_factory=list)
    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int16))
    """int16 microvolt (B, 12, T), zero after `valid` samples."""
    valid: list[int] = field(default_factory=list)
    missing: list[tuple[str, ...]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def decode(job: Job) -> Batch:
    """Read the recordings of a job and bring them into canonical form; one that fails is listed with its reason."""
    batch, rows = Batch(), []
    for path in job.paths:
        if isinstance(path, Rejected):
            batch.rejected.append(path)
            continue
        try:
            canonical = to_canonical(read(path, job.metadata), job.form, job.seconds)
        except RecordError as error:
            batch.rejected.append(Rejected(path.id, _reason(error, path.member)))
        except MemoryError:
            batch.rejected.append(Rejected(path.id, "too large for the memory of a worker"))
        except Exception as error:  # a bug that one file triggers must not stop the other files
            log.exception("%s", path.id)
            batch.rejected.append(Rejected(path.id, f"{type(error).__name__}: {error}"))
        else:
            batch.ids.append(path.id)
            batch.valid.append(canonical.valid)
            batch.missing.append(missing_leads(canonical.quality["missing"]))
            rows.append(canonical.signal)
    batch.signal = np.stack(rows) if rows else batch.signal
    return batch


def map_batches(
    paths: Iterable[RecordingPath | Rejected],
    metadata: ArrayMetadata,
    form: Signal,
    seconds: float,
    work: Callable[[Job], Result],
) -> Generator[Result, None, None]:
    """Run `work` on each batch of recordings in the workers and yield the results in order, one batch at a time."""
    jobs = (Job(batch, metadata, form, seconds) for batch in _batches(paths))
    for _, result in executor.map_ordered(work, jobs):
        yield result


def _batches(paths: Iterable[RecordingPath | Rejected]) -> Iterator[tuple[RecordingPath | Rejected, ...]]:
    remaining = iter(paths)
    while batch := tuple(islice(remaining, BATCH)):
        yield batch


def _reason(error: RecordError, member: str) -> str:
    """Return the reason without the file name, which the list of rejects holds in its own column."""
    reason = error.reason(member, hide_folder=False).removeprefix(f"{member} ")
    return f"{reason} (allowed: {error.allowed})" if error.allowed else reason
