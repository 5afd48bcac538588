"""Parse the signal lines of a WFDB header: format, gain, unit and name of each lead."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from cgdmer.errors import RecordError
from cgdmer.waveforms.formats import FORMATS

UNITS = {"V": "V", "mV": "mV", "mv": "mV", "uV": "uV", "uv": "uV", "µV": "uV", "μV": "uV"}
"""Spellings of units, with the micro sign and with the Greek mu, to their standard names."""
ALL_FORMATS = (0, 8, 16, 24, 32, 61, 80, 160, 212, 310, 311, 508, 516, 524)
"""physionet.org/physiotools/wag/signal-5.htm; 0 is a lead without a file."""
DEFAULT_GAIN, DEFAULT_UNIT = 200.0, "mV"
"""The format's defaults for a gain or unit that is left out."""
MIN_GAIN, MAX_GAIN, MAX_BASELINE = 1e-12, 1e12, 1 << 31
"""Beyond these limits float32 mV overflows or underflows."""
MAX_FIELD = 80
"""Characters of the longest number. The patterns below need quadratic time on digits that lead to nothing."""

_FORMAT = re.compile(r"(\d{1,3})(?:x(\d{1,6}))?(?::(\d{1,9}))?(?:\+(\d{1,12}))?")
_GAIN = re.compile(r"(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)?(?:\((-?\d{1,10})\))?(?:/(\S*))?")
_INTEGER = re.compile(r"-?\d{1,12}")


class Layout(NamedTuple):
    """The parts of the signal lines that the records of a corpus share."""

    leads: tuple[str, ...]
    formats: tuple[int, ...]
    offsets: tuple[int, ...]
    gains: tuple[float, ...]
    baselines: tuple[int, ...]
    units: tuple[str, ...]
    plain: bool


def signal_lines(lines: Sequence[str]) -> tuple[tuple[str, ...], Layout, tuple[int | None, ...]]:
    """Return files, layout and checksums; lines with all nine fields take the fast path."""
    rows = [line.split(None, 8) for line in lines]
    try:
        return _columns(rows)
    except ValueError:
        return _columns([_with_defaults(row) for row in rows])


def _columns(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], Layout, tuple[int | None, ...]]:
    """Transpose the rows; ValueError unless each has nine fields, with integers in the integer fields."""
    files, formats, gains, resolutions, zeros, initials, checksums, blocks, leads = zip(*rows, strict=True)
    layout = _layout(formats, gains, resolutions, zeros, blocks, leads)
    for initial in initials:
        int(initial)
    return files, layout, tuple([int(checksum) if checksum else None for checksum in checksums])


def _with_defaults(row: Sequence[str]) -> list[str]:
    """Fill in the format's defaults for fields left out; the text after the last number is the lead's name."""
    if len(row) < 2:
        raise RecordError(f"signal line '{' '.join(row)[:80]}'", allowed="FILE FORMAT GAIN ... LEAD")
    fields, numbers = list(row[3:]), ["0", "0", "0", "", "0"]
    for index in range(len(numbers)):
        if not fields or not _INTEGER.fullmatch(fields[0]):
            break
        numbers[index] = fields.pop(0)
    return [row[0], row[1], row[2] if len(row) > 2 else "", *numbers, " ".join(fields)]


@lru_cache(maxsize=512)
def _layout(
    formats: tuple[str, ...], gains: tuple[str, ...], resolutions: tuple[str, ...], zeros: tuple[str, ...],
    blocks: tuple[str, ...], leads: tuple[str, ...],
) -> Layout:  # fmt: skip
    """Parse the columns that seldom differ between records; the result is cached."""
    for number in (*resolutions, *blocks):
        int(number)
    stored = [_format(text) for text in formats]
    scales = [_gain(*column) for column in zip(gains, map(int, zeros), leads, strict=True)]
    return Layout(
        leads,
        tuple(kind for kind, _, _ in stored),
        tuple(offset for _, offset, _ in stored),
        tuple(gain for gain, _, _ in scales),
        tuple(baseline for _, baseline, _ in scales),
        tuple(unit for _, _, unit in scales),
        all(plain for _, _, plain in stored),
    )


def _format(text: str) -> tuple[int, int, bool]:
    """Return format, byte offset, and whether `decoding` reads it: known, one sample per frame, no skew."""
    match = _FORMAT.fullmatch(text)
    if not match or int(match[1]) not in ALL_FORMATS:
        raise RecordError(f"signal format '{text[:40]}'", allowed=", ".join(map(str, ALL_FORMATS)))
    kind, frame, skew, offset = int(match[1]), int(match[2] or 1), int(match[3] or 0), int(match[4] or 0)
    return kind, offset, kind in FORMATS and frame == 1 and skew == 0


def _gain(text: str, zero: int, lead: str) -> tuple[float, int, str]:
    """Return ADC units per physical unit, the ADC value of zero, and the unit."""
    lead = lead[:40]
    match = _GAIN.fullmatch(text) if len(text) <= MAX_FIELD else None
    if not match:
        raise RecordError(f"gain '{text[:40]}' of lead '{lead}'", allowed="GAIN(BASELINE)/UNIT")
    gain, unit = float(match[1] or DEFAULT_GAIN), UNITS.get(match[3] or DEFAULT_UNIT)
    if gain == 0:
        raise RecordError(
            f"zero gain of lead '{lead}': its amplitude is not calibrated", allowed="ADC units per mV, other than 0"
        )
    if not MIN_GAIN <= abs(gain) <= MAX_GAIN:
        raise RecordError(f"gain '{text}' of lead '{lead}'", allowed=f"{MIN_GAIN} to {MAX_GAIN}")
    if unit is None:
        raise RecordError(f"unit '{match[3]}' of lead '{lead}' is unknown", allowed="mV, V, uV")
    baseline = int(match[2]) if match[2] else zero
    if abs(baseline) > MAX_BASELINE:
        raise RecordError(f"baseline {baseline} of lead '{lead}'", allowed="a 32-bit integer")
    return gain, baseline, unit
