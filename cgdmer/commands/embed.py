"""`cgdmer embed`: encode any number of recordings in worker processes and write the features in order."""

import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

import cgdmer
from cgdmer.api import load_encoder
from cgdmer.commands.encoding import Encoded, encoding
from cgdmer.commands.outputs import Columns, Rejects, open_output
from cgdmer.encoders.cgdmer import Pretrained
from cgdmer.errors import ConfigError, DataError
from cgdmer.recordings import ArrayMetadata, find_recordings
from cgdmer.recordings.batches import map_batches

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 1024
"""Recordings after which the command stops if none of them could be used."""
SOME_REJECTED = 6
"""Exit code if some recordings were rejected and the others were written."""


@dataclass(frozen=True)
class Request:
    """Which recordings to encode, the metadata of arrays among them, and where to write."""

    paths: Sequence[str]
    output: Path
    metadata: ArrayMetadata = field(default_factory=ArrayMetadata)
    seconds: float | None = None
    """Seconds to use of each recording, from its start; None for the encoder's own length."""

    @property
    def rejects(self) -> Path:
        return self.output.with_name(f"{self.output.stem}.rejects.csv")


@dataclass(frozen=True)
class Outcome:
    """How many recordings were written and how many were rejected."""

    written: int
    rejected: int
    request: Request

    @property
    def code(self) -> int:
        return SOME_REJECTED if self.rejected else 0

    def __str__(self) -> str:
        text = f"{self.written} recordings in {self.request.output}"
        return f"{text}, {self.rejected} rejected: {self.request.rejects}" if self.rejected else text


def encode_all(
    request: Request, encoder: Pretrained, columns: Callable[[dict[str, np.ndarray]], Columns], meta: dict[str, Any]
) -> Outcome:
    """Write one row per readable recording, with what `columns` computes from its features; list the others.

    DataError, without an output, if no recording could be used or the output cannot be written.
    """
    try:
        with Rejects(request.rejects) as rejects:
            count = _write(request, encoder, columns, {**output_metadata(request, encoder), **meta}, rejects)
    except OSError as error:
        raise DataError(
            f"{request.output} cannot be written: {error.strerror or error}", fix=f"df -h {request.output.parent}"
        ) from error
    return Outcome(count, rejects.count, request)


def output_metadata(request: Request, encoder: Pretrained) -> dict[str, Any]:
    """Return the metadata of an output: encoder, version, form of the signals, seconds used."""
    return {
        "encoder": encoder.name,
        "encoder_digest": encoder.digest,
        "cgdmer": cgdmer.__version__,
        "signal": encoder.form.model_dump(),
        "seconds": _seconds(request, encoder),
        "dims": encoder.dims,
    }


def _seconds(request: Request, encoder: Pretrained) -> float:
    seconds = encoder.seconds if request.seconds is None else request.seconds
    if not 1 <= seconds <= encoder.seconds:
        raise ConfigError(f"--seconds {seconds:g}", allowed=f"1 to {encoder.seconds:g}, the encoder's length")
    return seconds


def _write(
    request: Request, encoder: Pretrained, columns: Callable[[dict[str, np.ndarray]], Columns], meta: dict[str, Any],
    rejects: Rejects,
) -> int:  # fmt: skip
    recordings = find_recordings(request.paths, request.metadata, sys.stdin.buffer)
    count, bar = 0, tqdm(unit="record", desc=str(request.output), file=sys.stderr, disable=None)
    with open_output(request.output, meta) as write, encoding(encoder) as (work, finish), bar:
        with closing(map_batches(recordings, request.metadata, encoder.form, meta["seconds"], work)) as results:
            for encoded in map(finish, results):
                rejects.add(encoded.rejected)
                if encoded.ids:
                    write({**common_columns(encoded, encoder.fs), **columns(encoded.features)})
                count += len(encoded.ids)
                bar.update(len(encoded.ids) + len(encoded.rejected))
                if not count and rejects.count >= GIVE_UP_AFTER:
                    raise _nothing_written(request, rejects, f"the first {rejects.count} recordings")
        if not count:
            raise _nothing_written(request, rejects, f"all {rejects.count} recordings")
    return count


def common_columns(encoded: Encoded, fs: float) -> Columns:
    """Return the first columns of every output: id, seconds used, leads that are zero."""
    return {"id": encoded.ids, "seconds": (encoded.valid / fs).astype(np.float32), "missing": encoded.missing}


def _nothing_written(request: Request, rejects: Rejects, which: str) -> DataError:
    if not rejects.count:
        return DataError(
            f"no recording was found in {', '.join(request.paths[:3])}",
            allowed=".hea, .mat, .dat, .npy, .csv, .edf, .dcm; folders, zips, or - for a list of paths",
            fix="for arrays, pass --fs, --unit and --leads, or write a .json beside each",
        )
    reasons = rejects.reasons.most_common(3)
    return DataError(
        f"{which} could not be used; nothing is written. Most frequent reasons: "
        + "; ".join(f"{reason} ({count})" for reason, count in reasons),
        fix=f"see {request.rejects}",
    )


def embed(request: Request, model: str) -> Outcome:
    """Write id, seconds used, missing leads and each representation; `load_encoder` opens `model`."""
    return encode_all(request, load_encoder(model), lambda features: features, {})
