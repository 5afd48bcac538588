"""Read DICOM ECG objects with `pydicom`: the first rhythm group of the waveform sequence."""

import io
import logging
import re
import warnings
from typing import Any

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.signals import canonical_lead
from cgdmer.waveforms import Record
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.signal_lines import UNITS

SAMPLES = ("SS", "SB", "SL")
"""Sample interpretations of ECG objects (PS3.3 C.10.9.1.5): signed linear integers of 16, 8 and 32 bits."""
UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Transfer syntaxes that are read: implicit and explicit little endian, nothing to inflate."""
LIMIT = 1 << 26
"""Bytes of the largest file; `pydicom` needs many times the size of a file with many elements."""
_LONG = (b"OB", b"OW", b"OF", b"SQ", b"UN", b"UT")
"""Value representations whose length has four bytes."""
_LEAD = re.compile(r"(?:lead\s+)?(I{1,3}|aV[RLF]|V[1-6])\b", re.IGNORECASE)


def read_dicom(data: bytes, name: str) -> Record:
    """Read the standard leads of a 12-lead or general ECG object; no attribute of the patient is read."""
    try:
        import pydicom
    except ImportError as error:
        raise RecordError(f"{name}: reading DICOM needs pydicom: pip install 'cgdmer[formats]'") from error
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    if len(data) > LIMIT:
        raise RecordError(f"{name} holds {len(data):,} bytes", allowed=f"at most {LIMIT:,} for a DICOM ECG object")
    if not (stated := _transfer_syntaxes(data)) or not stated <= set(UNCOMPRESSED):
        syntax = ", ".join(sorted(stated)) or "none"
        raise RecordError(
            f"{name} is no DICOM file of a transfer syntax that is read, but {syntax[:80]}",
            allowed="uncompressed, little endian",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True), name)
    except RecordError:
        raise
    except Exception as error:  # pydicom passes on whatever its parsers raise
        raise RecordError(f"{name}: pydicom cannot read it: {type(error).__name__}: {str(error)[:120]}") from error


def _transfer_syntaxes(data: bytes) -> set[str]:
    """Return the transfer syntaxes in the file meta information (PS3.10 7.1), before `pydicom` inflates anything."""
    syntaxes, at = set(), 132
    while data[128:132] == b"DICM" and data[at : at + 2] == b"\2\0" and at + 12 <= len(data):
        long = data[at + 4 : at + 6] in _LONG
        begin = at + 12 if long else at + 8
        length = int.from_bytes(data[begin - 4 : begin] if long else data[begin - 2 : begin], "little")
        if data[at + 2 : at + 4] == b"\x10\0":
            syntaxes.add(data[begin : begin + min(length, 80)].rstrip(b"\0 ").decode("latin-1"))
        at = begin + length
    return syntaxes


def _read(dataset: Any, name: str) -> Record:
    index = _rhythm(dataset, name)
    group = dataset.WaveformSequence[index]
    channels = _channels(group, name)
    stored = _samples(dataset, index, name)
    rows = [_millivolt(stored[row], group.ChannelDefinitionSequence[row], group, name) for row in channels.values()]
    return Record(np.array(rows, dtype=np.float32), float(group.SamplingFrequency), tuple(channels), [])


def _rhythm(dataset: Any, name: str) -> int:
    """Return the index of the first group that is a rhythm strip and not an averaged beat."""
    for index, group in enumerate(dataset.get("WaveformSequence") or []):
        if "MEDIAN" not in str(group.get("MultiplexGroupLabel", "")).upper():
            return index
    raise RecordError(f"{name} holds no rhythm waveform", allowed="a DICOM ECG object")


def _channels(group: Any, name: str) -> dict[str, int]:
    """Return the channel of each standard lead."""
    count, channels = int(group.NumberOfWaveformChannels), list(group.ChannelDefinitionSequence)
    if count < 1 or len(channels) != count:
        raise RecordError(f"{name}: {count} channels and {len(channels)} channel definitions")
    rows: dict[str, int] = {}
    for row, channel in enumerate(channels):
        if (lead := _lead(channel)) is not None:
            if lead in rows:
                raise RecordError(f"{name} holds lead {lead} more than once")
            rows[lead] = row
    if not rows:
        raise RecordError(f"{name} names no standard lead", allowed="channel sources such as 'Lead I', 'Lead V1'")
    return rows


def _samples(dataset: Any, index: int, name: str) -> np.ndarray:
    """Return the stored integers (L, T) of a group, whose size is checked before anything is allocated."""
    from pydicom.waveforms import multiplex_array

    group = dataset.WaveformSequence[index]
    count, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind, size = str(group.WaveformSampleInterpretation), len(group.WaveformData)
    if kind not in SAMPLES or samples < 1:
        raise RecordError(f"{name}: {samples} {kind} samples", allowed=f"at least one, stored as {', '.join(SAMPLES)}")
    if count * samples * int(group.WaveformBitsAllocated) // 8 > size:
        raise RecordError(f"{name} states {count} x {samples} samples and holds {size:,} bytes")
    return np.asarray(multiplex_array(dataset, index)).T


def _lead(channel: Any) -> str | None:
    """Return the lead that a channel's source names, or None for another signal."""
    sources = channel.get("ChannelSourceSequence") or []
    meaning = str(sources[0].get("CodeMeaning", "")) if sources else str(channel.get("ChannelLabel", ""))
    match = _LEAD.match(meaning.strip())
    return canonical_lead(match[1]) if match else None


def _millivolt(stored: np.ndarray, channel: Any, group: Any, name: str) -> np.ndarray:
    """Scale one channel to mV (PS3.3 C.10.9.1.4): sample times sensitivity times correction, plus baseline."""
    code = channel.get("ChannelSensitivityUnitsSequence")
    unit = UNITS.get(str(code[0].CodeValue)) if code else None
    if unit is None or channel.get("ChannelSensitivity") is None:
        raise RecordError(f"{name}: a channel is not calibrated in volts", allowed="sensitivity in mV, V or uV")
    scale = float(channel.ChannelSensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor") or 1)
    if not scale or not np.isfinite(scale):
        raise RecordError(f"{name}: a channel has the sensitivity {scale:g}", allowed="a finite one other than 0")
    values = (stored * scale + float(channel.get("ChannelBaseline") or 0)) * FACTORS[unit]
    padding = group.get("WaveformPaddingValue")
    if padding is not None:
        empty = np.frombuffer(bytes(padding), stored.dtype)[0] if isinstance(padding, bytes) else int(padding)
        values[stored == empty] = np.nan
    return np.asarray(values, dtype=np.float32)
