"""Features and scores of the recordings of a source that have none yet: incremental by content, resumable."""

import dataclasses
import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import cgdmer
from cgdmer.commands import scorer
from cgdmer.commands.embed import common_columns
from cgdmer.commands.encoding import Encoded, encoding
from cgdmer.commands.outputs import Columns
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, DataError
from cgdmer.operations import bucket, store
from cgdmer.operations.content import Digests
from cgdmer.operations.models import Model, resolve
from cgdmer.recordings import ArrayMetadata, RecordingPath, find_recordings, plausibility
from cgdmer.recordings.batches import map_batches
from cgdmer.recordings.discovery import Rejected

log = logging.getLogger(__name__)
CHUNK = 1024
"""Recordings of a part: what a run that is killed may compute again."""
KINDS = ("embed", "score")
Found = tuple[RecordingPath | Rejected, str]
"""A recording with the digest of its content."""


@dataclass(frozen=True)
class Request:
    """What to compute (`embed` or `score`), of which recordings, with which model, and where to keep it."""

    kind: str
    source: str
    """A folder, a zip, a recording or s3://BUCKET/PREFIX."""
    output: Path
    model: str = "champion"
    """An alias or a version of the registry, or what `load_encoder` takes."""
    metadata: ArrayMetadata = field(default_factory=ArrayMetadata)
    options: scorer.ScoreOptions = field(default_factory=scorer.ScoreOptions)


@dataclass
class Outcome:
    """How many recordings a run found, knew already, wrote and rejected."""

    folder: Path
    model: Model
    found: int = 0
    known: int = 0
    written: int = 0
    rejected: int = 0
    doubtful: int = 0
    may_pass: int = 0
    """Rejected recordings of which the cause may lie in this machine, such as a library that is not installed."""
    waiting: int = 0
    """Recordings of earlier runs that were rejected for such a cause several times; another environment tries them.

    All that the store holds are counted, because unchanged objects of a bucket are not found again.
    """
    seconds: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        waiting = f", {self.waiting} given up until {store.READERS} change" if self.waiting else ""
        may_pass = f" ({self.may_pass} of them may lack a library, memory or time)" if self.may_pass else ""
        return (
            f"{self.found} recordings, {self.known} known already{waiting}, {self.written} written, "
            f"{self.rejected} rejected{may_pass}, {self.doubtful} doubtful, in {self.folder}, by {self.model.label}"
        )


def run(request: Request, log_line: Callable[[str], None] = log.info) -> Outcome:
    """Encode or score the new recordings of a source and return what was done.

    ConfigError for an unknown kind, source or model; DataError if there is no recording at all.
    """
    if request.kind not in KINDS:
        raise ConfigError(f"kind {request.kind}", allowed=", ".join(KINDS))
    started, model = time.monotonic(), resolve(request.model)
    encoder, columns, identity, meta = _prepare(request, model)
    with store.opened(request.output, request.kind, identity) as kept:
        outcome = Outcome(kept.folder, model, waiting=len(kept.waiting))
        with _located(request, kept) as found, encoding(encoder) as (work, finish):
            for chunk in _chunks(_new(found, kept, outcome)):
                paths = [path for path, _ in chunk]
                batches = map_batches(iter(paths), request.metadata, encoder.form, encoder.seconds, work)
                _write(kept, chunk, list(map(finish, batches)), encoder, columns, meta, outcome)
                log_line(str(outcome))
    outcome.seconds = time.monotonic() - started
    if not outcome.found and not kept.known and not kept.pending:
        raise DataError(
            f"no recording was found in {request.source}",
            allowed="a folder, a zip, a recording or s3://BUCKET/PREFIX",
            fix="for arrays, state fs, unit and leads",
        )
    return outcome


def _prepare(
    request: Request, model: Model
) -> tuple[Pretrained, Callable[[dict[str, np.ndarray]], Columns], dict[str, Any], dict[str, Any]]:
    """Return the encoder, the columns of its results, what decides them, and the metadata of a part."""
    if request.kind == "score":
        scores = scorer.load(scorer.choose(model.address, request.options))
        scores.own.check(scores.encoder, scores.encoder.seconds, 0.0)
        encoder, columns, more = scores.encoder, scores.columns, scores.metadata()
    else:
        encoder, columns, more = cgdmer.load_encoder(model.address), _unchanged, {}
    identity = {"kind": request.kind, "encoder_digest": encoder.digest, "signal": encoder.form.model_dump(),
                "arrays": dataclasses.asdict(request.metadata), **more}  # fmt: skip
    meta = {"cgdmer": cgdmer.__version__, "encoder": encoder.name, "model": model.label, **identity}
    return encoder, columns, identity, meta


def _unchanged(features: dict[str, np.ndarray]) -> Columns:
    return features


@contextmanager
def _located(request: Request, kept: store.Store) -> Iterator[Iterator[RecordingPath | Rejected]]:
    """Yield the recordings of the source; those of a bucket are local files meanwhile, with their address as id."""
    if not request.source.startswith(bucket.SCHEME):
        if not Path(request.source).exists():
            raise ConfigError(f"there is no {request.source}", allowed="a folder, a zip, s3://BUCKET/PREFIX")
        yield find_recordings([request.source], request.metadata)
        return
    address = request.source.rstrip("/")
    again = bucket.names(address, kept.pending)
    with bucket.downloaded(request.source, kept.folder / "bucket", again) as local:
        found = find_recordings([str(local)], request.metadata)
        yield (dataclasses.replace(one, id=one.id.replace(str(local), address, 1)) for one in found)


def _new(found: Iterator[RecordingPath | Rejected], kept: store.Store, outcome: Outcome) -> Iterator[Found]:
    """Yield the recordings whose content the store does not hold, each content once."""
    digests, seen = Digests(), set[bytes]()
    for path in found:
        outcome.found += 1
        digest = digests.of(path)
        key = bytes.fromhex(digest)
        if key in kept.known or key in seen:
            outcome.known += 1
        else:
            seen.add(key)
            yield path, digest


def _chunks(found: Iterator[Found]) -> Iterator[list[Found]]:
    while chunk := list(itertools.islice(found, CHUNK)):
        yield chunk


def _write(
    kept: store.Store, chunk: Sequence[Found], encoded: Sequence[Encoded], encoder: Pretrained,
    columns: Callable[[dict[str, np.ndarray]], Columns], meta: dict[str, Any], outcome: Outcome,
) -> None:  # fmt: skip
    """Write the results of a chunk as one part and count them."""
    digests = {path.id: digest for path, digest in chunk}
    rejected = [(one, digests[one.id]) for batch in encoded for one in batch.rejected]
    blocks = [{**common_columns(one, encoder.fs), **columns(one.features)} for one in encoded if one.ids]
    rows: dict[str, Any] = {name: _joined([block[name] for block in blocks]) for name in (blocks[0] if blocks else ())}
    if rows:
        rows = {"id": rows["id"], "sha256": [digests[name] for name in rows["id"]], **rows}
    kept.add(rows, rejected, meta)
    outcome.written += len(rows.get("id", ()))
    outcome.rejected += len(rejected)
    outcome.may_pass += sum(one.may_pass for one, _ in rejected)
    outcome.doubtful += sum(text != plausibility.NOTHING for text in rows.get("quality", ()))
    outcome.reasons.update(one.reason for one, _ in rejected)


def _joined(values: Sequence[Any]) -> Any:
    if isinstance(values[0], np.ndarray):
        return np.concatenate(values)
    return list(itertools.chain.from_iterable(values))
