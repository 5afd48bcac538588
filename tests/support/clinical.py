"""EDF and DICOM files as bytes, written field by field, so that tests can put any value into each field."""

import struct
from collections.abc import Sequence

import numpy as np

from cgdmer.signals import LEADS
from support import example_recordings as example

EXPLICIT = "1.2.840.10008.1.2.1"


def edf_bytes(**changes: str) -> bytes:
    """Return an EDF of twelve leads in ten-second records of one second; `changes` replace fields by their names."""
    signal = example.millivolt(1)
    seconds = signal.shape[1] // 500
    field = {
        "label": "", "dimension": "mV", "physical_min": "-10", "physical_max": "10", "digital_min": "-32768",
        "digital_max": "32767", "samples": "500", "records": str(seconds), "signals": "12", "duration": "1",
        "reserved": "",
    } | changes  # fmt: skip
    head = [("0", 8), ("X X X X", 80), ("Startdate X X X X", 80), ("01.01.01", 8), ("01.01.01", 8), (str(256 * 13), 8)]
    head += [(field["reserved"], 44), (field["records"], 8), (field["duration"], 8), (field["signals"], 4)]
    for name, width in (("label", 16), ("", 80), ("dimension", 8), ("physical_min", 8), ("physical_max", 8),
                        ("digital_min", 8), ("digital_max", 8), ("", 80), ("samples", 8), ("", 32)):  # fmt: skip
        head += [(field.get(name) or (f"ECG {lead}" if name == "label" else ""), width) for lead in LEADS]
    digital = np.rint((signal + 10) / 20 * 65535 - 32768).astype("<i2")
    blocks = digital[:, : seconds * 500].reshape(12, seconds, 500).transpose(1, 0, 2)
    return b"".join(text[:width].ljust(width).encode("latin-1") for text, width in head) + blocks.tobytes()


def _element(group: int, number: int, kind: str, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2) if kind in ("OW", "UI", "SQ") else b" " * (len(value) % 2)
    long = kind in ("OW", "SQ", "OB")
    length = struct.pack("<HI", 0, len(value)) if long else struct.pack("<H", len(value))
    return struct.pack("<2H", group, number) + kind.encode() + length + value


def _sequence(group: int, number: int, items: Sequence[bytes]) -> bytes:
    content = b"".join(struct.pack("<2HI", 0xFFFE, 0xE000, len(item)) + item for item in items)
    return _element(group, number, "SQ", content)


def dicom_bytes(
    *, sensitivity: str | None = "0.001", unit: str = "mV", source: str = "", rate: str = "500", label: str = "RHYTHM",
    channels: int = 12, samples: int | None = None, interpretation: str = "SS", bits: int = 16, groups: int = 1,
    syntax: str = EXPLICIT, second: str = "", deflated: bytes | None = None,
) -> bytes:  # fmt: skip
    """Return a DICOM ECG object of twelve leads; `deflated` replaces all after the meta group."""
    stored = np.rint(example.millivolt(1) * 1000).astype("<i2")
    definitions = []
    for lead in LEADS:
        scale = [] if sensitivity is None else [_element(0x3A, 0x210, "DS", sensitivity.encode())]
        parts = [_sequence(0x3A, 0x208, [_element(8, 0x104, "LO", (source or f"Lead {lead}").encode())]), *scale]
        parts += [_sequence(0x3A, 0x211, [_element(8, 0x100, "SH", unit.encode())]), _element(0x3A, 0x213, "DS", b"0")]
        definitions.append(b"".join(parts))
    group = [
        _element(0x3A, 5, "US", struct.pack("<H", channels)),
        _element(0x3A, 0x10, "UL", struct.pack("<I", stored.shape[1] if samples is None else samples)),
        _element(0x3A, 0x1A, "DS", rate.encode()), _element(0x3A, 0x20, "SH", label.encode()),
        _sequence(0x3A, 0x200, definitions), _element(0x5400, 0x1004, "US", struct.pack("<H", bits)),
        _element(0x5400, 0x1006, "CS", interpretation.encode()), _element(0x5400, 0x1010, "OW", stored.T.tobytes()),
    ]  # fmt: skip
    meta = b"".join(_element(2, 0x10, "UI", each.encode()) for each in (syntax, second) if each)
    body = _element(0x10, 0x10, "PN", b"Nobody^Known") + _sequence(0x5400, 0x100, [b"".join(group)] * groups)
    length = _element(2, 0, "UL", struct.pack("<I", len(meta)))
    return bytes(128) + b"DICM" + length + meta + (body if deflated is None else deflated)
