"""What becomes of the windows of a recording: a row for each window, or one row that summarises them.

In a summary, vectors are averaged, and a score becomes its mean, its largest value and the second at which the window
of that value begins.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from cgdmer.commands.outputs import Columns, Rejects, Writer
from cgdmer.errors import ConfigError
from cgdmer.progress import grow
from cgdmer.recordings import ArrayMetadata, plausibility, sliding
from cgdmer.recordings.discovery import RecordingPath, Rejected
from cgdmer.settings import Signal
from cgdmer.signals import LEADS

MAX_REASONS = 1000
"""Different doubts or reasons that are counted of one recording."""
COMMON = ("id", "seconds", "missing", "quality")


@dataclass(frozen=True)
class Summary:
    """How the numbers of a recording's windows become one row."""

    centre: Callable[[str, np.ndarray], float]
    """Takes the name of a column and its numbers that are not NaN; vectors are always averaged."""
    extremes: Callable[[str], Sequence[str]]
    """Returns which of `min` and `max` a column has, with their seconds."""


MEANS = Summary(lambda _, values: float(np.nanmean(values)), lambda _: ("max",))
"""For scores."""


@dataclass(frozen=True)
class WindowChoice:
    """Whether recordings are cut into windows, and what a row stands for."""

    every: float | None = None
    """Seconds between the beginnings of two windows; None for one window per recording."""
    per_window: bool = False

    def check(self) -> None:
        """Raise ConfigError for impossible options."""
        sliding.check_every(self.every)
        if self.per_window and self.every is None:
            raise ConfigError("--windows without --every", allowed="--every SECONDS --windows", fix="--every 10")

    @property
    def word(self) -> str:
        """What a row stands for, in the plural."""
        return "windows" if self.per_window else "recordings"

    def cut(
        self, paths: Iterator[RecordingPath | Rejected], metadata: ArrayMetadata, form: Signal, seconds: float,
        start: float, bar: "tqdm[Any]",
    ) -> Iterator[RecordingPath | Rejected]:  # fmt: skip
        """Yield the windows of `seconds` of each recording, or the recordings themselves; `bar` gets their number."""
        if self.every is None:
            return paths
        return sliding.windows(
            paths, metadata, form, sliding.Sliding(seconds, self.every, start), lambda count: grow(bar, count)
        )

    def metadata(self) -> dict[str, Any]:
        """Return what the metadata of an output say of windows: nothing if there is one per recording."""
        return {} if self.every is None else {"every": self.every, "row": "window" if self.per_window else "recording"}


class Table:
    """Collects rows of recordings or windows and rejected ones, and writes what they become.

    `seen` receives what was written.
    """

    def __init__(
        self, choice: WindowChoice, summary: Summary, rejects: Rejects, write: Writer, seen: Callable[[Columns], None]
    ) -> None:
        self._choice, self._summary, self._rejects = choice, summary, rejects
        self._write, self._seen = write, seen
        self._open: dict[str, _Recording] = {}
        self.written, self.doubtful = 0, 0

    def add(self, columns: Columns | None, rejected: Sequence[Rejected]) -> None:
        """Take the rows of a batch and the rejected ones among it, in the order in which they were read."""
        if self._choice.every is None or self._choice.per_window:
            self._rejects.add(rejected)
            if columns is not None:
                self._put(columns if self._choice.every is None else _with_start(columns))
        else:
            self._fold(columns, rejected)

    def finish(self) -> None:
        """Write the recordings whose windows were all read."""
        self._close(list(self._open))

    def _put(self, columns: Columns) -> None:
        self._write(columns)
        self._seen(columns)
        self.written += len(columns["id"])
        self.doubtful += sum(text != plausibility.NOTHING for text in columns["quality"])

    def _fold(self, columns: Columns | None, rejected: Sequence[Rejected]) -> None:
        """Add windows to their recordings; those of which this batch had none are complete."""
        touched = set()
        for row, window in enumerate(columns["id"] if columns else ()):
            name, start = sliding.recording_of(window)
            self._open.setdefault(name, _Recording(name)).add(columns or {}, row, start)
            touched.add(name)
        for each in rejected:
            if each.whole:
                self._rejects.add([each])
                continue
            name, _ = sliding.recording_of(each.id)
            self._open.setdefault(name, _Recording(name)).reject(each.reason)
            touched.add(name)
        self._close([name for name in self._open if name not in touched])

    def _close(self, names: Sequence[str]) -> None:
        for recording in [self._open.pop(name) for name in names]:
            if recording.starts:
                self._put(recording.row(self._summary))
            else:
                self._rejects.add([recording.rejected()])


@dataclass(eq=False)
class _Recording:
    """The windows of one recording that were read so far."""

    name: str
    missing: set[str] = field(default_factory=set)
    starts: list[float] = field(default_factory=list)
    end: float = 0.0
    unused: int = 0
    doubtful: int = 0
    doubts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    sums: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, columns: Columns, row: int, start: float) -> None:
        self.missing.update(columns["missing"][row])
        self.end = start + float(columns["seconds"][row])
        self.starts.append(start)
        if (quality := str(columns["quality"][row])) != plausibility.NOTHING:
            self.doubtful += 1
            _count(self.doubts, quality)
        for name, numbers in _numbers(columns):
            if numbers.ndim == 2:
                self.sums[name] = self.sums.get(name, 0.0) + numbers[row].astype(np.float64)
            else:
                value = numbers[row]
                self.values.setdefault(name, []).append(np.nan if value is np.ma.masked else float(value))

    def reject(self, reason: str) -> None:
        self.unused += 1
        _count(self.reasons, reason)

    def rejected(self) -> Rejected:
        reason, count = self.reasons.most_common(1)[0]
        return Rejected(self.name, f"none of its {self.unused} windows could be used; {count}: {reason}")

    def row(self, summary: Summary) -> Columns:
        """Return the row of the recording."""
        made: dict[str, Any] = {
            "id": [self.name],
            "seconds": np.array([self.end - self.starts[0]], np.float32),
            "missing": [tuple(lead for lead in LEADS if lead in self.missing)],
            "quality": [self._quality()],
            "windows": np.array([len(self.starts)], np.int64),
            "windows_unused": np.array([self.unused], np.int64),
        }
        made |= {name: (total / len(self.starts)).astype(np.float32)[None] for name, total in self.sums.items()}
        for name, values in self.values.items():
            made |= dict(_summarised(name, np.array(values), np.array(self.starts), summary))
        return made

    def _quality(self) -> str:
        if not self.doubtful:
            return plausibility.NOTHING
        return f"{self.doubtful} of {len(self.starts)} windows are doubtful, most often: {_most(self.doubts)}"


def _with_start(columns: Columns) -> Columns:
    """Return the columns of windows with the second at which each begins beside its name."""
    starts = [sliding.recording_of(window)[1] for window in columns["id"]]
    others = {name: values for name, values in columns.items() if name != "id"}
    return {"id": columns["id"], "start": np.array(starts, np.float64), **others}


def _numbers(columns: Columns) -> Iterator[tuple[str, np.ndarray]]:
    for name, values in columns.items():
        if name not in COMMON and isinstance(values, np.ndarray):
            yield name, values


def _summarised(name: str, values: np.ndarray, starts: np.ndarray, summary: Summary) -> Iterator[tuple[str, Any]]:
    """Yield the columns of one row for the numbers (n,) of windows that begin at `starts`; masked without evidence."""
    known = values[~np.isnan(values)]
    yield name, _one(summary.centre(name, known) if len(known) else np.nan)
    for extreme in summary.extremes(name):
        place = 0 if not len(known) else int((np.nanargmax if extreme == "max" else np.nanargmin)(values))
        yield f"{name}/{extreme}", _one(values[place])
        yield f"{name}/{extreme}_at", _one(starts[place] if len(known) else np.nan)


def _one(value: float) -> np.ma.MaskedArray:
    return np.ma.masked_invalid(np.array([value], np.float64))


def _count(counter: Counter[str], text: str) -> None:
    if text in counter or len(counter) < MAX_REASONS:
        counter[text] += 1


def _most(counter: Mapping[str, int]) -> str:
    return max(counter, key=lambda text: counter[text])
