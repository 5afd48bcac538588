"""Owns DICOM ECG objects, read by `pydicom`: the first rhythm group of the waveform sequence."""

import io
import logging
import re
import warnings
from typing import Any

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record
from cgdmer.waveforms.formats import FACTORS
from cgdmer.waveforms.signal_lines import UNITS

SAMPLES = {"SS": "<i2", "SB": "<i1", "SL": "<i4"}
"""Sample interpretations of ECG objects (PS3.3 C.10.9.1.5), little endian."""
UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Transfer syntaxes that are read: little endian, nothing to inflate."""
_LEAD = re.compile(r"(?:lead\s+)?(I{1,3}|aV[RLF]|V[1-6])\b", re.IGNORECASE)
_STANDARD = {lead.lower(): lead for lead in LEADS}


def read_dicom(data: bytes, name: str) -> Record:
    """Read the standard leads of a 12-lead or general ECG object; patient attributes are not taken over."""
    try:
        import pydicom
    except ImportError as error:
        raise RecordError(f"{name}: reading DICOM needs pydicom: pip install 'cgdmer[formats]'") from error
    logging.getLogger("pydicom").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True), name)
    except RecordError:
        raise
    except Exception as error:  # pydicom raises whatever its parts raise
        raise RecordError(f"{name}: pydicom cannot read it: {type(error).__name__}: {error}") from error


def _read(dataset: Any, name: str) -> Record:
    syntax = dataset.file_meta.TransferSyntaxUID
    if str(syntax) not in UNCOMPRESSED:
        raise RecordError(f"{name} is packed as {syntax.name}", allowed="uncompressed, little endian")
    return _record(_rhythm(dataset, name), name)


def _rhythm(dataset: Any, name: str) -> Any:
    """Return the first group that is a rhythm strip and no averaged beat."""
    groups = dataset.get("WaveformSequence") or []
    for group in groups:
        if "MEDIAN" not in str(group.get("MultiplexGroupLabel", "")).upper():
            return group
    raise RecordError(f"{name} holds no rhythm waveform", allowed="a DICOM ECG object")


def _record(group: Any, name: str) -> Record:
    count, samples = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind, data = SAMPLES.get(str(group.WaveformSampleInterpretation)), bytes(group.WaveformData)
    channels = list(group.ChannelDefinitionSequence)
    if kind is None or count < 1 or samples < 1 or len(channels) != count:
        raise RecordError(f"{name}: {count} channels of {samples} {group.WaveformSampleInterpretation} samples")
    dtype = np.dtype(kind)
    if count * samples * dtype.itemsize > len(data):
        raise RecordError(f"{name} states {count} x {samples} samples and holds {len(data):,} bytes")
    stored = np.frombuffer(data, dtype, count * samples).reshape(samples, count).T
    named: dict[str, int] = {}
    for row, channel in enumerate(channels):
        if (lead := _lead(channel)) is not None:
            if lead in named:
                raise RecordError(f"{name} holds lead {lead} more than once")
            named[lead] = row
    if not named:
        raise RecordError(f"{name} names no lead of the twelve", allowed="channel sources such as 'Lead I', 'Lead V1'")
    rows = [_millivolt(stored[row], channels[row], group, name) for row in named.values()]
    return Record(np.array(rows, dtype=np.float32), float(group.SamplingFrequency), tuple(named), [])


def _lead(channel: Any) -> str | None:
    """Return the lead that a channel's source names, None where it is another signal."""
    sources = channel.get("ChannelSourceSequence") or []
    meaning = str(sources[0].get("CodeMeaning", "")) if sources else str(channel.get("ChannelLabel", ""))
    match = _LEAD.match(meaning.strip())
    return _STANDARD[match[1].lower()] if match else None


def _millivolt(stored: np.ndarray, channel: Any, group: Any, name: str) -> np.ndarray:
    """Scale one channel as PS3.3 C.10.9.1.4 says: sample times sensitivity times correction, plus baseline."""
    code = channel.get("ChannelSensitivityUnitsSequence")
    unit = UNITS.get(str(code[0].CodeValue)) if code else None
    if unit is None or channel.get("ChannelSensitivity") is None:
        raise RecordError(f"{name}: a channel is not calibrated in volts", allowed="sensitivity in mV, V or uV")
    scale = float(channel.ChannelSensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor") or 1)
    values = (stored * scale + float(channel.get("ChannelBaseline") or 0)) * FACTORS[unit]
    padding = group.get("WaveformPaddingValue")
    if padding is not None:
        empty = np.frombuffer(bytes(padding), stored.dtype)[0] if isinstance(padding, bytes) else int(padding)
        values[stored == empty] = np.nan
    return np.asarray(values, dtype=np.float32)
