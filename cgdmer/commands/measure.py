"""`cgdmer measure`: rhythm, intervals, axes, ST levels and voltages of any number of recordings, one row for each."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

import cgdmer
from cgdmer.commands import destinations
from cgdmer.commands.embed import Request, claim
from cgdmer.commands.outcomes import Counts
from cgdmer.commands.outputs import Columns, Rejects, nothing_written, open_output
from cgdmer.commands.window_rows import Summary, Table
from cgdmer.delineation.measurements import AXES, NAMES, measure
from cgdmer.delineation.recording import delineate
from cgdmer.errors import ConfigError, printable
from cgdmer.progress import terminal_bar
from cgdmer.recordings.batches import Job, decode, map_batches
from cgdmer.recordings.discovery import Rejected
from cgdmer.settings import Signal

FORMATS = (".parquet", ".csv", ".xlsx")
SECONDS = (2.0, 60.0)
"""Shortest and longest part of a recording that is measured."""
FORM = Signal(fs=500.0, seconds=SECONDS[1], high=100.0)
"""In which form recordings are measured: at a rate at which 2 ms are a sample."""
DECIMALS = 4


def median_of(name: str, values: np.ndarray) -> float:
    """Return the median of one measurement over windows (n,); the axes are angles."""
    return median_angle(values) if name in AXES else round(float(np.median(values)), DECIMALS)


def median_angle(degrees: np.ndarray) -> float:
    """Return the median of angles (n,) on both sides of their mean direction, above -180 and at most 180 degrees.

    NaN if they have no mean direction, because they cancel each other.
    """
    mean = np.exp(1j * np.radians(degrees)).mean()
    if abs(mean) < 1e-9:
        return float("nan")
    turns = np.round((np.degrees(np.angle(mean)) - degrees) / 360)  # of each, to within half a turn of the mean
    median = round(float(np.median(degrees + 360 * turns)), DECIMALS)
    return round(median - 360 * float(np.ceil((median - 180) / 360)), DECIMALS)


MEDIANS = Summary(median_of, lambda name: ("min", "max") if name == "heart_rate" else ())
"""Of a recording that is cut into windows: the median of each measurement, and the extremes of the rate."""


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurements of a batch, and the recordings that were rejected."""

    ids: list[str]
    valid: list[int]
    missing: list[tuple[str, ...]]
    quality: list[str]
    values: list[dict[str, float | None]]
    rejected: list[Rejected]

    def columns(self) -> Columns:
        """Return the columns of the table; masked where there is no evidence for a measurement."""
        numbers = {name: [row[name] for row in self.values] for name in NAMES}
        return {
            "id": self.ids,
            "seconds": np.array(self.valid, np.float32) / np.float32(FORM.fs),
            "missing": self.missing,
            "quality": self.quality,
            **{name: masked(values) for name, values in numbers.items()},
        }


@dataclass(frozen=True)
class Outcome(Counts):
    """What was measured, and in how many recordings no beats were found."""

    without_beats: int
    request: Request

    def __str__(self) -> str:
        text = f"{self.written} {self.request.windows.word} measured in {self.request.output}"
        text += self.remarks(self.request.rejects, " (column quality)")
        return text + (f", {self.without_beats} without beats" if self.without_beats else "")


def measure_all(request: Request) -> Outcome:
    """Write one row per readable recording or window; list the others.

    ConfigError for an impossible request. DataError, without an output, if no recording could be used.
    """
    seconds = 10.0 if request.seconds is None else request.seconds
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise ConfigError(f"--seconds {seconds:g}", allowed=f"{SECONDS[0]:g} to {SECONDS[1]:g}", fix="--seconds 10")
    claim(request, FORMATS)
    meta = {destinations.KEY: cgdmer.__version__, "signal": FORM.model_dump(), "start": request.start,
            "seconds": seconds, "measurements": list(NAMES), **request.windows.metadata()}  # fmt: skip
    without = _Without()
    bar = terminal_bar(unit="window" if request.windows.every else "record", desc=printable(str(request.output)))
    with Rejects(request.rejects) as rejects, open_output(request.output, meta) as write, bar:
        table = Table(request.windows, MEDIANS, rejects, write, without)
        with closing(_measured(request, seconds, bar)) as results:
            for batch in results:
                table.add(batch.columns() if batch.ids else None, batch.rejected)
                bar.update(len(batch.ids) + len(batch.rejected))
        table.finish()
        if not table.written:
            raise nothing_written(request.paths, rejects, f"all {rejects.count} {request.windows.word}")
    return Outcome(table.written, rejects.count, table.doubtful, without.count, request)


def _measured(request: Request, seconds: float, bar: "tqdm[Any]") -> Generator[Measured, None, None]:
    recordings = request.windows.cut(request.recordings(), request.metadata, FORM, seconds, request.start, bar)
    return map_batches(recordings, request.metadata, FORM, seconds, measure_batch, request.start)


class _Without:
    """Counts the rows without beats."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, columns: Columns) -> None:
        self.count += int((np.asarray(columns["beats"]) == 0).sum())


def measure_batch(job: Job) -> Measured:
    """Read and measure the recordings of a job, in a worker."""
    batch = decode(job)
    values = [
        measure(delineate(signal[:, :valid].astype(np.float64) / 1000, FORM.fs), missing)
        for signal, valid, missing in zip(batch.signal, batch.valid, batch.missing, strict=True)
    ]
    return Measured(batch.ids, batch.valid, batch.missing, batch.quality, values, batch.rejected)


def masked(values: Sequence[float | None]) -> np.ma.MaskedArray:
    """Return numbers rounded to what they are good for, float64 (n,), masked where there is None."""
    numbers = [np.nan if value is None else round(value, DECIMALS) for value in values]
    return np.ma.masked_invalid(np.array(numbers, np.float64))
