"""Read one recording, given its file, as recorded or in the form that an encoder expects."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.errors import ConfigError, RecordError
from cgdmer.recordings import limits, plausibility
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.discovery import RecordingPath, Rejected, find_recordings
from cgdmer.recordings.reading import read
from cgdmer.recordings.sources import open_source
from cgdmer.settings import Signal
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording as an array."""

    signal: np.ndarray
    """float32 mV (leads, samples); NaN where a sample is missing, unless in canonical form."""
    fs: float
    """Hz."""
    leads: tuple[str, ...]
    """Names of the rows."""
    missing: tuple[str, ...] = ()
    """Rows that are zero because the lead was neither recorded nor could be derived."""
    doubts: tuple[str, ...] = ()
    """What is doubtful about the recording, each as a short phrase."""
    stored: float = 0.0
    """Seconds that the file holds, of which `signal` may be a part."""


def read_file(
    path: str | Path,
    form: Signal | None = None,
    *,
    metadata: ArrayMetadata | None = None,
    seconds: float | None = None,
    start: float = 0.0,
) -> Recording:
    """Read one file: as recorded if `form` is None, else filtered, resampled, ordered and cut to that form.

    `start` is the second at which the part that is used begins; it ends after `seconds`, or else with the form or the
    file. ConfigError for a folder or zip, RecordError if the file cannot be read, ends before `start` or cannot be an
    electrocardiogram in the stated unit.
    """
    metadata = metadata or ArrayMetadata()
    recordings = list(find_recordings([str(path)], metadata)) if not os.path.isdir(path) else []
    if len(recordings) != 1:
        raise ConfigError(f"{path} is not one recording", allowed="one file", fix="cgdmer embed FOLDER")
    recording = recordings[0]
    if isinstance(recording, Rejected):
        fix = "" if os.path.lexists(path) else "check the path; cgdmer embed FOLDER reads whole folders"
        raise RecordError(f"{recording.id}: {recording.reason}", fix=fix)
    with limits.per_file():
        if form is None:
            return as_recorded(recording, metadata, start, seconds)
        used = form.seconds if seconds is None else seconds
        source = open_source(recording, metadata)
        result, doubts = plausibility.checked(source.part(start, used), form, used)
    signal = result.signal[:, : result.valid].astype(np.float32) / 1000
    missing = plausibility.lead_names(result.quality["missing"])
    return Recording(signal, form.fs, LEADS, missing, doubts, source.seconds)


def as_recorded(path: RecordingPath, metadata: ArrayMetadata, start: float, seconds: float | None) -> Recording:
    """Read a recording without filtering it: `seconds` from second `start` on, or all that follows it."""
    if seconds is None and not start:
        record = read(path, metadata)
        return Recording(record.signal, record.fs, tuple(record.leads), (), _doubts(record), _length(record))
    source = open_source(path, metadata)
    record = source.part(start, source.seconds if seconds is None else seconds)
    return Recording(record.signal, record.fs, tuple(record.leads), (), _doubts(record), source.seconds)


def _length(record: Record) -> float:
    return float(record.signal.shape[1] / record.fs)


def _doubts(record: Record) -> tuple[str, ...]:
    """Return what is doubtful about a recording that is used as it is; RecordError if it cannot be an ECG at all."""
    form = Signal()
    try:
        return plausibility.checked(record, form, form.seconds)[1]
    except plausibility.Implausible:
        raise
    except RecordError as error:
        return (error.problem,)
