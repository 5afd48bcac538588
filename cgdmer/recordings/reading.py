"""Read one recording of any format and bring it into the form that an encoder expects."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.archives import Archive
from cgdmer.errors import ConfigError, RecordError
from cgdmer.recordings import limits, plausibility
from cgdmer.recordings.array_metadata import ArrayMetadata, from_sidecar, sidecar_of
from cgdmer.recordings.arrays import read_csv, read_npy
from cgdmer.recordings.dicom import read_dicom
from cgdmer.recordings.discovery import RecordingPath, Rejected, find_recordings, open_root
from cgdmer.recordings.edf import read_edf
from cgdmer.settings import Signal
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record, read_record
from cgdmer.waveforms.record import SIGNAL_LIMIT

SIDECAR_LIMIT = 1 << 16


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


def read(path: RecordingPath, metadata: ArrayMetadata) -> Record:
    """Read a recording by the suffix of its file; RecordError says why it cannot be read."""
    archive, member = open_root(path.root), path.member
    stem, suffix = os.path.splitext(member)
    kind = suffix.lower()
    if kind in (".npy", ".csv"):
        data = archive.read(member, SIGNAL_LIMIT)
        return (read_npy if kind == ".npy" else read_csv)(data, member, _with_sidecar(archive, stem, metadata))
    if kind == ".edf":
        return read_edf(archive.read(member, SIGNAL_LIMIT), member)
    if kind in (".dcm", ".dicom"):
        return read_dicom(archive.read(member, SIGNAL_LIMIT), member)
    if kind == ".dat":
        raise RecordError(f"{member} has no header {stem}.hea beside it, which states its format")
    return read_record(archive, member)


def read_file(
    path: str | Path,
    form: Signal | None = None,
    *,
    metadata: ArrayMetadata | None = None,
    seconds: float | None = None,
    start: float = 0.0,
) -> Recording:
    """Read one file: as recorded if `form` is None, else filtered, resampled, ordered and cut to that form.

    `start` is the second at which the part that is used begins. ConfigError for a folder or zip, RecordError if the
    file cannot be read or cannot be an electrocardiogram in the stated unit.
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
        record = read(recording, metadata)
        if form is None:
            used = record.signal[:, round(start * record.fs) :] if start else record.signal
            return Recording(used, record.fs, tuple(record.leads), doubts=_doubts(record, start))
        result, doubts = plausibility.checked(record, form, form.seconds if seconds is None else seconds, start)
    signal = result.signal[:, : result.valid].astype(np.float32) / 1000
    return Recording(signal, form.fs, LEADS, plausibility.lead_names(result.quality["missing"]), doubts)


def _doubts(record: Record, start: float) -> tuple[str, ...]:
    """Return what is doubtful about a recording that is used as it is; RecordError if it cannot be an ECG at all."""
    form = Signal()
    try:
        return plausibility.checked(record, form, form.seconds, start)[1]
    except plausibility.Implausible:
        raise
    except RecordError as error:
        return (error.problem,)


def _with_sidecar(archive: Archive, stem: str, metadata: ArrayMetadata) -> ArrayMetadata:
    """Return the facts of the file's own sidecar if there is one, completed from `metadata`."""
    name = sidecar_of(stem)
    if name is None or name not in archive:
        return metadata
    return from_sidecar(archive.read(name, SIDECAR_LIMIT), name).or_default(metadata)
