"""WFDB's sample formats (physionet.org/physiotools/wag/signal-5.htm): bytes to integers, integers to mV."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BITS = {16: 16, 24: 24, 32: 32, 80: 8, 212: 12}
"""Bits per sample of the formats decoded here."""
FORMATS = tuple(BITS)
FACTORS = {"mV": 1.0, "V": 1000.0, "uV": 0.001}
"""Physical unit to mV."""
_EXACT = 1 << 23
"""Integers of up to twice this magnitude are exact in float32."""

Integers = npt.NDArray[Any]
"""Signed integers of the width that the format needs."""


def size(kind: int, count: int) -> int:
    """Return the bytes that `count` samples take."""
    return -(-count * BITS[kind] // 8)


def decode(data: bytes, kind: int, offset: int, count: int) -> Integers:
    """Return `count` samples as a flat array in file order; the caller has checked that `data` holds them."""
    if kind in (16, 32):
        return np.frombuffer(data, f"<i{kind // 8}", count, offset)
    stored = np.frombuffer(data, np.uint8, size(kind, count), offset)
    if kind == 80:
        return stored.astype(np.int16) - 128
    if kind == 24:
        return _three_bytes(stored)
    return _twelve_bits(stored)[:count]


def _three_bytes(stored: npt.NDArray[np.uint8]) -> Integers:
    """Move each sample into the high bytes of an int32 and extend its sign by an arithmetic shift."""
    wide = np.zeros((len(stored) // 3, 4), np.uint8)
    wide[:, 1:] = stored.reshape(-1, 3)
    return wide.view("<i4").ravel() >> 8


def _twelve_bits(stored: npt.NDArray[np.uint8]) -> Integers:
    """Unpack pairs of samples from three bytes: low byte, both high nibbles (first sample's low), low byte."""
    whole = np.zeros(-(-len(stored) // 3) * 3, np.int16)
    whole[: len(stored)] = stored
    first, nibbles, second = whole.reshape(-1, 3).T
    pairs = np.empty((len(first), 2), np.int16)
    pairs[:, 0] = first | (nibbles & 0x0F) << 8
    pairs[:, 1] = second | (nibbles & 0xF0) << 4
    return ((pairs ^ 0x800) - 0x800).ravel()


def millivolt(
    digital: Integers, kind: int, gains: Sequence[float], baselines: Sequence[int], units: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return mV (L, T) of integers (L, T): float32 of (sample - baseline) / gain * factor as float64 gives it.

    The lowest value of a format means "no sample" and becomes NaN. Where integers, baselines and gains are exact in
    float32 and the unit is mV, one float32 division yields the same bits: rounding a quotient to 53 and then to 24 bits
    equals rounding it to 24 (Figueroa, "When is double rounding innocuous?", SIGNUM 30(3), 1995: 53 >= 2 * 24 + 2).
    """
    exact = (
        kind != 32
        and set(units) == {"mV"}
        and all(float(np.float32(gain)) == gain for gain in set(gains))
        and all(abs(baseline) <= _EXACT for baseline in set(baselines))
    )
    precision = np.float32 if exact else np.float64
    if any(baselines):
        values = np.subtract(digital, _column(baselines), dtype=precision)
        values /= _column(gains)
    else:
        values = np.divide(digital, _column(gains), dtype=precision)
    if not exact:
        values *= _column([FACTORS[unit] for unit in units])
    if digital.min() == -(1 << BITS[kind] - 1):
        values[digital == -(1 << BITS[kind] - 1)] = np.nan
    signal: npt.NDArray[np.float32] = values.astype(np.float32, copy=False)
    return signal


def _column(values: Sequence[float]) -> Any:
    """Return one number if all leads share it, else a column (L, 1)."""
    return float(values[0]) if len(set(values)) == 1 else np.array(values, np.float64)[:, None]


def checksums_match(digital: Integers, checksums: Sequence[int | None]) -> bool | None:
    """Return True if the 16-bit sums of a signal (L, T) equal its header's, or None if the header has none."""
    if None in checksums:
        return None
    sums = digital.sum(axis=1, dtype=np.int16 if digital.dtype.itemsize == 2 else np.int64)
    return all((int(actual) - (stated or 0)) % 65536 == 0 for actual, stated in zip(sums, checksums, strict=True))
