"""Owns reading one record of a corpus into mV, whatever its file format."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from cgdmer.errors import RecordError
from cgdmer.wave.archive import Archive
from cgdmer.wave.formats import BITS, Integers, checksums_match, decode, millivolt, size
from cgdmer.wave.header import HEADER_LIMIT, Header, parse_header

SIGNAL_LIMIT = 1 << 28
"""Bytes of the largest signal file: six hours of 12 leads at 500 Hz."""
_MEND = "get the record again, or leave it in quarantine"


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One recording as stored: its own leads, rate and length."""

    signal: npt.NDArray[np.float32]
    """mV (L, T); NaN where a sample is missing."""
    fs: float
    """Hz."""
    leads: tuple[str, ...]
    """Names as written."""
    comments: list[str]
    digital: Integers | None = None
    """ADC values (L, T); None where the file holds physical values or `wfdb` decoded it."""
    checksum_ok: bool | None = None
    """Whether the sums in the header hold; None where they were not asked for or the header has none."""


def read_record(archive: Archive, member: str, *, verify: bool = False) -> Record:
    """Read `<path>.hea` with its signal files, or an original CPSC2018 `<path>.mat`.

    `verify` also compares the header's checksums. RecordError says why a record cannot be used.
    """
    if member.endswith(".mat"):
        from cgdmer.wave.matlab import read_struct

        return read_struct(archive.read(member, SIGNAL_LIMIT), member)
    if not member.endswith(".hea"):
        raise RecordError(f"{member} is no record", allowed="a .hea, or a .mat with an ECG struct")
    header = parse_header(archive.read(member, HEADER_LIMIT), member)
    if header.plain:
        return _decode(archive, member, header, verify)
    from cgdmer.wave.fallback import read_with_wfdb

    return read_with_wfdb(archive, member, header)


def _decode(archive: Archive, member: str, header: Header, verify: bool) -> Record:
    """Decode a record of the plain kind, one signal file after another."""
    folder, samples = member[: member.rfind("/") + 1], header.samples
    integers, signals = [], []
    for file, kind, offset, first, last in _blocks(header):
        data = archive.read(folder + file, SIGNAL_LIMIT)
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


def _check_length(what: str, kind: int, available: int, samples: int, leads: int) -> None:
    """Raise RecordError where a file is shorter than its header says, before anything of that size is allocated."""
    if samples < 1:
        raise RecordError(f"{what} holds no sample", allowed="at least one sample a lead", mend=_MEND)
    if available < size(kind, samples * leads):
        held = max(0, available) * 8 // (BITS[kind] * leads)
        raise RecordError(
            f"{what} holds {held:,} of the {samples:,} samples its header states",
            allowed="a signal as long as its header says",
            mend=_MEND,
        )
