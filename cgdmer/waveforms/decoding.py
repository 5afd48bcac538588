"""Decode the signal files of a WFDB record whose header is plain: one segment, one frame per sample."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from cgdmer.archives import Archive
from cgdmer.errors import RecordError
from cgdmer.waveforms.formats import BITS, checksums_match, decode, millivolt, size
from cgdmer.waveforms.header import Header
from cgdmer.waveforms.record import SIGNAL_LIMIT, Record

_FIX = "get the record again, or leave it in quarantine"


def decode_record(archive: Archive, member: str, header: Header, verify: bool) -> Record:
    """Decode a plain record, one signal file after another."""
    folder, samples, left = member[: member.rfind("/") + 1], header.samples, SIGNAL_LIMIT
    integers, signals = [], []
    for file, kind, offset, first, last in _blocks(header):
        data = archive.read(folder + file, left)
        left -= len(data)
        samples = samples or (len(data) - offset) * 8 // (BITS[kind] * (last - first))
        _check_length(f"{member}: {file}", kind, len(data) - offset, samples, last - first)
        flat = decode(data, kind, offset, samples * (last - first))
        integers.append(np.ascontiguousarray(flat.reshape(samples, last - first).T))
        gains, baselines, units = header.gains[first:last], header.baselines[first:last], header.units[first:last]
        signals.append(millivolt(integers[-1], kind, gains, baselines, units))
    digital = integers[0] if len(integers) == 1 else np.concatenate(integers)
    signal = signals[0] if len(signals) == 1 else np.concatenate(signals)
    checksum_ok = checksums_match(digital, header.checksums) if verify else None
    return Record(signal, header.fs, header.leads, header.comments, digital, checksum_ok)


def _blocks(header: Header) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield each signal file's name, format, byte offset, and its first and one past its last lead."""
    first = 0
    for (file, kind, offset), leads in groupby(zip(header.files, header.formats, header.offsets, strict=True)):
        last = first + sum(1 for _ in leads)
        yield file, kind, offset, first, last
        first = last


def _check_length(file: str, kind: int, available: int, samples: int, leads: int) -> None:
    """Raise RecordError if a file is shorter than its header states, before anything of that size is allocated."""
    if samples < 1:
        raise RecordError(f"{file} holds no sample", allowed="at least one sample per lead", fix=_FIX)
    if available < size(kind, samples * leads):
        held = max(0, available) * 8 // (BITS[kind] * leads)
        raise RecordError(
            f"{file} holds {held:,} of the {samples:,} samples its header states",
            allowed="a signal as long as its header states",
            fix=_FIX,
        )
