"""Owns reading one recording, whatever its format, and bringing it into the form an encoder takes."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.archives import Archive
from cgdmer.errors import ConfigError, RecordError
from cgdmer.preprocessing import twelve
from cgdmer.recordings.arrays import read_csv, read_npy
from cgdmer.recordings.dicom import read_dicom
from cgdmer.recordings.edf import read_edf
from cgdmer.recordings.places import Place, Rejected, archive_of, find
from cgdmer.recordings.stated import Stated, from_sidecar
from cgdmer.settings import Signal
from cgdmer.signals import LEADS, Canonical, canonical
from cgdmer.waveforms import Record, read_record
from cgdmer.waveforms.record import SIGNAL_LIMIT

SIDECAR_LIMIT = 1 << 16


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording as an array."""

    signal: np.ndarray
    """float32 mV (leads, samples); NaN where a sample is missing, unless it was brought into canonical form."""
    fs: float
    """Hz."""
    leads: tuple[str, ...]
    """Names of the rows."""
    missing: tuple[str, ...] = ()
    """Rows that are zero because the lead was neither recorded nor could be derived."""


def read(place: Place, stated: Stated) -> Record:
    """Read a recording by the suffix of its file; RecordError says why it cannot be read."""
    archive, member = archive_of(place.root), place.member
    stem, suffix = os.path.splitext(member)
    kind = suffix.lower()
    if kind in (".npy", ".csv"):
        data = archive.read(member, SIGNAL_LIMIT)
        return (read_npy if kind == ".npy" else read_csv)(data, member, _stated(archive, stem, stated))
    if kind == ".edf":
        return read_edf(archive.read(member, SIGNAL_LIMIT), member)
    if kind in (".dcm", ".dicom"):
        return read_dicom(archive.read(member, SIGNAL_LIMIT), member)
    if kind == ".dat":
        raise RecordError(f"{member} has no header {stem}.hea beside it, which says what it holds")
    return read_record(archive, member)


def canonical_of(record: Record, form: Signal, seconds: float) -> Canonical:
    """Bring a record into canonical form exactly as shards are made."""
    signal, leads = twelve(record.signal, record.leads)
    return canonical(signal, record.fs, leads, form, seconds)


def absent(missing: int) -> tuple[str, ...]:
    """Name the leads of a bit mask."""
    return tuple(lead for place, lead in enumerate(LEADS) if missing >> place & 1)


def read_file(
    path: str | Path, form: Signal | None = None, *, stated: Stated | None = None, seconds: float | None = None
) -> Recording:
    """Read one file: as recorded where `form` is None, else filtered, resampled, ordered and cut as the form says."""
    given = stated or Stated()
    found = list(find([str(path)], given)) if not os.path.isdir(path) else []
    if len(found) != 1:
        raise ConfigError(f"{path} is not one recording", allowed="one file", fix="cgdmer embed FOLDER")
    place = found[0]
    if isinstance(place, Rejected):
        raise RecordError(f"{place.id}: {place.reason}")
    record = read(place, given)
    if form is None:
        return Recording(record.signal, record.fs, tuple(record.leads))
    made = canonical_of(record, form, form.seconds if seconds is None else seconds)
    signal = made.signal[:, : made.valid].astype(np.float32) / 1000
    return Recording(signal, form.fs, LEADS, absent(made.quality["missing"]))


def _stated(archive: Archive, stem: str, stated: Stated) -> Stated:
    """Let a file's own sidecar, where there is one, go before what was stated for all."""
    name = f"{stem}.json"
    if name not in archive:
        return stated
    return from_sidecar(archive.read(name, SIDECAR_LIMIT), name).over(stated)
