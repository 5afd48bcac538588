"""Read EDF and EDF+ recordings with `edfio`, after a check that the file is as long as its header states."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.signals import canonical_lead
from cgdmer.waveforms import Record
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.signal_lines import UNITS

FIXED_BYTES, SIGNAL_BYTES, MAX_SIGNALS = 256, 256, 512
"""Bytes of the header's fixed part and of its part for one signal; more signals than any ECG has."""
_PREFIX = re.compile(r"^(?:ECG|EKG|LEAD)[\s:_-]+", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class OpenedEdf:
    """The standard leads of an EDF, of which any part can be read."""

    signals: dict[str, Any]
    """By lead, in the order of the file."""
    factors: tuple[float, ...]
    """From the unit of each lead to mV."""
    fs: float
    """Hz."""
    samples: int
    """Samples of each lead."""

    @property
    def leads(self) -> tuple[str, ...]:
        return tuple(self.signals)

    def read(self, first: int, last: int) -> np.ndarray:
        """Return the samples from `first` to before `last`, float32 mV (L, count); RecordError if they are damaged."""
        try:
            parts = [signal.get_data_slice(first / self.fs, last / self.fs) for signal in self.signals.values()]
            return np.array([part * factor for part, factor in zip(parts, self.factors, strict=True)], np.float32)
        except Exception as error:
            raise _unreadable("its signal", error) from error


def read_edf(data: bytes, name: str) -> Record:
    """Read the standard leads among an EDF's signals and ignore other signals; the leads must share one rate."""
    opened = _opened(data, data[: FIXED_BYTES + SIGNAL_BYTES * MAX_SIGNALS], len(data), name)
    try:
        rows = [signal.data * factor for signal, factor in zip(opened.signals.values(), opened.factors, strict=True)]
        return Record(np.array(rows, dtype=np.float32), opened.fs, opened.leads, [])
    except Exception as error:
        raise _unreadable(name, error) from error


def open_edf(path: Path, length: int, name: str) -> OpenedEdf:
    """Open an EDF of `length` bytes without reading its samples; RecordError as for `read_edf`."""
    with path.open("rb") as stream:
        head = stream.read(FIXED_BYTES + SIGNAL_BYTES * MAX_SIGNALS)
    return _opened(path, head, length, name)


def _opened(file: Path | bytes, head: bytes, length: int, name: str) -> OpenedEdf:
    try:
        import edfio
    except ImportError as error:
        raise RecordError(f"{name}: reading EDF needs edfio: pip install 'cgdmer[formats]'") from error
    _check_size(head, length, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _select(edfio.read_edf(file, lazy_load_data=True, header_encoding="latin-1"), name)
    except RecordError:
        raise
    except Exception as error:  # edfio passes on whatever its parsers raise
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> RecordError:
    return RecordError(f"{name}: edfio cannot read it: {type(error).__name__}: {str(error)[:120]}")


def _select(edf: Any, name: str) -> OpenedEdf:
    signals: dict[str, Any] = {}
    for signal in edf.signals:
        lead = canonical_lead(_PREFIX.sub("", signal.label.strip()))
        if lead in signals:
            raise RecordError(f"{name} holds lead {lead} more than once")
        if lead is not None:
            signals[lead] = signal
    if not signals:
        labels = ", ".join(repr(signal.label) for signal in edf.signals[:12])
        raise RecordError(f"{name} holds no standard lead; its signals are {labels or 'none'}")
    for lead, signal in signals.items():
        _check_limits(signal, f"{name}: lead {lead}")
    rates = {float(signal.sampling_frequency) for signal in signals.values()}
    units = {lead: UNITS.get(signal.physical_dimension.strip()) for lead, signal in signals.items()}
    if len(rates) > 1 or None in units.values():
        stated = sorted({signal.physical_dimension for signal in signals.values()})
        raise RecordError(f"{name}: rates {sorted(rates)} Hz, units {stated}", allowed="one rate; mV, V or uV")
    samples = edf.num_data_records * min(signal.samples_per_data_record for signal in signals.values())
    return OpenedEdf(signals, tuple(FACTORS[unit or "mV"] for unit in units.values()), rates.pop(), samples)


def _check_limits(signal: Any, what: str) -> None:
    """Raise RecordError unless the limits of a signal give a scale; with equal ones its values would be raw digits."""
    physical = float(signal.physical_min), float(signal.physical_max)
    digital = int(signal.digital_min), int(signal.digital_max)
    if physical[0] == physical[1] or digital[0] >= digital[1] or not np.isfinite(physical).all():
        raise RecordError(
            f"{what} is not calibrated: physical limits {physical[0]:g} to {physical[1]:g}, digital {digital[0]} to "
            f"{digital[1]}",
            allowed="two different physical limits, and a digital minimum below the maximum",
        )


def _check_size(head: bytes, length: int, name: str) -> None:
    """Raise RecordError unless the file holds all samples that its header states, two bytes each."""
    try:
        records, signals = int(head[236:244]), int(head[252:FIXED_BYTES])
        start = FIXED_BYTES + 216 * signals
        if not 0 < signals <= MAX_SIGNALS or records < 1:
            raise ValueError(f"{signals} signals in {records} records")
        samples = [int(head[at : at + 8]) for at in range(start, start + 8 * signals, 8)]
    except ValueError as error:
        raise RecordError(f"{name} is not EDF: {error}", allowed="a finished EDF or EDF+ file") from error
    stated = FIXED_BYTES + SIGNAL_BYTES * signals + 2 * records * sum(samples)
    if min(samples) < 1 or stated > length:
        raise RecordError(f"{name} states {stated:,} bytes and holds {length:,}", allowed="a complete file")
    if head[192:197] == b"EDF+D":
        raise RecordError(f"{name} is discontinuous (EDF+D)", allowed="one continuous recording")
