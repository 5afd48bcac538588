"""The leads of an SCP-ECG file: Huffman codes of the default table, first and second differences, reference beats.

Source: EN 1064:2005, 5.8, 5.9 and annex C. Bimodal compression (fewer samples outside the QRS complexes) and Huffman
tables of a manufacturer are refused.
"""

import re
from dataclasses import dataclass

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.recordings.scp_sections import CONTENTS, RHYTHM, Section

CODES = re.compile(r"0|(1{1,8})0([01])|1{9}0([01]{8})|1{10}([01]{16})")
"""The default table: 0; n ones, 0 and the sign for a value of magnitude n; 8 or 16 bits of a larger one."""
DIFFERENCES = (0, 1, 2)
BIMODAL_UNTIL = 30
"""Protocol, times ten, from which the byte of bimodal compression is reserved."""
PADDING = 32
"""Bits that may follow the last code of a lead."""
MAX_OVERLAP = 4
"""How often the reference beats may cover the rhythm; the beat is at most a few times as long as a cardiac cycle."""


@dataclass(frozen=True)
class Beat:
    """Where the reference beat was subtracted: samples `begin` to `end`, from 1, and the shift of its first sample."""

    begin: int
    end: int
    shift: int


@dataclass(frozen=True)
class Layout:
    """What the other sections say about the rhythm."""

    leads: int
    first: int
    """Number of the first sample, from 1."""
    count: int
    """Samples of each lead."""
    huffman: bool
    reference: int
    """Milliseconds of the reference beat."""
    beats: tuple[Beat, ...]
    """Empty if no reference beat was subtracted."""


@dataclass(frozen=True)
class Encoded:
    """The numbers at the start of section 5 or 6, and the bytes of each lead."""

    step: int
    """Nanovolts of a unit."""
    interval: int
    """Microseconds from sample to sample."""
    differences: int
    parts: tuple[bytes, ...]


def millivolt(rhythm: Section, reference: Section | None, layout: Layout) -> tuple[np.ndarray, float]:
    """Return the leads in mV, float64 (L, T), and their rate in Hz; RecordError if they cannot be decoded."""
    encoded = _encoded(rhythm, layout.leads)
    values = _decode(encoded, layout.count, layout.huffman) * (encoded.step / 1e6)
    if layout.beats and reference is not None:
        values += _reference_beats(reference, encoded.interval, layout)
    return values, 1e6 / encoded.interval


def _encoded(section: Section, leads: int) -> Encoded:
    step, interval, differences, bimodal = section.numbers("HHBB", 0)
    if bimodal and section.what == CONTENTS[RHYTHM] and section.protocol < BIMODAL_UNTIL:
        raise RecordError("bimodal compression is not supported", allowed="rhythm with all its samples")
    if not step or not interval or differences not in DIFFERENCES:
        raise RecordError(
            f"{section.what} of {step} nV a unit, {interval} us a sample, differences of order {differences}",
            allowed="a unit and an interval above 0, differences of order 0, 1 or 2",
        )
    sizes, at, parts = section.numbers(f"{leads}H", 6), 6 + 2 * leads, []
    if at + sum(sizes) > len(section.content):
        raise RecordError(f"{section.what} of {sum(sizes):,} bytes in a section of {len(section.content):,}")
    for size in sizes:
        parts.append(section.content[at : at + size])
        at += size
    return Encoded(step, interval, differences, tuple(parts))


def _decode(encoded: Encoded, count: int, huffman: bool) -> np.ndarray:
    """Return the integers of all leads, int64 (L, T); samples have 16 bits, and sums overflow as in the encoder."""
    rows = [_huffman(part, count) if huffman else _plain(part, count) for part in encoded.parts]
    values = np.array(rows, np.int64)
    if encoded.differences == 1:
        values = np.cumsum(values, axis=1)
    elif encoded.differences == 2 and count > 1:
        values[:, 1] -= values[:, 0]
        values[:, 1:] = values[:, :1] + np.cumsum(np.cumsum(values[:, 1:], axis=1), axis=1)
    return values.astype(np.int16).astype(np.int64)


def _plain(part: bytes, count: int) -> np.ndarray:
    if len(part) != 2 * count:
        raise RecordError(f"{count:,} samples are stated and {len(part):,} bytes stored", allowed="2 for each sample")
    return np.frombuffer(part, "<i2")


def _huffman(part: bytes, count: int) -> np.ndarray:
    """Decode `count` values, first bit of a byte first."""
    if count > 8 * len(part):
        raise RecordError(
            f"{count:,} samples in {len(part):,} bytes of Huffman codes", allowed="a bit for each at least"
        )
    bits = bin(int.from_bytes(b"\1" + part, "big"))[3:]
    values: list[int] = []
    at = 0
    while len(values) < count and (match := CODES.match(bits, at)):
        ones, sign, byte, word = match.groups()
        at = match.end()
        if ones:
            values.append(-len(ones) if sign == "1" else len(ones))
        else:
            raw = byte or word
            values.append(0 if raw is None else int(raw, 2) - (1 << len(raw) if raw[0] == "1" else 0))
    if len(values) < count or len(bits) - at > PADDING:
        raise RecordError(f"Huffman codes of {len(values):,} of {count:,} samples, and {len(bits) - at:,} bits beyond")
    return np.array(values, np.int64)


def _reference_beats(section: Section, interval: int, layout: Layout) -> np.ndarray:
    """Return what was subtracted, in mV (L, T): the reference beat in the span of each beat."""
    encoded = _encoded(section, layout.leads)
    if encoded.interval != interval:
        raise RecordError(f"a reference beat every {encoded.interval} us", allowed=f"{interval} us, as the rhythm")
    length, last = round(layout.reference * 1000 / interval), layout.first + layout.count - 1
    if not 0 < length <= layout.count or length * len(layout.beats) > MAX_OVERLAP * layout.count:
        raise RecordError(f"{len(layout.beats)} beats of {length:,} samples", allowed=f"as fit into {layout.count:,}")
    beat = _decode(encoded, length, layout.huffman) * (encoded.step / 1e6)
    added = np.zeros((layout.leads, layout.count))
    for one in layout.beats:
        begin, end = max(one.begin, layout.first, one.shift + 1), min(one.end, last, one.shift + length)
        if begin <= end:
            at = begin - layout.first
            added[:, at : at + end - begin + 1] += beat[:, begin - one.shift - 1 : end - one.shift]
    return added
