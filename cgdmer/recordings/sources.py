"""Open a recording so that any part of it can be read; long WFDB and EDF files of a folder stay on disk.

A recording of 24 hours with 12 leads at 500 Hz takes 1 GB as 16-bit integers and 2 GB as numbers in mV. Of a file above
`LONG` bytes, only the samples that are asked for are read. Other formats, and files inside a zip, are read as a whole,
within the limits for one file.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from cgdmer.archives.zip_archive import Zip
from cgdmer.errors import RecordError
from cgdmer.recordings.array_metadata import ArrayMetadata
from cgdmer.recordings.discovery import RecordingPath
from cgdmer.recordings.edf import open_edf
from cgdmer.recordings.reading import read
from cgdmer.recordings.roots import open_root
from cgdmer.waveforms import Header, Record, parse_header
from cgdmer.waveforms.formats import BITS, decode, millivolt, size
from cgdmer.waveforms.header import HEADER_LIMIT

LONG = 1 << 24
"""Bytes of signal above which a file is read in parts: 23 minutes of 12 leads at 500 Hz."""
MAX_BYTES = 1 << 37
"""Bytes of the largest file that is read in parts."""


@dataclass(frozen=True, eq=False)
class Source:
    """A recording of which any part can be read."""

    fs: float
    """Hz."""
    leads: tuple[str, ...]
    samples: int
    """Samples of each lead."""
    read: Callable[[int, int], np.ndarray]
    """Takes the first sample and the one after the last; returns float32 mV (L, count), NaN where one is missing."""

    @property
    def seconds(self) -> float:
        return self.samples / self.fs

    def part(self, start: float, seconds: float) -> Record:
        """Return at most `seconds` from second `start` on; RecordError if the recording ends before."""
        first = round(start * self.fs)
        if first and first >= self.samples:
            raise RecordError(
                f"it ends at {self.seconds:g} s, and second {start:g} is asked for",
                allowed="a start before the end of the recording",
            )
        last = min(self.samples, first + round(seconds * self.fs))
        return Record(self.read(first, last), self.fs, self.leads, [])


def open_source(path: RecordingPath, metadata: ArrayMetadata) -> Source:
    """Open a recording; RecordError says why it cannot be read."""
    archive, kind = open_root(path.root), os.path.splitext(path.member)[1].lower()
    store = archive.open()
    if kind not in (".hea", ".edf") or isinstance(store, Zip):
        return _in_memory(read(path, metadata))
    if kind == ".edf":
        length = archive.size(path.member)
        return _edf(path, length) if length > LONG else _in_memory(read(path, metadata))
    header = parse_header(archive.read(path.member, HEADER_LIMIT), path.member)
    folder = path.member[: path.member.rfind("/") + 1]
    sizes = {file: archive.size(folder + file) for file in dict.fromkeys(header.files)} if header.plain else {}
    if sum(sizes.values()) <= LONG:
        return _in_memory(read(path, metadata))
    return _wfdb(path, header, sizes)


def _in_memory(record: Record) -> Source:
    signal = record.signal
    return Source(record.fs, record.leads, signal.shape[1], lambda first, last: signal[:, first:last])


def _edf(path: RecordingPath, length: int) -> Source:
    _check_length(path.member, length)
    opened = open_edf(Path(path.root) / path.member, length, path.member)
    return Source(opened.fs, opened.leads, opened.samples, opened.read)


@dataclass(frozen=True)
class _File:
    """One signal file of a WFDB record, and the leads that it holds."""

    path: str
    kind: int
    offset: int
    rows: slice

    def digital(self, first: int, last: int) -> np.ndarray:
        """Return the samples from `first` to before `last` as integers (leads, samples)."""
        leads = self.rows.stop - self.rows.start
        begin, count = first * leads, (last - first) * leads
        skipped = begin % 2 if self.kind == 212 else 0  # two samples share three bytes
        begin -= skipped
        at = self.offset + begin * BITS[self.kind] // 8
        data = _bytes(self.path, at, size(self.kind, count + skipped))
        flat = decode(data, self.kind, 0, count + skipped)[skipped:]
        return np.ascontiguousarray(flat.reshape(last - first, leads).T)


def _wfdb(path: RecordingPath, header: Header, sizes: dict[str, int]) -> Source:
    """Open a plain WFDB record in place; RecordError if a signal file is shorter than the header states."""
    beside = os.path.dirname(os.path.join(path.root, path.member))
    stored = zip(header.files, header.formats, header.offsets, strict=True)
    files, samples, first = [], header.samples, 0
    for (file, kind, offset), leads in groupby(stored):
        last = first + sum(1 for _ in leads)
        _check_length(file, sizes[file])
        held = (sizes[file] - offset) * 8 // (BITS[kind] * (last - first))
        samples = samples or held
        if held < samples or samples < 1:
            raise RecordError(
                f"{path.member}: {file} holds {max(0, held):,} of the {samples:,} samples its header states",
                allowed="a signal as long as its header states",
            )
        files.append(_File(os.path.join(beside, file), kind, offset, slice(first, last)))
        first = last

    def read_part(begin: int, end: int) -> np.ndarray:
        return np.concatenate([_scaled(file, header, begin, end) for file in files])

    return Source(header.fs, header.leads, samples, read_part)


def _scaled(file: _File, header: Header, begin: int, end: int) -> np.ndarray:
    rows = file.rows
    digital = file.digital(begin, end)
    return millivolt(digital, file.kind, header.gains[rows], header.baselines[rows], header.units[rows])


def _bytes(path: str, offset: int, count: int) -> bytes:
    """Return bytes of a file; RecordError if it became shorter or cannot be read."""
    try:
        with open(path, "rb") as stream:
            data = os.pread(stream.fileno(), count, offset)
    except OSError as error:
        raise RecordError(f"{os.path.basename(path)} cannot be read: {error.strerror}") from error
    if len(data) < count:
        raise RecordError(f"{os.path.basename(path)} became shorter while it was read")
    return data


def _check_length(name: str, length: int) -> None:
    if length > MAX_BYTES:
        raise RecordError(f"{name} holds {length:,} bytes", allowed=f"at most {MAX_BYTES:,}")
