"""Read one recording of any format, by the suffix of its file."""

import os

from cgdmer.archives import Archive
from cgdmer.errors import RecordError
from cgdmer.recordings.array_metadata import ArrayMetadata, from_sidecar, sidecar_of
from cgdmer.recordings.arrays import read_csv, read_npy
from cgdmer.recordings.dicom import read_dicom
from cgdmer.recordings.discovery import RecordingPath
from cgdmer.recordings.edf import read_edf
from cgdmer.recordings.roots import open_root
from cgdmer.recordings.scp import read_scp
from cgdmer.recordings.xml_formats import read_xml
from cgdmer.waveforms import Record, read_record
from cgdmer.waveforms.record import SIGNAL_LIMIT

SIDECAR_LIMIT = 1 << 16
FILES = {
    ".edf": read_edf, ".dcm": read_dicom, ".dicom": read_dicom, ".xml": read_xml, ".scp": read_scp, ".ecg": read_scp
}  # fmt: skip
"""Suffixes of the files that state everything about a recording, with their readers."""


def read(path: RecordingPath, metadata: ArrayMetadata) -> Record:
    """Read a recording by the suffix of its file; RecordError says why it cannot be read."""
    archive, member = open_root(path.root), path.member
    stem, suffix = os.path.splitext(member)
    kind = suffix.lower()
    if kind in (".npy", ".csv"):
        data = archive.read(member, SIGNAL_LIMIT)
        return (read_npy if kind == ".npy" else read_csv)(data, member, _with_sidecar(archive, stem, metadata))
    if kind in FILES:
        return FILES[kind](archive.read(member, SIGNAL_LIMIT), member)
    if kind == ".dat":
        raise RecordError(f"{member} has no header {stem}.hea beside it, which states its format")
    return read_record(archive, member)


def _with_sidecar(archive: Archive, stem: str, metadata: ArrayMetadata) -> ArrayMetadata:
    """Return the facts of the file's own sidecar if there is one, completed from `metadata`."""
    name = sidecar_of(stem)
    if name is None or name not in archive:
        return metadata
    return from_sidecar(archive.read(name, SIDECAR_LIMIT), name).or_default(metadata)
