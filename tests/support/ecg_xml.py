"""Recordings as XML of HL7 aECG, GE MUSE and Philips, written from known numbers as the public descriptions say."""

import base64
import struct
from collections.abc import Sequence

import numpy as np

from cgdmer.signals import LEADS
from support import example_recordings as example

STORED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The leads that MUSE and most SCP devices store."""
PATIENT = "Nobody^Known"


def microvolt(leads: Sequence[str] = LEADS, seed: int = 1, seconds: float = example.SECONDS) -> np.ndarray:
    """Return whole microvolts (L, T) at 500 Hz whose limb leads satisfy Einthoven's identity exactly."""
    signal = np.rint(example.millivolt(seed, seconds) * 1000).astype(np.int64)
    signal[2] = signal[1] - signal[0]
    return signal[[LEADS.index(lead) for lead in leads]]


def aecg(signal: np.ndarray | None = None, leads: Sequence[str] = LEADS, *, scale: str = "1", unit: str = "uV",
         origin: str = "0", increment: str = "0.002", code: str = "RHYTHM") -> bytes:  # fmt: skip
    """Return an annotated ECG: digits (L, T), an absolute time, a subject, and a derived beat behind the rhythm."""
    digits = microvolt(leads) if signal is None else signal
    sequences = [
        f'<component><sequence><code code="MDC_ECG_LEAD_{lead.upper()}"/><value xsi:type="SLIST_PQ">'
        f'<origin value="{origin}" unit="{unit}"/><scale value="{scale}" unit="{unit}"/>'
        f"<digits>{' '.join(map(str, row))}</digits></value></sequence></component>"
        for lead, row in zip(leads, digits, strict=True)
    ]
    time = (
        '<component><sequence><code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS"><head value="20200101"/>'
        f'<increment value="{increment}" unit="s"/></value></sequence></component>'
    )
    beat = '<derivation><derivedSeries><code code="REPRESENTATIVE_BEAT"/></derivedSeries></derivation>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?><AnnotatedECG xmlns="urn:hl7-org:v3" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><subject><name>{PATIENT}</name></subject><component>'
        f'<series><code code="{code}"/><component><sequenceSet>{time}{"".join(sequences)}</sequenceSet></component>'
        f"{beat}</series></component></AnnotatedECG>"
    ).encode()


def muse(signal: np.ndarray | None = None, leads: Sequence[str] = STORED, *, step: str = "1", base: str = "500",
         exponent: str = "0", unit: str = "MICROVOLTS", kind: str = "Rhythm", count: str = "") -> bytes:  # fmt: skip
    """Return an export of MUSE: a median beat, then the rhythm, int16 (L, T) in base64."""
    stored = (microvolt(leads) if signal is None else signal).astype("<i2")

    def waveform(name: str, values: np.ndarray) -> str:
        parts = [
            f"<LeadData><LeadSampleCountTotal>{count or len(row)}</LeadSampleCountTotal>"
            f"<LeadAmplitudeUnitsPerBit>{step}</LeadAmplitudeUnitsPerBit>"
            f"<LeadAmplitudeUnits>{unit}</LeadAmplitudeUnits><LeadID>{lead}</LeadID>"
            "<FirstSampleBaseline>0</FirstSampleBaseline><LeadSampleSize>2</LeadSampleSize>"
            f"<WaveFormData>\n{base64.encodebytes(row.tobytes()).decode()}</WaveFormData></LeadData>"
            for lead, row in zip(leads, values, strict=True)
        ]
        rate = f"<SampleBase>{base}</SampleBase><SampleExponent>{exponent}</SampleExponent>"
        return f"<Waveform><WaveformType>{name}</WaveformType>{rate}{''.join(parts)}</Waveform>"

    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!DOCTYPE RestingECG SYSTEM "restecg.dtd">\n<RestingECG>'
        f"<PatientDemographics><PatientLastName>{PATIENT}</PatientLastName></PatientDemographics>"
        f"{waveform('Median', stored[:, :600])}{waveform(kind, stored)}</RestingECG>"
    ).encode("latin-1")


def philips(signal: np.ndarray | None = None, leads: Sequence[str] = LEADS, *, step: str = "1", rate: str = "500",
            compression: str = "XLI", version: str = "1.04", duration: str = "", more: str = "",
            encoding: str = "utf-16", data: bytes | None = None) -> bytes:  # fmt: skip
    """Return a Sierra ECG of int16 (L, T), compressed or as it is; `data` replaces the bytes of the waveforms."""
    stored = microvolt(leads) if signal is None else signal
    content = xli(residuals(stored)) if compression == "XLI" else stored.astype("<i2").tobytes()
    text = base64.encodebytes(content if data is None else data).decode()
    names = f'numberofleads="{len(leads)}" leadlabels="{" ".join(leads)}"' if version != "1.03" else ""
    method = {"1.03": f'compressflag="{compression == "XLI"}" compressmethod="{compression or "Uncompressed"}"'}.get(
        version, f'compression="{compression or "Uncompressed"}"'
    )
    return (
        f'<?xml version="1.0" encoding="{encoding}"?><restingecgdata xmlns="http://www3.medical.philips.com">'
        f"<documentinfo><documenttype>{'SierraECG' if version == '1.03' else 'PhilipsECG'}</documenttype>"
        f"<documentversion>{version}</documentversion></documentinfo><patient><name>{PATIENT}</name></patient>"
        f"<dataacquisition><signalcharacteristics><samplingrate>{rate}</samplingrate>"
        f"<{'signalresolution' if version == '1.03' else 'resolution'}>{step}</"
        f"{'signalresolution' if version == '1.03' else 'resolution'}><acquisitiontype>STD-12</acquisitiontype>"
        f"<bitspersample>16</bitspersample><numberchannelsallocated>{len(leads)}</numberchannelsallocated>"
        "<signaloffset>0</signaloffset><signalsigned>True</signalsigned></signalcharacteristics></dataacquisition>"
        f'<waveforms><parsedwaveforms dataencoding="Base64" {method} {names} {more} '
        f'durationperchannel="{duration or stored.shape[1] * 2}">{text}</parsedwaveforms></waveforms></restingecgdata>'
    ).encode(encoding)


def residuals(signal: np.ndarray) -> np.ndarray:
    """Return what XLI stores of integers (12, T): III and the augmented leads minus what I and II give, negated."""
    one, two, three, right, left, foot = signal[:6]
    rows = [
        one,
        two,
        two - one - three,
        -right - (one + two) // 2,
        (one - three) // 2 - left,
        (two + three) // 2 - foot,
    ]
    return np.concatenate([np.array(rows), signal[6:]])


def xli(signal: np.ndarray) -> bytes:
    """Compress each row of integers (L, T): two samples, then second differences that are delayed by one sample."""
    chunks = []
    for row in signal.tolist():
        bends = [row[n - 2] - 2 * row[n - 1] + row[n] for n in range(2, len(row))]
        words = [*row[:2], *(64 - bend for bend in bends[1:]), 64]
        high, low = bytes(word >> 8 & 255 for word in words), bytes(word & 255 for word in words)
        packed = lzw(high + low)
        chunks.append(struct.pack("<ihh", len(packed), 1, -bends[0]) + packed)
    return b"".join(chunks)


def lzw(data: bytes) -> bytes:
    """Compress with codes of 10 bits, the strings from 256 to 1022, ended by the code 1023."""
    known = {bytes([value]): value for value in range(256)}
    codes, text = [], b""
    for value in data:
        longer = text + bytes([value])
        if longer not in known:
            codes.append(known[text])
            if len(known) < 1023:
                known[longer] = len(known)
            longer = bytes([value])
        text = longer
    bits = "".join(f"{code:010b}" for code in [*codes, known[text], 1023])
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
