"""Compare incoming recordings with a reference, and raise the alarm if their distributions differ."""

import json
import logging
import math
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import paths
from cgdmer.commands import scorer
from cgdmer.drift import statistics
from cgdmer.drift.permutation import PERMUTATIONS, Compared, Statistic, compare
from cgdmer.errors import ConfigError, DataError, redacted
from cgdmer.files import check_regular, exclusive_lock
from cgdmer.operations import bucket, monitor_page, samples
from cgdmer.operations.examined import CATEGORIES
from cgdmer.operations.models import Model, resolve
from cgdmer.operations.samples import Sample
from cgdmer.recordings import ArrayMetadata, RecordingPath, find_recordings
from cgdmer.recordings.discovery import Rejected

log = logging.getLogger(__name__)
FOLDER = paths.STATE / "monitoring"
ALPHA = 0.01
"""Probability of a false alarm of one comparison, over all variables together."""
LEAST_PSI = 0.1
"""A stability index that exceeds what chance gives by less than this is no alarm, however certain it is."""
EMBEDDING = "embedding"
DRIFTED = 7
"""Exit code if the incoming recordings differ from the reference."""
NAMED = 6
"""Variables that a message names."""
MAX_HISTORY = 1 << 28
"""Bytes of the largest history."""
FEWEST = 50
"""Recordings of the smaller sample below which a comparison says so: it finds large differences only."""
LEAST_REFERENCE, MOST = 10, 5000
"""Recordings of the smallest reference, and of the largest sample."""


@dataclass(frozen=True)
class Request:
    """Which recordings to compare with what."""

    source: str
    """A folder, a zip, or s3://BUCKET/PREFIX, of which only new objects are read."""
    model: str = "champion"
    reference: str | None = None
    """A folder or zip of recordings; None for the records that pretraining trained on."""
    metadata: ArrayMetadata = field(default_factory=ArrayMetadata)
    hours: float | None = None
    """Only recordings whose file changed within so many hours; None for all."""
    records: int = 500
    """Most incoming recordings that are compared."""
    reference_records: int = 1000
    name: str = "incoming"
    """Name of the history and its page."""


@dataclass(frozen=True)
class Difference(Compared):
    """A variable of the incoming sample and of the reference: the test of its distance, and its stability index."""

    index: float | None
    """Population stability index, less what chance gives; None for the embedding, which has no bins."""

    @property
    def is_drift(self) -> bool:
        """Whether the difference is certain, and large enough to matter."""
        return self.adjusted <= ALPHA and (self.index is None or self.index >= LEAST_PSI)


@dataclass(frozen=True)
class Outcome:
    """The result of one comparison."""

    findings: dict[str, Difference]
    drifted: list[str]
    """Variables that raise the alarm."""
    records: int
    rejected: int
    reference: int
    model: Model
    when: str
    seconds: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)
    page: Path = FOLDER

    @property
    def code(self) -> int:
        return DRIFTED if self.drifted else 0

    def __str__(self) -> str:
        named, more = ", ".join(self.drifted[:NAMED]), len(self.drifted) - NAMED
        verdict = f"DRIFT in {named}{f' and {more} more' if more > 0 else ''}" if self.drifted else "no drift"
        if not self.records:
            return f"{verdict}: none of {self.rejected} incoming recordings can be used{self._reason()}; {self.page}"
        too_few = min(self.records, self.reference) < FEWEST
        few = f" (fewer than {FEWEST}: only large differences can be found)" if too_few else ""
        counts = f"{self.records} recordings, {self.rejected} rejected, against {self.reference}{few}"
        return f"{verdict}: {counts}; {self.page}"

    def _reason(self) -> str:
        """Return the most frequent reason, without what it quotes: that could name a patient."""
        counted = Counter[str]()
        for reason, count in self.reasons.items():
            counted[redacted(reason)] += count
        return "".join(f" ({count}: {reason})" for reason, count in counted.most_common(1))

    def metrics(self) -> dict[str, float]:
        """Return what the history in MLflow holds."""
        values = {"alarm": float(bool(self.drifted)), "records": self.records, "rejected": self.rejected}
        for name, one in self.findings.items():
            values |= {f"distance/{name}": one.statistic, f"p_adjusted/{name}": one.adjusted}
            values |= {} if one.index is None else {f"index/{name}": one.index}
        return values


def check(request: Request) -> Outcome:
    """Compare, append to the history, and write its page; a second process with the same name waits.

    If recordings came and none can be used, that alone is the alarm. ConfigError for a wrong request; DataError if no
    recording came, or the reference is too small.
    """
    _check_request(request)
    with exclusive_lock(FOLDER / request.name / ".lock"):  # its downloads and its history are there
        return _check(request, FOLDER / request.name / "history.jsonl")


def _check_request(request: Request) -> None:
    if not re.fullmatch(r"[\w-]{1,60}", request.name):
        raise ConfigError(f"the name '{request.name[:60]}'", allowed="letters, digits, - and _", fix="--name incoming")
    if not 1 <= request.records <= MOST or not LEAST_REFERENCE <= request.reference_records <= MOST:
        allowed = f"1 to {MOST}, and a reference of {LEAST_REFERENCE} to {MOST}"
        raise ConfigError("too few or too many recordings", allowed=allowed)
    if request.hours is not None and not 0 < request.hours < math.inf:
        raise ConfigError(f"--hours {request.hours:g}", allowed="a finite number above 0", fix="--hours 12")
    if request.reference is not None and not os.path.exists(request.reference):
        raise ConfigError(f"there is no reference {request.reference}", allowed="a folder or a zip of recordings")


def _check(request: Request, history: Path) -> Outcome:
    started = time.monotonic()
    if history.exists():
        check_regular(history, MAX_HISTORY)
    model = resolve(request.model)
    scores = scorer.load(scorer.choose(model.address, scorer.ScoreOptions()))
    with _found(request) as found:  # open until the history has the comparison: then the objects of a bucket are done
        new = _incoming(found, request, scores)
        reference = _reference(request, scores) if len(new) else samples.NOTHING
        findings = compared(new, reference) if len(new) else {}
        drifted = [name for name, one in findings.items() if one.is_drift]
        rejected, count = sum(new.rejected.values()), len(new)
        if not count or rejected > scores.encoder.form.max_quarantined * (rejected + count):
            drifted.append("rejected")
        outcome = Outcome(findings, drifted, count, rejected, len(reference), model,
                          datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic() - started,
                          dict(new.rejected), history.with_name("index.html"))  # fmt: skip
        _append(history, outcome)
    monitor_page.write(outcome.page, _history(history), new, reference)
    return outcome


def _incoming(found: Iterable[RecordingPath | Rejected], request: Request, scores: scorer.Scorer) -> Sample:
    """Return the sample of the incoming recordings; DataError if there is none, not even one that is rejected."""
    new = samples.read(found, request.metadata, scores, request.records)
    if not len(new) and not new.rejected:
        limited = "" if request.hours is None else f" whose file changed in the last {request.hours:g} hours"
        raise DataError(f"no recording has arrived{limited}", fix="check the source; for arrays, state fs and unit")
    return new


def _reference(request: Request, scores: scorer.Scorer) -> Sample:
    """Return the sample of the reference: of its recordings, or of the records that pretraining trained on.

    DataError if it has too few for a comparison.
    """
    if request.reference is None:
        sample, what = samples.training(scores, request.reference_records), "the training data"
    else:
        others = find_recordings([request.reference], request.metadata)
        sample = samples.read(others, request.metadata, scores, request.reference_records)
        what = f"the reference {request.reference}"
    if len(sample) < LEAST_REFERENCE:
        raise DataError(
            f"{what}: {len(sample)} recordings can be used, {sum(sample.rejected.values())} are rejected",
            allowed=f"at least {LEAST_REFERENCE} that can be used",
            fix="--reference FOLDER with recordings of a good month (deployment: -p reference=FOLDER)",
        )
    return sample


def compared(new: Sample, reference: Sample, permutations: int = PERMUTATIONS) -> dict[str, Difference]:
    """Compare all variables of two samples, and their features, in one family of tests."""
    columns = [name for name in new.frame.columns if name in reference.frame.columns]
    both = pl.concat([new.frame.select(columns), reference.frame.select(columns)])
    codes = {name: _codes(both[name], name in CATEGORIES) for name in columns}
    tests = {name: _distance(both[name], codes[name], name in CATEGORIES) for name in columns}
    features = np.concatenate([new.features, reference.features])
    tests[EMBEDDING] = lambda members: statistics.mmd(features, members)
    found = compare(tests, len(new), len(reference), permutations=permutations)
    sizes = {name: _index(codes[name], len(new)) for name in columns}
    return {name: Difference(**asdict(one), index=sizes.get(name)) for name, one in found.items()}


def _codes(values: pl.Series, category: bool) -> np.ndarray:
    return statistics.category_codes(values.to_list()) if category else statistics.numeric_codes(values.to_numpy())


def _distance(values: pl.Series, codes: np.ndarray, category: bool) -> Statistic:
    if category:
        return lambda members: statistics.psi(codes, members)
    numbers = values.to_numpy()
    return lambda members: statistics.cramer_von_mises(numbers, members)


def _index(codes: np.ndarray, incoming: int) -> float:
    """Return the stability index of the incoming sample, the first rows, less what chance gives."""
    members = (np.arange(len(codes)) < incoming).astype(np.float64)[None]
    return float(statistics.psi(codes, members)[0]) - statistics.chance(codes, incoming)


@contextmanager
def _found(request: Request) -> Iterator[Iterable[RecordingPath | Rejected]]:
    """Yield the incoming recordings."""
    if request.source.startswith(bucket.SCHEME):
        with bucket.downloaded(request.source, FOLDER / request.name / "bucket") as local:
            yield find_recordings([str(local)], request.metadata)
        return
    if not Path(request.source).exists():
        raise ConfigError(f"there is no {request.source}", allowed="a folder, a zip, s3://BUCKET/PREFIX")
    found: Iterable[RecordingPath | Rejected] = find_recordings([request.source], request.metadata)
    if not os.path.isdir(request.source):
        found = list(found)
        if len(found) == 1 and isinstance(one := found[0], Rejected):
            raise DataError(f"the source {request.source}: {one.reason}")
    yield found if request.hours is None else (one for one in found if _is_new(one, request.hours))


def _is_new(one: RecordingPath | Rejected, hours: float) -> bool:
    """Return True if a recording's file changed within `hours`; a member of a zip is as new as the zip.

    A file that was moved away since it was listed is not new.
    """
    if isinstance(one, Rejected):
        return True
    file = Path(one.root) / one.member if Path(one.root).is_dir() else Path(one.root)
    try:
        return time.time() - file.stat().st_mtime <= 3600 * hours
    except FileNotFoundError:
        return False


def _append(path: Path, outcome: Outcome) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"when": outcome.when, "model": outcome.model.label, "records": outcome.records,
             "rejected": outcome.rejected, "reference": outcome.reference, "drifted": outcome.drifted,
             "findings": {name: asdict(one) for name, one in outcome.findings.items()}}  # fmt: skip
    with path.open("ab+") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - 1))
        ended = stream.read() in (b"", b"\n")  # a killed run can leave half a line
        stream.write((b"" if ended else b"\n") + json.dumps(entry, sort_keys=True).encode() + b"\n")


def _history(path: Path) -> list[dict[str, Any]]:
    """Return the entries, oldest first; a line that is no entry, as a killed run can leave one, is left out."""
    entries = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            entry = None
        if _is_entry(entry):
            entries.append(entry)
        else:
            log.warning("%s, line %d: no comparison; left out", path, number)
    return entries


def _is_entry(entry: Any) -> bool:
    kinds = {"when": str, "model": str, "records": int, "rejected": int, "drifted": list}
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
        and all(isinstance(name, str) for name in entry["drifted"])
    )
