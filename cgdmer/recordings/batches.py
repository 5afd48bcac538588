"""Owns reading many recordings: batches are decoded in worker processes, in order, only a few at once."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np

from cgdmer import executor
from cgdmer.errors import RecordError
from cgdmer.recordings.places import Place, Rejected
from cgdmer.recordings.reading import absent, canonical_of, read
from cgdmer.recordings.stated import Stated
from cgdmer.settings import Signal

log = logging.getLogger(__name__)

Result = TypeVar("Result")

BATCH = 64
"""Recordings decoded by one job and encoded at once: 1.5 MB at 100 Hz."""


@dataclass(frozen=True)
class Job:
    places: tuple[Place | Rejected, ...]
    stated: Stated
    form: Signal
    seconds: float


@dataclass(eq=False)
class Batch:
    """What a job gave, in the order of its places."""

    ids: list[str] = field(default_factory=list)
    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int16))
    """int16 microvolt (n, 12, T), zero after `valid` samples."""
    valid: list[int] = field(default_factory=list)
    missing: list[tuple[str, ...]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def decode(job: Job) -> Batch:
    """Read and canonicalise the recordings of a job; whatever is wrong with one is its own reason."""
    batch, rows = Batch(), []
    for place in job.places:
        if isinstance(place, Rejected):
            batch.rejected.append(place)
            continue
        try:
            made = canonical_of(read(place, job.stated), job.form, job.seconds)
        except RecordError as error:
            batch.rejected.append(Rejected(place.id, _reason(error, place)))
        except MemoryError:
            batch.rejected.append(Rejected(place.id, "too large for the memory of a worker"))
        except Exception as error:  # a reader's fault in one file must not cost the others
            log.exception("%s", place.id)
            batch.rejected.append(Rejected(place.id, f"{type(error).__name__}: {error}"))
        else:
            batch.ids.append(place.id)
            batch.valid.append(made.valid)
            batch.missing.append(absent(made.quality["missing"]))
            rows.append(made.signal)
    batch.signal = np.stack(rows) if rows else batch.signal
    return batch


def results(
    places: Iterable[Place | Rejected],
    stated: Stated,
    form: Signal,
    seconds: float,
    work: Callable[[Job], Result],
) -> Generator[Result, None, None]:
    """Let workers do `work` on each batch of places and yield what it gives, in order, however many files there are."""
    jobs = (Job(part, stated, form, seconds) for part in _parts(places))
    for _, result in executor.ordered(work, jobs):
        yield result


def _parts(places: Iterable[Place | Rejected]) -> Iterator[tuple[Place | Rejected, ...]]:
    waiting = iter(places)
    while part := tuple(islice(waiting, BATCH)):
        yield part


def _reason(error: RecordError, place: Place) -> str:
    """Return why, without the name that stands beside it anyway."""
    reason = error.problem.removeprefix(f"{place.member}: ").removeprefix(f"{place.member} ")
    return f"{reason} (allowed: {error.allowed})" if error.allowed else reason
