"""XLI, the compression of Philips electrocardiographs: LZW of 10 bits over second differences.

Known from the analysis of the project sierra-ecg-tools (github.com/sixlettervariables/sierra-ecg-tools). A chunk for
each lead: size of the compressed bytes (int32), two bytes of unknown meaning, start value (int16), little endian.
"""

import struct
from collections.abc import Sequence

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.signals import LEADS

HEADER = struct.Struct("<i2xh")
BITS, END = 10, 1023
"""Bits of a code, and the code that ends a chunk; strings get the codes from 256 to 1022."""
BIAS = 64
"""What is added to each stored difference but the start value."""
PADDING = 8
"""Bytes beyond the samples that a chunk may decompress to."""


def decode(data: bytes, leads: int, count: int) -> np.ndarray:
    """Return `leads` leads of `count` samples, int64 (L, T); chunks beyond them are left out.

    RecordError if a chunk is cut, or does not hold `count` samples: no more than these are decompressed.
    """
    if count < 3:
        raise RecordError(f"{count} samples", allowed="at least 3 in a compressed lead")
    rows, at = np.empty((leads, count), np.int64), 0
    for row in range(leads):
        size, start = HEADER.unpack(data[at : at + HEADER.size].ljust(HEADER.size, b"\0"))
        at += HEADER.size
        if not 0 < size <= len(data) - at:
            raise RecordError(
                f"lead {row + 1} of {leads} states {size:,} compressed bytes of {max(0, len(data) - at):,}"
            )
        rows[row] = integrate(inflate(data[at : at + size], 2 * count), count, start)
        at += size
    return rows


def inflate(data: bytes, size: int) -> bytes:
    """Decompress LZW (Welch 1984) codes of 10 bits, first bit first; RecordError unless they hold `size` bytes."""
    strings = [bytes([value]) for value in range(256)]
    parts, length, previous = [], 0, b""
    bits, held = 0, 0
    for byte in data:
        bits, held = (bits << 8 | byte) & 0xFFFFF, held + 8
        if held < BITS:
            continue
        held -= BITS
        code = bits >> held & END
        if code == END:
            break
        if code > len(strings) or (code == len(strings) and (not previous or code == END)):
            raise RecordError(f"the LZW code {code} was not defined before", allowed="complete XLI data")
        text = strings[code] if code < len(strings) else previous + previous[:1]
        if previous and len(strings) < END:
            strings.append(previous + text[:1])
        parts.append(text)
        length, previous = length + len(text), text
        if length > size + PADDING:
            break
    if not size <= length <= size + PADDING:
        raise RecordError(f"a lead decompresses to {length:,} bytes", allowed=f"{size:,}, two for each sample")
    return b"".join(parts)


def integrate(data: bytes, count: int, start: int) -> np.ndarray:
    """Return samples (T,) from high bytes, then low bytes: two samples, then second differences, delayed by one."""
    high = np.frombuffer(data, np.int8, count).astype(np.int64)
    words = high << 8 | np.frombuffer(data, np.uint8, count, count)
    bends = np.concatenate([words[:2], [-start], BIAS - words[2:-1]])
    bends[1] -= words[0]
    samples = np.concatenate([bends[:1], bends[0] + np.cumsum(np.cumsum(bends[1:]))])
    if np.abs(samples).max() > 1 << 15:
        raise RecordError("a lead leaves the range of 16 bits", allowed="complete XLI data")
    return samples


def restore_limb_leads(stored: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return leads (L, T) in which III, aVR, aVL and aVF are leads, not differences from what I and II give.

    RecordError if the first six leads are not the limb leads in canonical order.
    """
    if [name.lower() for name in names[:6]] != [lead.lower() for lead in LEADS[:6]]:
        raise RecordError(f"XLI of the leads {' '.join(names)[:80]}", allowed=f"{' '.join(LEADS[:6])} at first")
    one, two, three, right, left, foot = stored[:6]
    three = two - one - three
    limb = [one, two, three, -right - (one + two) // 2, (one - three) // 2 - left, (two + three) // 2 - foot]
    return np.concatenate([np.array(limb), stored[6:]])
