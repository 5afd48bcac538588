"""Read one recording of any format and bring it into the form that an encoder expects."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.archives import Archive
from cgdmer.errors import ConfigError, RecordError
from cgdmer.preprocessing import drop_extra_leads
from cgdmer.recordings.array_metadata import ArrayMetadata, from_sidecar
from cgdmer.recordings.arrays import read_csv, read_npy
from cgdmer.recordings.dicom import read_dicom
from cgdmer.recordings.discovery import RecordingPath, Rejected, find_recordings, open_root
from cgdmer.recordings.edf import read_edf
from cgdmer.settings import Signal
from cgdmer.signals import LEADS, Canonical, canonical
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


def to_canonical(record: Record, form: Signal, seconds: float) -> Canonical:
    """Bring a record into canonical form, exactly as shards are written."""
    signal, leads = drop_extra_leads(record.signal, record.leads)
    return canonical(signal, record.fs, leads, form, seconds)


def missing_leads(mask: int) -> tuple[str, ...]:
    """Return the names of the leads whose bits are set in `mask`."""
    return tuple(lead for bit, lead in enumerate(LEADS) if mask >> bit & 1)


def read_file(
    path: str | Path,
    form: Signal | None = None,
    *,
    metadata: ArrayMetadata | None = None,
    seconds: float | None = None,
) -> Recording:
    """Read one file: as recorded if `form` is None, else filtered, resampled, ordered and cut to that form.

    ConfigError for a folder or zip, RecordError if the file cannot be read.
    """
    metadata = metadata or ArrayMetadata()
    recordings = list(find_recordings([str(path)], metadata)) if not os.path.isdir(path) else []
    if len(recordings) != 1:
        raise ConfigError(f"{path} is not one recording", allowed="one file", fix="cgdmer embed FOLDER")
    recording = recordings[0]
    if isinstance(recording, Rejected):
        raise RecordError(f"{recording.id}: {recording.reason}")
    record = read(recording, metadata)
    if form is None:
        return Recording(record.signal, record.fs, tuple(record.leads))
    result = to_canonical(record, form, form.seconds if seconds is None else seconds)
    signal = result.signal[:, : result.valid].astype(np.float32) / 1000
    return Recording(signal, form.fs, LEADS, missing_leads(result.quality["missing"]))


def _with_sidecar(archive: Archive, stem: str, metadata: ArrayMetadata) -> ArrayMetadata:
    """Return the facts of the file's own sidecar if there is one, completed from `metadata`."""
    name = f"{stem}.json"
    if name not in archive:
        return metadata
    return from_sidecar(archive.read(name, SIDECAR_LIMIT), name).or_default(metadata)
