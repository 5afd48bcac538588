"""Read many recordings: worker processes decode them in batches, in order, a few batches at a time."""

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TypeVar

import numpy as np

from cgdmer import executor
from cgdmer.errors import DataError, RecordError
from cgdmer.recordings import limits, plausibility
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.discovery import RecordingPath, Rejected
from cgdmer.recordings.sources import Source, open_source
from cgdmer.settings import Signal
from cgdmer.waveforms import Record

log = logging.getLogger(__name__)

Result = TypeVar("Result")

BATCH = 64
"""Recordings that one job decodes and that are encoded together: 1.5 MB at 100 Hz."""
MAX_REASON = 400
"""Characters of the longest reason in the list of rejects."""
PASSING = (ImportError, MemoryError, OSError, limits.TooSlow)
"""Causes that lie in the machine; a missing file belongs to the recording."""


@dataclass(frozen=True)
class Job:
    """The recordings of one batch and how to read them."""

    paths: tuple[RecordingPath | Rejected, ...]
    metadata: ArrayMetadata
    form: Signal
    seconds: float
    start: float = 0.0
    """The second at which the part of each recording that is used begins."""


@dataclass(eq=False)
class Batch:
    """The decoded recordings of one job, in the order of its paths."""

    ids: list[str] = field(default_factory=list)
    signal: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.int16))
    """int16 microvolt (B, 12, T), zero after `valid` samples."""
    valid: list[int] = field(default_factory=list)
    missing: list[tuple[str, ...]] = field(default_factory=list)
    quality: list[str] = field(default_factory=list)
    """What is doubtful about each recording, or `ok`."""
    rejected: list[Rejected] = field(default_factory=list)


def decode(job: Job) -> Batch:
    """Read the recordings of a job and bring them into canonical form; one that fails is listed with its reason."""
    batch, rows, opened = Batch(), [], LastOpened(job.metadata)
    for path in job.paths:
        if isinstance(path, Rejected):
            batch.rejected.append(path)
            continue
        try:
            with limits.per_file():
                record = opened.part(path, job.start, job.seconds)
                canonical, doubts = plausibility.checked(record, job.form, job.seconds)
        except Exception as error:
            batch.rejected.append(rejection(path, error))
        else:
            batch.ids.append(path.id)
            batch.valid.append(canonical.valid)
            batch.missing.append(plausibility.lead_names(canonical.quality["missing"]))
            batch.quality.append(plausibility.text(doubts))
            rows.append(canonical.signal)
    batch.signal = np.stack(rows) if rows else batch.signal
    return batch


class LastOpened:
    """The recording that was read last, so that its further windows do not open it again."""

    def __init__(self, metadata: ArrayMetadata) -> None:
        self._metadata, self._key = metadata, ("", "")
        self._source: Source | None = None

    def part(self, path: RecordingPath, start: float, seconds: float) -> Record:
        """Return a recording from its own second on, or else from `start`; RecordError if it cannot be read."""
        source = self._source if self._key == (path.root, path.member) else None
        if source is None:
            self._source = None  # two long recordings need not fit into memory
            source = open_source(path, self._metadata)
            self._source, self._key = (source, (path.root, path.member)) if path.start is not None else (None, ("", ""))
        return source.part(start if path.start is None else path.start, seconds)


def rejection(path: RecordingPath, error: Exception) -> Rejected:
    """Return a recording as rejected with the reason; a bug that one file triggers must not stop the other files."""
    if isinstance(error, DataError):
        return Rejected(path.id, _reason(error, path.member), may_pass=_may_pass(error))
    if isinstance(error, MemoryError):
        return Rejected(path.id, "too large for the memory of a worker", may_pass=True)
    log.error("reading a file failed with %s; the list of rejects names it", type(error).__name__)
    return Rejected(path.id, f"{type(error).__name__}: {error}"[:MAX_REASON], may_pass=True)


def _may_pass(error: BaseException | None) -> bool:
    """Return True if an error, or one that led to it, lies in the machine and not in the file."""
    while error is not None:
        if isinstance(error, PASSING) and not isinstance(error, FileNotFoundError):
            return True
        error = error.__cause__ or error.__context__
    return False


def map_batches(
    paths: Iterable[RecordingPath | Rejected],
    metadata: ArrayMetadata,
    form: Signal,
    seconds: float,
    work: Callable[[Job], Result],
    start: float = 0.0,
    size: int | None = None,
) -> Generator[Result, None, None]:
    """Run `work` on each batch of recordings in the workers and yield the results in order, one batch at a time.

    A batch has `size` recordings, by default `BATCH`.

    A file that ends its worker, because it needs too much time or memory, becomes a rejected one; the others are used.
    """
    batches = _batches(paths, size or BATCH)
    jobs, pending = (Job(batch, metadata, form, seconds, start) for batch in batches), deque[Job]()

    def handed_out() -> Iterator[Job]:
        for job in jobs:
            pending.append(job)
            yield job

    while True:
        try:
            for _, result in executor.map_ordered(work, handed_out()):
                pending.popleft()
                yield result
            return
        except executor.WorkerDied:
            log.warning("a worker process was ended; its files are read again, in one process")
        yield from _apart(work, pending)


def _apart(work: Callable[[Job], Result], pending: deque[Job]) -> Iterator[Result]:
    """Run jobs in a process of their own and reject each file that ends it; WorkerDied if no single file does."""
    while pending:
        try:
            for result in executor.map_apart(work, list(pending)):
                pending.popleft()
                yield result
        except executor.WorkerDied:
            job = _without_culprit(work, pending[0])
            if job is pending[0]:
                raise
            pending[0] = job


def _without_culprit(work: Callable[[Job], Result], job: Job) -> Job:
    """Read the files of a job one after another and replace the first that ends its process by its rejection."""
    survived = 0
    try:
        for _ in executor.map_apart(work, [replace(job, paths=(path,)) for path in job.paths]):
            survived += 1
    except executor.WorkerDied:
        paths = list(job.paths)
        reason = f"reading it ended the process: above {2 * limits.SECONDS:g} s or the memory"
        paths[survived] = Rejected(paths[survived].id, reason, may_pass=True)
        return replace(job, paths=tuple(paths))
    return job


def _batches(paths: Iterable[RecordingPath | Rejected], size: int) -> Iterator[tuple[RecordingPath | Rejected, ...]]:
    remaining = iter(paths)
    while batch := tuple(islice(remaining, size)):
        yield batch


def _reason(error: DataError, member: str) -> str:
    """Return the reason without the file name, which the list of rejects holds in its own column."""
    reason = error.reason(member, hide_folder=False) if isinstance(error, RecordError) else error.problem
    reason = reason.removeprefix(f"{member} ")[:MAX_REASON]
    return f"{reason} (allowed: {error.allowed})" if error.allowed else reason
