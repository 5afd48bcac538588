"""A set of real recordings that only evaluates: its signals in canonical form, labels, and known measurements."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.files import work_key
from cgdmer.preprocessing import drop_extra_leads
from cgdmer.settings import Signal
from cgdmer.signals import canonical
from cgdmer.waveforms import Record

REPEATED = "same recording as another"


@dataclass(frozen=True)
class Labels:
    """Labels of one task."""

    classes: list[str]
    matrix: np.ndarray
    """(N, C) in {0, 1}."""
    members: np.ndarray
    """bool (N,): records that belong to the task."""


@dataclass(frozen=True)
class Origin:
    """Where a set comes from."""

    title: str
    version: str
    licence: str
    link: str


@dataclass
class ExternalSet:
    """N real recordings and what is known of them."""

    origin: Origin
    patients: list[str]
    signals: np.ndarray
    """int16 microvolt (N, 12, T)."""
    valid: np.ndarray
    """Samples before the padding (N,)."""
    tasks: dict[str, Labels] = field(default_factory=dict)
    measurements: dict[str, np.ndarray] = field(default_factory=dict)
    """(N,) float64 by measurement, NaN where it is unknown."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Number of recordings that are not used, by reason."""

    def digest(self) -> str:
        """Return a hash of all that its results depend on."""
        arrays = {"signals": self.signals, "valid": self.valid}
        arrays |= {f"measurement {name}": values for name, values in self.measurements.items()}
        for task, labels in self.tasks.items():
            arrays |= {f"labels of {task}": labels.matrix, f"records of {task}": labels.members}
        content = {name: hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() for name, array in arrays.items()}
        classes = {task: labels.classes for task, labels in self.tasks.items()}
        left_out = {reason: int(count) for reason, count in self.left_out.items()}
        return work_key(content, classes, self.patients, left_out, vars(self.origin))


@dataclass(frozen=True)
class Canonicals:
    """Recordings in canonical form, and which of the given ones they are."""

    kept: list[int]
    signals: np.ndarray
    valid: np.ndarray
    left_out: dict[str, int]


def canonicals(records: Iterable[Record | RecordError], form: Signal, seconds: float) -> Canonicals:
    """Bring recordings into canonical form; of bit-identical ones only the first is kept."""
    kept, rows, valid, seen = [], [], [], set()
    left_out: Counter[str] = Counter()
    for number, record in enumerate(records):
        try:
            if isinstance(record, RecordError):
                raise record
            signal, leads = drop_extra_leads(record.signal, record.leads)
            row = canonical(signal, record.fs, leads, form, seconds)
        except RecordError:
            left_out["unusable"] += 1
            continue
        digest = hashlib.sha256(row.signal.tobytes()).hexdigest()
        if digest in seen:
            left_out[REPEATED] += 1
            continue
        seen.add(digest)
        kept.append(number)
        rows.append(row.signal)
        valid.append(row.valid)
    signals = np.stack(rows) if rows else np.zeros((0, 12, form.samples), np.int16)
    return Canonicals(kept, signals, np.array(valid, np.int64), dict(left_out))
