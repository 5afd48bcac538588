"""XML of electrocardiographs and SCP-ECG files: bombs, lying units and lengths, unknown leads, and damage."""

import struct
from collections.abc import Iterator

import numpy as np
from hostile.records import Files
from support import ecg_xml, scp_ecg
from support.ecg_xml import STORED, microvolt

AECG, MUSE, PHILIPS, SCP = ecg_xml.aecg(), ecg_xml.muse(), ecg_xml.philips(encoding="utf-8"), scp_ecg.scp()
DOCTYPE = b"<!DOCTYPE AnnotatedECG [%s]>"


def xml() -> Iterator[tuple[str, Files]]:
    """Documents that are no recording, expand, or are too deep, long or many."""
    laughs = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    text = AECG.partition(b"?>")[2]
    contents = {
        "empty": b"",
        "text": b"a recording",
        "html": b"<html><body>no recording</body></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "nul": b"\0" * 9000,
        "utf-7": b'<?xml version="1.0" encoding="UTF-7"?><AnnotatedECG/>',
        "billion laughs": DOCTYPE % (b'<!ENTITY a0 "ha">' + laughs) + b"<AnnotatedECG>&a11;</AnnotatedECG>",
        "quadratic": DOCTYPE % (b'<!ENTITY a "%s">' % (b"x" * 90_000)) + b"<AnnotatedECG>" + b"&a;" * 90_000,
        "external entity": DOCTYPE % b'<!ENTITY a SYSTEM "file:///etc/passwd">'
        + text.replace(b"<digits>", b"<digits>&a;"),
        "device entity": DOCTYPE % b'<!ENTITY a SYSTEM "/dev/zero">' + text.replace(b"<digits>", b"<digits>&a;"),
        "external DTD": b'<!DOCTYPE a SYSTEM "http://localhost/a.dtd">' + text.replace(b"<digits>", b"<digits>&a;"),
        "default attributes": DOCTYPE % (b'<!ATTLIST a b CDATA "%s">' % (b"x" * 90_000)) + b"<r>" + b"<a/>" * 90_000,
        "deep": b"<AnnotatedECG>" * 100_000,
        "many": b"<AnnotatedECG>" + b"<a/>" * 1_000_000 + b"</AnnotatedECG>",
        "attributes": b"<AnnotatedECG " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>",
        "long name": b"<" + b"a" * 1_000_000 + b"/>",
        "too large": b"<AnnotatedECG>" + b" " * (1 << 26) + b"</AnnotatedECG>",
        "recursion of namespaces": b'<a:AnnotatedECG xmlns:a="a"><b:a/></a:AnnotatedECG>',
    }
    yield from ((f"xml {name}", {"r.xml": content}) for name, content in contents.items())


def aecg() -> Iterator[tuple[str, Files]]:
    signal = microvolt()
    changes = {
        "unit of mmHg": (b'unit="uV"', b'unit="mmHg"'),
        "microvolt as millivolt": (b'unit="uV"', b'unit="mV"'),
        "microvolt as volt": (b'unit="uV"', b'unit="V"'),
        "no unit": (b' unit="uV"', b""),
        "scale of 1e-9": (b'<scale value="1"', b'<scale value="1e-9"'),
        "infinite scale": (b'<scale value="1"', b'<scale value="inf"'),
        "underscores": (b'<scale value="1"', b'<scale value="1_0"'),
        "one scale": (b'LEAD_II"/><value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/><scale value="1"',
                      b'LEAD_II"/><value xsi:type="SLIST_PQ"><origin value="0" unit="uV"/><scale value="2"'),
        "origin": (b'<origin value="0"', b'<origin value="1e9"'),
        "rate": (b'<increment value="0.002"', b'<increment value="2"'),
        "no increment": (b'<increment value="0.002" unit="s"/>', b""),
        "zero increment": (b'<increment value="0.002"', b'<increment value="0"'),
        "fractions": (b"<digits>", b"<digits>0.5 "),
        "hexadecimal": (b"<digits>", b"<digits>0x10 "),
        "long digit": (b"<digits>", b"<digits>" + b"9" * 100_000 + b" "),
        "no digits": (b"digits>", b"other>"),
        "derived beat": (b"RHYTHM", b"REPRESENTATIVE_BEAT"),
        "two sets": (b"<sequenceSet>", b"<sequenceSet/></component><component><sequenceSet>"),
        "pulse": (b"MDC_ECG_LEAD_V6", b"MDC_PULS_OXIM"),
        "no lead": (b"MDC_ECG_LEAD_V6", b"MDC_ECG_LEAD_"),
        "markup as lead": (b"MDC_ECG_LEAD_V6", b"MDC_ECG_LEAD_&lt;script&gt;"),
    }  # fmt: skip
    for name, (old, new) in changes.items():
        assert old in AECG, name
        yield f"aecg {name}", {"r.xml": AECG.replace(old, new)}
    swapped = signal[[1, 0, *range(2, 12)]]
    yield "aecg exchanged leads", {"r.xml": ecg_xml.aecg(swapped)}
    yield "aecg raw zeros", {"r.xml": ecg_xml.aecg(np.zeros((12, 2500), np.int64))}
    yield "aecg short", {"r.xml": ecg_xml.aecg(signal[:, :40])}


def muse() -> Iterator[tuple[str, Files]]:
    changes = {
        "unit": (b"MICROVOLTS", b"MILLIVOLTS"),
        "step": (b"UnitsPerBit>1<", b"UnitsPerBit>1000<"),
        "zero step": (b"UnitsPerBit>1<", b"UnitsPerBit>0<"),
        "no step": (b"<LeadAmplitudeUnitsPerBit>1</LeadAmplitudeUnitsPerBit>", b""),
        "samples claimed": (b">2500</LeadSampleCountTotal>", b">99999999</LeadSampleCountTotal>"),
        "samples": (b">2500</LeadSampleCountTotal>", b">2499</LeadSampleCountTotal>"),
        "size": (b"<LeadSampleSize>2", b"<LeadSampleSize>1"),
        "exponent": (b"<SampleExponent>0", b"<SampleExponent>99"),
        "rate": (b"<SampleBase>500", b"<SampleBase>5"),
        "no rhythm": (b">Rhythm<", b">Median<"),
        "same lead": (b"<LeadID>V2", b"<LeadID>V1"),
        "lead": (b"<LeadID>V2", b"<LeadID>PLETH"),
        "no base64": (b"<WaveFormData>", b"<WaveFormData>????"),
        "padding": (b"<WaveFormData>", b"<WaveFormData>===="),
        "baseline": (b"<FirstSampleBaseline>0", b"<FirstSampleBaseline>512"),
    }
    for name, (old, new) in changes.items():
        assert old in MUSE, name
        yield f"muse {name}", {"r.xml": MUSE.replace(old, new)}
    yield "muse long base64", {"r.xml": (b"<WaveFormData>" + b"A" * (1 << 25)).join(MUSE.rsplit(b"<WaveFormData>", 1))}
    yield "muse cut", {"r.xml": MUSE[:-5000]}


def philips() -> Iterator[tuple[str, Files]]:
    codes = [0, *range(256, 1023), *[1022] * 400_000]
    bits = "".join(f"{code:010b}" for code in codes)
    bomb = int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
    whole = ecg_xml.xli(ecg_xml.residuals(microvolt()))
    waveforms = {
        "LZW bomb": (struct.pack("<ihh", len(bomb), 1, 0) + bomb) * 12,
        "undefined code": struct.pack("<ihh", 4, 1, 0) + b"\xff\x00\xff\x00",
        "size claimed": struct.pack("<ihh", (1 << 31) - 1, 1, 0) + whole[8:],
        "negative size": struct.pack("<ihh", -1, 1, 0) + whole[8:],
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "not compressed": microvolt().astype("<i2").tobytes(),
        "not residuals": ecg_xml.xli(microvolt()),
    }
    yield from ((f"philips {name}", {"r.xml": ecg_xml.philips(data=data)}) for name, data in waveforms.items())
    changes = {
        "type": (b"PhilipsECG", b"ZyklonECG"),
        "version": (b">1.04<", b">9.99<"),
        "resolution": (b"<resolution>1<", b"<resolution>5000<"),
        "no resolution": (b"resolution", b"solution"),
        "rate": (b"<samplingrate>500", b"<samplingrate>1e999"),
        "duration": (b'durationperchannel="5000"', b'durationperchannel="3600000"'),
        "no duration": (b'durationperchannel="5000"', b'durationperchannel="0"'),
        "labels": (b'leadlabels="I II', b'leadlabels="V7 V8'),
        "leads claimed": (b'numberofleads="12"', b'numberofleads="32"'),
        "compression": (b'compression="XLI"', b'compression="LZMA"'),
        "encoding": (b'dataencoding="Base64"', b'dataencoding="Hex"'),
        "unsigned": (b"<signalsigned>True", b"<signalsigned>False"),
        "offset": (b"<signaloffset>0", b"<signaloffset>2048"),
        "bits": (b"<bitspersample>16", b"<bitspersample>24"),
    }
    for name, (old, new) in changes.items():
        assert old in PHILIPS, name
        yield f"philips {name}", {"r.xml": PHILIPS.replace(old, new)}


def scp() -> Iterator[tuple[str, Files]]:
    signal, beats = microvolt(STORED), (205, 900, 1400)
    zones = struct.pack("<HHH", 200, 40, 60_000) + struct.pack("<HIII", 0, 1, 40, 100) * 60_000
    claims = bytes([255, 4]) + struct.pack("<IIB", 1, 1 << 31, 1) * 255
    contents = {
        "empty": b"",
        "cut": SCP[:-100],
        "one bit": SCP[:9000] + bytes([SCP[9000] ^ 1]) + SCP[9001:],
        "no ecg": b"ISHNE1.0" + b"\1" * 900,
        "header only": SCP[:22],
        "volt": scp_ecg.scp(step=60_000, signal=signal * 10),
        "no unit": scp_ecg.scp({6: scp_ecg.encoded(signal, differences=0, compressed=False, step=0)}),
        "no interval": scp_ecg.scp({6: scp_ecg.encoded(signal, differences=0, compressed=False, interval=0)}),
        "slow": scp_ecg.scp({6: scp_ecg.encoded(signal, differences=0, compressed=False, interval=65_535)}),
        "bimodal": scp_ecg.scp({6: scp_ecg.encoded(signal, differences=0, compressed=False, bimodal=1)}),
        "samples claimed": scp_ecg.scp({3: claims}),
        "beats claimed": scp_ecg.scp({4: zones}, beats=beats),
        "no reference": scp_ecg.scp({5: b""}, beats=beats),
        "own tables": scp_ecg.scp({2: struct.pack("<H", 3)}),
        "plain as Huffman": scp_ecg.scp({2: struct.pack("<H", 19999)}),
        "no rhythm": scp_ecg.scp({6: b""}),
        "no leads": scp_ecg.scp({3: b"\0\4"}),
        "unknown lead": scp_ecg.scp({3: bytes([8, 4]) + struct.pack("<IIB", 1, 2500, 255) * 8}),
        "same lead": scp_ecg.scp({3: bytes([8, 4]) + struct.pack("<IIB", 1, 2500, 1) * 8}),
        "pointers": scp_ecg.seal({6: b"\0" * 50}, {6: ((1 << 32) - 1, (1 << 32) - 1)}),
        "flat": scp_ecg.scp(signal=np.zeros((8, 2500), np.int64)),
    }
    yield from ((f"scp {name}", {"r.scp": content}) for name, content in contents.items())
