"""What monitoring looks at in a recording: rate, length, leads, doubts, amplitude and measurements."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cgdmer.delineation.measurements import measure
from cgdmer.delineation.recording import delineate
from cgdmer.recordings import plausibility
from cgdmer.recordings.batches import Job, LastOpened, rejection
from cgdmer.recordings.discovery import Rejected
from cgdmer.recordings.limits import per_file
from cgdmer.signals import Canonical

MEASURED = (
    *("beats", "heart_rate", "rr_variation", "p_ms", "pr_ms", "qrs_ms", "qt_ms", "qtc_fridericia_ms"),
    *("p_axis", "qrs_axis", "t_axis", "sokolow_lyon_mv", "cornell_mv", "st_II_mv", "st_V2_mv", "st_V5_mv"),
)
"""The measurements that are compared, of those that `cgdmer measure` takes."""
LOWEST = 100.0
"""Hz. Signals of an encoder with a lower rate are too coarse to be measured; their measurements are all NaN."""
CATEGORIES = ("rate", "missing", "quality")
NUMBERS = ("seconds", "amplitude_mv", *MEASURED)
Row = dict[str, Any]
"""The values of one recording by CATEGORIES and NUMBERS; NaN for a measurement without evidence."""


@dataclass(eq=False)
class Examined:
    """The recordings of one job."""

    rows: list[Row] = field(default_factory=list)
    signal: list[np.ndarray] = field(default_factory=list)
    """int16 microvolt (12, T) each."""
    valid: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def examine(job: Job) -> Examined:
    """Read and examine the recordings of a job, in a worker; one that cannot be used is listed with its reason."""
    result, opened = Examined(), LastOpened(job.metadata)
    for path in job.paths:
        if isinstance(path, Rejected):
            result.rejected.append(path)
            continue
        try:
            with per_file():
                record = opened.part(path, job.start, job.seconds)
                canonical, doubts = plausibility.checked(record, job.form, job.seconds)
                row = describe(canonical, record.fs, job.form.fs, doubts)
        except Exception as error:
            result.rejected.append(rejection(path, error))
        else:
            result.rows.append(row)
            result.signal.append(canonical.signal)
            result.valid.append(canonical.valid)
    return result


def describe(recording: Canonical, rate: float, fs: float, doubts: Sequence[str]) -> Row:
    """Return the values of a recording in canonical form at `fs` Hz that was recorded at `rate` Hz."""
    missing = plausibility.lead_names(recording.quality["missing"])
    millivolt = recording.signal[:, : recording.valid].astype(np.float64) / 1000
    values = measure(delineate(millivolt, fs), missing) if fs >= LOWEST else {}
    measured = {name: np.nan if (value := values.get(name)) is None else float(value) for name in MEASURED}
    return {
        "rate": f"{rate:g} Hz",
        "missing": " ".join(missing) or "none",
        "quality": "; ".join(map(kind, doubts)) or plausibility.NOTHING,
        "seconds": recording.valid / fs,
        "amplitude_mv": recording.quality["amplitude_uv"] / 1000,
        **measured,
    }


def kind(doubt: str) -> str:
    """Return a doubt without its numbers and leads: `flat V1 V2` becomes `flat`."""
    words = [
        word for word in doubt.split() if not re.search(r"\d", word) and word not in ("I", "II", "III", "uV", "mV")
    ]
    return " ".join(word for word in words if not word.startswith("aV")) or "doubtful"
