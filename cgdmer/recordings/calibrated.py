"""What the readers of XML and SCP-ECG share: numbers, base64, lead names, and leads in mV as one record."""

import base64
import binascii
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.signals import LEADS, canonical_lead
from cgdmer.signals.leads import HEXAXIAL, LIMB, SUSPECT_UV, identity_residual
from cgdmer.waveforms import Record
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.header import MAX_FS
from cgdmer.waveforms.signal_lines import UNITS

OTHERS = frozenset(
    {"v7", "v8", "v9", "v2r", "v3r", "v4r", "v5r", "v6r", "v7r", "v8r", "v9r", "x", "y", "z", "-avr", "cc5", "cm5"}
)
"""Leads that 12-lead devices record beside the standard ones; they are left out. Other names are refused."""
MAX_NUMBER, MAX_QUOTED = 40, 40
"""Characters of the longest number, and of a name or value that messages quote."""
BASE64_LIMIT = 1 << 25
"""Characters of the longest base64 text: an hour of twelve leads at 500 Hz in 16 bits is about twice as long."""
MAX_SHARE = 0.01
"""Contradiction of the limb leads that rounding explains, relative to their largest value."""


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of the file before the message of a RecordError."""
    try:
        yield
    except RecordError as error:
        raise RecordError(f"{name}: {error.problem}", allowed=error.allowed, fix=error.fix) from error


def number(text: str, what: str, low: float, high: float) -> float:
    """Return a decimal number from `low` to `high`; RecordError for anything else."""
    try:
        value = float(text) if len(text) <= MAX_NUMBER and text.isascii() and "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise RecordError(f"{what} is '{text[:MAX_QUOTED]}'", allowed=f"a number from {low:,.10g} to {high:,.10g}")
    return value


def whole(text: str, what: str, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`; RecordError for anything else."""
    value = number(text, what, low, high)
    if value != int(value):
        raise RecordError(f"{what} is '{text[:MAX_QUOTED]}'", allowed="a whole number")
    return int(value)


def factor(unit: str, what: str) -> float:
    """Return what a value in `unit` is multiplied with to give mV; RecordError for an unknown unit."""
    if unit not in UNITS:
        raise RecordError(f"the unit of {what} is '{unit[:MAX_QUOTED]}'", allowed="V, mV or uV")
    return FACTORS[UNITS[unit]]


def decode_base64(text: str) -> bytes:
    """Return the bytes of a base64 text that may be broken into lines; RecordError if it is damaged or too long."""
    if len(text) > BASE64_LIMIT:
        raise RecordError(f"a waveform of {len(text):,} characters", allowed=f"at most {BASE64_LIMIT:,}")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError(f"a waveform is not base64: {str(error)[:80]}") from error


def lead_rows(names: Sequence[str]) -> dict[str, int]:
    """Return the row of each standard lead; RecordError for a repeated or unknown name, or if there is none."""
    rows: dict[str, int] = {}
    for row, name in enumerate(names):
        lead = canonical_lead(name)
        if lead is None and name.strip().lower() not in OTHERS:
            raise RecordError(
                f"unknown lead '{name[:MAX_QUOTED]}'", allowed=f"{', '.join(LEADS)}; V7, V3R and others are left out"
            )
        if lead in rows:
            raise RecordError(f"lead {lead} occurs more than once")
        if lead is not None:
            rows[lead] = row
    if not rows:
        raise RecordError("no standard lead", allowed=", ".join(LEADS))
    return rows


def record(leads: dict[str, np.ndarray], fs: float) -> Record:
    """Return leads in mV, each (T,), as a record; limb leads that are not stored follow from I and II.

    RecordError if the rate is impossible, the leads differ in length, or all limb leads are stored and II is not
    I + III: then a lead's name or scale is wrong.
    """
    if not 0 < fs <= MAX_FS:
        raise RecordError(f"sampling rate {fs:g} Hz", allowed=f"above 0 and at most {MAX_FS:,.0f} Hz")
    lengths = sorted({len(values) for values in leads.values()})
    if len(lengths) != 1 or not lengths[0]:
        raise RecordError(f"the leads hold {', '.join(map(str, lengths[:8]))} samples", allowed="one length, not 0")
    if "I" in leads and "II" in leads:
        pair = np.array([leads["I"], leads["II"]])
        derived = {lead: HEXAXIAL[row].astype(np.float64) @ pair for row, lead in enumerate(LEADS[:LIMB])}
        leads = derived | leads
    _check_identities(leads)
    names = tuple(lead for lead in LEADS if lead in leads)
    return Record(np.array([leads[lead] for lead in names], dtype=np.float32), fs, names, [])


def _check_identities(leads: dict[str, np.ndarray]) -> None:
    """Raise RecordError if six limb leads contradict each other: a device derives four of them from the other two."""
    limb = np.array([leads[lead] for lead in LEADS[:LIMB] if lead in leads])
    if len(limb) < LIMB:
        return
    residual, allowed = identity_residual(limb) * 1000, max(SUSPECT_UV, MAX_SHARE * float(np.abs(limb).max()) * 1000)
    if not residual <= allowed:
        raise RecordError(
            f"the limb leads contradict each other by {residual:,.0f} uV: the name or scale of a lead is wrong",
            allowed=f"II = I + III and the other identities within {allowed:,.0f} uV",
        )
