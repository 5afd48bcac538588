"""Sliding windows over recordings: how many each has, and their names.

A window is a recording of its own whose name is `PATH#SECOND`, the second at which it begins. Only whole windows are
used; a recording shorter than one is a single window. Two passes find them: the first opens each file in the workers
for its length, the second reads the windows.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from cgdmer.errors import ConfigError, DataError
from cgdmer.recordings import limits
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.batches import Job, map_batches, rejection
from cgdmer.recordings.discovery import RecordingPath, Rejected
from cgdmer.recordings.sources import open_source
from cgdmer.settings import Signal

EVERY = (1.0, 86_400.0)
"""Shortest and longest time between the beginnings of two windows, in seconds."""
MAX_WINDOWS = 200_000
"""Most windows of one recording: 55 hours with one every second, 23 days with one every ten."""
SEPARATOR = "#"


@dataclass(frozen=True)
class Sliding:
    """Which windows are cut from every recording, in seconds."""

    seconds: float
    """Length of a window."""
    every: float
    """Time between the beginnings of two windows."""
    start: float = 0.0
    """Where the first one begins."""


def check_every(every: float | None) -> None:
    """Raise ConfigError for an impossible time between windows; None stands for one window per recording."""
    if every is not None and not EVERY[0] <= every <= EVERY[1]:
        raise ConfigError(
            f"--every {every:g}", allowed=f"{EVERY[0]:g} to {EVERY[1]:,.0f} seconds between windows", fix="--every 10"
        )


def windows(
    paths: Iterable[RecordingPath | Rejected], metadata: ArrayMetadata, form: Signal, sliding: Sliding,
    planned: Callable[[int], None] = lambda _: None,
) -> Iterator[RecordingPath | Rejected]:  # fmt: skip
    """Yield the windows of each recording in order, as recordings; one that cannot be read is yielded as rejected.

    `planned` receives the number of windows of each recording before the first of them is yielded.
    """
    for several in map_batches(paths, metadata, form, sliding.seconds, lengths, sliding.start):
        for path, seconds in several:
            count = 1 if isinstance(path, Rejected) else count_windows(seconds, sliding)
            planned(count)
            for window in [path] if isinstance(path, Rejected) else _cut(path, seconds, count, sliding):
                yield replace(window, whole=True) if isinstance(window, Rejected) else window


def lengths(job: Job) -> list[tuple[RecordingPath | Rejected, float]]:
    """Return each recording of a job with its length in seconds, in a worker; 0 for rejected ones."""
    return [_length(path, job.metadata) for path in job.paths]


def recording_of(window: str) -> tuple[str, float]:
    """Return the recording of a window and the second at which the window begins, from its name."""
    name, _, start = window.rpartition(SEPARATOR)
    return name, float(start)


def _length(path: RecordingPath | Rejected, metadata: ArrayMetadata) -> tuple[RecordingPath | Rejected, float]:
    if isinstance(path, Rejected):
        return path, 0.0
    try:
        with limits.per_file():
            return path, open_source(path, metadata).seconds
    except Exception as error:  # any error of one file must not stop the other files
        return rejection(path, error), 0.0


def count_windows(seconds: float, sliding: Sliding) -> int:
    """Return how many windows a recording has; one that is too short or cannot be used counts as one."""
    return 1 + max(0, int((seconds - sliding.start - sliding.seconds) / sliding.every + 1e-9))


def _cut(path: RecordingPath, seconds: float, count: int, sliding: Sliding) -> Iterator[RecordingPath | Rejected]:
    if sliding.start >= seconds:
        allowed = "a start before the end of the recording"
        yield rejection(path, DataError(f"it ends at {seconds:g} s, before --start {sliding.start:g}", allowed=allowed))
    elif count > MAX_WINDOWS:
        allowed = f"at most {MAX_WINDOWS:,}; a longer --every gives fewer"
        yield rejection(path, DataError(f"it has {count:,} windows", allowed=allowed))
    else:
        for number in range(count):
            start = sliding.start + number * sliding.every
            shown = f"{start:.3f}".rstrip("0").rstrip(".")
            yield replace(path, id=f"{path.id}{SEPARATOR}{shown}", start=start)
