"""Read XML exports of GE MUSE (`RestingECG`): the rhythm waveform, base64 of 16-bit integers for each lead.

MUSE stores I, II and the chest leads. One unit of a lead is `LeadAmplitudeUnitsPerBit` microvolts; the rate
is `SampleBase` times ten to the power of `SampleExponent`. The checksums `LeadDataCRC32` are not compared.
"""

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.recordings.calibrated import MAX_QUOTED, decode_base64, lead_rows, number, record, whole
from cgdmer.recordings.xml_tree import Element
from cgdmer.waveforms import Record

ROOT = "RestingECG"
MICROVOLT = "MICROVOLTS"
MAX_SAMPLES = 1 << 24


def read_muse(root: Element) -> Record:
    """Read the leads of the first rhythm waveform; no element of the patient is read."""
    waveforms = [wave for wave in root.all("Waveform") if wave.required("WaveformType").text.lower() == "rhythm"]
    if not waveforms:
        raise RecordError("no waveform of the type Rhythm", allowed="an export with rhythm, not only median beats")
    stored = list(waveforms[0].all("LeadData"))
    rows = lead_rows([lead.required("LeadID").text for lead in stored])
    return record({lead: _millivolt(stored[row], lead) for lead, row in rows.items()}, _rate(waveforms[0]))


def _rate(waveform: Element) -> float:
    base = number(waveform.required("SampleBase").text, "SampleBase", 1, 1e6)
    exponent = waveform.find("SampleExponent")
    return float(base * 10.0 ** (0 if exponent is None else whole(exponent.text, "SampleExponent", -6, 6)))


def _millivolt(lead: Element, name: str) -> np.ndarray:
    """Return the samples of a lead in mV (T,)."""
    unit = lead.required("LeadAmplitudeUnits").text
    if unit.upper() != MICROVOLT:
        raise RecordError(f"the unit of lead {name} is '{unit[:MAX_QUOTED]}'", allowed=MICROVOLT)
    step = number(lead.required("LeadAmplitudeUnitsPerBit").text, f"LeadAmplitudeUnitsPerBit of lead {name}", 1e-6, 1e6)
    for field, expected in (("LeadSampleSize", 2), ("LeadOffsetFirstSample", 0), ("FirstSampleBaseline", 0)):
        _check(lead, field, expected, name)
    data = decode_base64(lead.required("WaveFormData").text)
    count = whole(lead.required("LeadSampleCountTotal").text, f"LeadSampleCountTotal of lead {name}", 1, MAX_SAMPLES)
    if len(data) != 2 * count:
        raise RecordError(f"lead {name} states {count:,} samples and holds {len(data):,} bytes", allowed="2 for each")
    return np.frombuffer(data, "<i2") * (step / 1000)


def _check(lead: Element, field: str, expected: int, name: str) -> None:
    """Raise RecordError if a field that may be absent has another value than the one that is read."""
    element = lead.find(field)
    if element is not None and whole(element.text, f"{field} of lead {name}", -MAX_SAMPLES, MAX_SAMPLES) != expected:
        raise RecordError(f"{field} of lead {name} is '{element.text[:MAX_QUOTED]}'", allowed=str(expected))
