"""Owns EDF and EDF+ recordings, read by `edfio` after their header was found to fit their size."""

import re
import warnings
from typing import Any

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.signal_lines import UNITS

FIXED, A_SIGNAL, MOST_SIGNALS = 256, 256, 512
"""Bytes of the header's fixed part and of a signal's; more signals than any ECG has."""
_PREFIX = re.compile(r"^(?:ECG|EKG|LEAD)[\s:_-]+", re.IGNORECASE)
_STANDARD = {lead.lower(): lead for lead in LEADS}


def read_edf(data: bytes, name: str) -> Record:
    """Read the standard leads among an EDF's signals, whatever else it holds; they must share one rate."""
    try:
        import edfio
    except ImportError as error:
        raise RecordError(f"{name}: reading EDF needs edfio: pip install 'cgdmer[formats]'") from error
    _check_size(data, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = edfio.read_edf(data, header_encoding="latin-1")
            return _record(found, name)
    except RecordError:
        raise
    except Exception as error:  # edfio raises whatever its parts raise
        raise RecordError(f"{name}: edfio cannot read it: {type(error).__name__}: {error}") from error


def _record(found: Any, name: str) -> Record:
    named: dict[str, Any] = {}
    for signal in found.signals:
        lead = _STANDARD.get(_PREFIX.sub("", signal.label.strip()).lower())
        if lead in named:
            raise RecordError(f"{name} holds lead {lead} more than once")
        if lead is not None:
            named[lead] = signal
    if not named:
        labels = ", ".join(repr(signal.label) for signal in found.signals[:12])
        raise RecordError(f"{name} holds no lead of the twelve; its signals are {labels or 'none'}")
    rates = {float(signal.sampling_frequency) for signal in named.values()}
    units = {lead: UNITS.get(signal.physical_dimension.strip()) for lead, signal in named.items()}
    if len(rates) > 1 or None in units.values():
        stated = sorted({signal.physical_dimension for signal in named.values()})
        raise RecordError(f"{name}: rates {sorted(rates)} Hz, units {stated}", allowed="one rate; mV, V or uV")
    rows = [signal.data * FACTORS[units[lead] or "mV"] for lead, signal in named.items()]
    return Record(np.array(rows, dtype=np.float32), rates.pop(), tuple(named), [])


def _check_size(data: bytes, name: str) -> None:
    """Raise RecordError unless the file holds the samples that its header states: EDF's own fields, two bytes each."""
    try:
        records, signals = int(data[236:244]), int(data[252:FIXED])
        start = FIXED + 216 * signals
        if not 0 < signals <= MOST_SIGNALS or records < 1:
            raise ValueError(f"{signals} signals in {records} records")
        each = [int(data[at : at + 8]) for at in range(start, start + 8 * signals, 8)]
    except ValueError as error:
        raise RecordError(f"{name} is no EDF: {error}", allowed="a finished EDF or EDF+ file") from error
    stated = FIXED + A_SIGNAL * signals + 2 * records * sum(each)
    if min(each) < 1 or stated > len(data):
        raise RecordError(f"{name} states {stated:,} bytes and holds {len(data):,}", allowed="a file that is all there")
    if data[192:197] == b"EDF+D":
        raise RecordError(f"{name} is interrupted (EDF+D)", allowed="one uninterrupted recording")
