"""Owns encoding any number of recordings: decoded and encoded by workers, written in order."""

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
from cgdmer.recordings import Stated, find
from cgdmer.recordings.batches import results

log = logging.getLogger(__name__)

HOPELESS = 1024
"""When so many recordings in a row from the start give nothing, something is wrong with all of them."""
SOME_REJECTED = 6
"""Exit code when some paths gave nothing and the rest was written."""


@dataclass(frozen=True)
class Request:
    """What was asked: which recordings, what is stated of them, where the rows go."""

    paths: Sequence[str]
    output: Path
    stated: Stated = field(default_factory=Stated)
    seconds: float | None = None
    """Use the first so many seconds; the encoder's own length where None."""

    @property
    def rejects(self) -> Path:
        return self.output.with_name(f"{self.output.stem}.rejects.csv")


@dataclass(frozen=True)
class Outcome:
    """How many rows were written, and what was refused."""

    written: int
    rejected: int
    request: Request

    @property
    def code(self) -> int:
        return SOME_REJECTED if self.rejected else 0

    def __str__(self) -> str:
        told = f"{self.written} recordings in {self.request.output}"
        return f"{told}, {self.rejected} refused: {self.request.rejects}" if self.rejected else told


def encode_all(
    request: Request, encoder: Pretrained, columns: Callable[[dict[str, np.ndarray]], Columns], meta: dict[str, Any]
) -> Outcome:
    """Write a row for each readable recording, made by `columns` of its features; list the others.

    DataError, with no output, where none could be read or the output cannot be written.
    """
    try:
        with Rejects(request.rejects) as rejects:
            count = _write(request, encoder, columns, {**about(request, encoder), **meta}, rejects)
    except OSError as error:
        raise DataError(
            f"{request.output} cannot be written: {error.strerror or error}", fix=f"df -h {request.output.parent}"
        ) from error
    return Outcome(count, rejects.count, request)


def about(request: Request, encoder: Pretrained) -> dict[str, Any]:
    """Return what a reader of the output must know: model, version, form of the signals, seconds used."""
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
    places = find(request.paths, request.stated, sys.stdin.buffer)
    count, bar = 0, tqdm(unit="record", desc=str(request.output), file=sys.stderr, disable=None)
    with open_output(request.output, meta) as write, encoding(encoder) as (work, finish), bar:
        with closing(results(places, request.stated, encoder.form, meta["seconds"], work)) as found:
            for done in map(finish, found):
                rejects.add(done.rejected)
                if done.ids:
                    write({**described(done, encoder.fs), **columns(done.features)})
                count += len(done.ids)
                bar.update(len(done.ids) + len(done.rejected))
                if not count and rejects.count >= HOPELESS:
                    raise _nothing(request, rejects, f"the first {rejects.count} recordings")
        if not count:
            raise _nothing(request, rejects, f"all {rejects.count} recordings")
    return count


def described(done: Encoded, fs: float) -> Columns:
    """Return the columns every output begins with: id, seconds used, leads that are zero."""
    return {"id": done.ids, "seconds": (done.valid / fs).astype(np.float32), "missing": done.missing}


def _nothing(request: Request, rejects: Rejects, which: str) -> DataError:
    if not rejects.count:
        return DataError(
            f"no recording was found in {', '.join(request.paths[:3])}",
            allowed=".hea, .mat, .dat, .npy, .csv, .edf, .dcm; folders, zips, or - for a list of paths",
            fix="arrays need --fs, --unit and --leads, or a .json of their own",
        )
    usual = rejects.usual.most_common(3)
    return DataError(
        f"{which} could not be used; nothing is written. Most often: "
        + "; ".join(f"{reason} ({count})" for reason, count in usual),
        fix=f"look at {request.rejects}",
    )


def embed(request: Request, model: str) -> Outcome:
    """Write id, seconds, missing leads and each representation; `model` is what `load_encoder` takes."""
    return encode_all(request, load_encoder(model), lambda features: features, {})
