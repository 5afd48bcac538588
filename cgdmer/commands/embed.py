"""`cgdmer embed`: encode any number of recordings in worker processes and write the features in order."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import cgdmer
from cgdmer.api import load_encoder
from cgdmer.commands import destinations, encoder_choice, provenance
from cgdmer.commands.encoding import Encoded, encoding
from cgdmer.commands.outcomes import Counts
from cgdmer.commands.outputs import (
    ALL_FORMATS,
    Columns,
    Rejects,
    check_format,
    nothing_written,
    open_output,
)
from cgdmer.commands.window_rows import MEANS, Table, WindowChoice
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.progress import terminal_bar
from cgdmer.recordings import ArrayMetadata, find_recordings
from cgdmer.recordings.batches import map_batches
from cgdmer.recordings.discovery import RecordingPath, Rejected

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 1024
"""Recordings after which the command stops if none of them could be used."""
MAX_START = 10_000_000
"""Seconds from the start of a recording, 115 days."""


@dataclass(frozen=True)
class Request:
    """Which recordings to encode, the metadata of arrays among them, and where to write."""

    paths: Sequence[str]
    output: Path
    metadata: ArrayMetadata = field(default_factory=ArrayMetadata)
    seconds: float | None = None
    """Seconds to use of each recording; None for the encoder's own length."""
    start: float = 0.0
    """The second of each recording at which they begin."""
    overwrite: bool = False
    """Whether files that this program did not write may be replaced; an input never is."""
    windows: WindowChoice = field(default_factory=WindowChoice)
    """Whether recordings are cut into windows of `seconds`, and what a row stands for."""

    @property
    def rejects(self) -> Path:
        return destinations.rejects_beside(self.output)

    def recordings(self) -> Iterator[RecordingPath | Rejected]:
        """Yield the recordings of the paths and of a list; ConfigError for one that the output would replace."""
        found = find_recordings(self.paths, self.metadata, sys.stdin.buffer)
        return destinations.unless_replaced(found, self.output, self.paths)


@dataclass(frozen=True)
class Outcome(Counts):
    """What was written, and by which encoder."""

    request: Request
    encoder: str
    findings: str = ""
    """A short table of the first recordings, for the terminal."""

    def __str__(self) -> str:
        text = f"{self.written} {self.request.windows.word} in {self.request.output}, encoded by {self.encoder}"
        return text + self.remarks(self.request.rejects, " (column quality)")


def encode_all(
    request: Request, encoder: Pretrained, columns: Callable[[dict[str, np.ndarray]], Columns], meta: dict[str, Any],
    seen: Callable[[Columns], None] = lambda _: None, *, measurements: bool = False,
    more: Callable[[Columns], Columns] | None = None,
) -> Outcome:  # fmt: skip
    """Write one row per readable recording or window, with what `columns` computes from its features; list the others.

    `seen` receives the columns of each batch once they are written. With `measurements`, the features hold those too.
    What `more` computes from the columns of finished rows is written after them. The caller has claimed the output.

    DataError, without an output, if no recording could be used or the output cannot be written.
    """
    try:
        with Rejects(request.rejects) as rejects:
            described = {**output_metadata(request, encoder), **meta}
            count, doubtful = _write(request, encoder, columns, described, rejects, seen, measurements, more)
    except OSError as error:
        raise DataError(
            f"{request.output} cannot be written: {error.strerror or error}", fix=f"df -h {request.output.parent}"
        ) from error
    return Outcome(count, rejects.count, doubtful, request, f"{encoder.name} {encoder.digest[:12]}".strip())


def claim(request: Request, formats: Sequence[str] = ALL_FORMATS) -> None:
    """Check format and place of an output before anything is read; ConfigError if it may not be written."""
    if not 0 <= request.start <= MAX_START:
        raise ConfigError(f"--start {request.start:g}", allowed=f"seconds from 0 to {MAX_START:,}", fix="--start 0")
    request.windows.check()
    check_format(request.output, formats)
    inputs = [path for path in request.paths if path != "-"]
    destinations.claim(request.output, inputs, overwrite=request.overwrite)


def output_metadata(request: Request, encoder: Pretrained) -> dict[str, Any]:
    """Return the metadata of an output: encoder, version, form of the signals, seconds used."""
    return {
        destinations.KEY: cgdmer.__version__,
        "encoder": encoder.name,
        "encoder_digest": encoder.digest,
        "signal": encoder.form.model_dump(),
        "start": request.start,
        "seconds": _seconds(request, encoder),
        "dims": encoder.dims,
        **request.windows.metadata(),
    }


def _seconds(request: Request, encoder: Pretrained) -> float:
    seconds = encoder.seconds if request.seconds is None else request.seconds
    if not 1 <= seconds <= encoder.seconds:
        raise ConfigError(f"--seconds {seconds:g}", allowed=f"1 to {encoder.seconds:g}, the encoder's length")
    return seconds


def _write(
    request: Request, encoder: Pretrained, columns: Callable[[dict[str, np.ndarray]], Columns], meta: dict[str, Any],
    rejects: Rejects, seen: Callable[[Columns], None], measurements: bool, more: Callable[[Columns], Columns] | None,
) -> tuple[int, int]:  # fmt: skip
    paths = request.recordings()
    bar = terminal_bar(unit="window" if request.windows.every else "record", desc=printable(str(request.output)))
    at_work = encoding(encoder, measurements=measurements)
    with open_output(request.output, meta) as write, at_work as (work, finish), bar:
        settings = (request.metadata, encoder.form, meta["seconds"])
        recordings = request.windows.cut(paths, *settings, request.start, bar)
        put = write if more is None else lambda rows: write({**rows, **more(rows)})
        table = Table(request.windows, MEANS, rejects, put, seen)
        with closing(map_batches(recordings, *settings, work, request.start)) as results:
            for encoded in map(finish, results):
                row = {**common_columns(encoded, encoder.fs), **columns(encoded.features)} if encoded.ids else None
                table.add(row, encoded.rejected)
                bar.update(len(encoded.ids) + len(encoded.rejected))
                if not table.written and rejects.count >= GIVE_UP_AFTER and request.windows.every is None:
                    raise nothing_written(request.paths, rejects, f"the first {rejects.count} recordings")
        table.finish()
        if not table.written:
            raise nothing_written(request.paths, rejects, f"all {rejects.count} {request.windows.word}")
    return table.written, table.doubtful


def common_columns(encoded: Encoded, fs: float) -> Columns:
    """Return the first columns of every output: id, seconds used, leads that are zero, what is doubtful."""
    return {
        "id": encoded.ids,
        "seconds": (encoded.valid / fs).astype(np.float32),
        "missing": encoded.missing,
        "quality": encoded.quality,
    }


def embed(request: Request, model: str | None) -> Outcome:
    """Write id, seconds used, missing leads, quality and each representation; `load_encoder` opens `model`.

    Without `model`, `encoder_choice` says which encoder is used.
    """
    claim(request)
    model = encoder_choice.choose(model)
    meta = {"fitted_on": provenance.Provenance(provenance.of_model(model)).to_json()}
    return encode_all(request, load_encoder(model), lambda features: features, meta)
