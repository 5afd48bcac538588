"""SCP-ECG files (EN 1064), written section by section from known numbers, and sealed with their checksums."""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from support.ecg_xml import PATIENT, STORED, microvolt

NUMBERS = {"I": 1, "II": 2, "V1": 3, "V2": 4, "V3": 5, "V4": 6, "V5": 7, "V6": 8, "V7": 9, "III": 61, "aVR": 62,
           "aVL": 63, "aVF": 64}  # fmt: skip
BEAT, FIDUCIAL = 100, 40
"""Samples of the reference beat, and the one at its fiducial point, from 1."""


def checksum(data: bytes) -> int:
    """Return the CCITT checksum as the standard defines it: polynomial 0x1021, start 0xFFFF."""
    value = 0xFFFF
    for byte in data:
        value = value << 8 & 0xFFFF ^ _divided(value >> 8 ^ byte)
    return value


@cache
def _divided(byte: int) -> int:
    """Return the remainder of a byte, bit by bit."""
    value = byte << 8
    for _ in range(8):
        value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def huffman(values: Sequence[int]) -> str:
    """Return the bits of the default table of annex C."""
    return "".join(_code(int(value)) for value in values)


def _code(value: int) -> str:
    if abs(value) <= 8:
        return f"{'1' * abs(value)}0{int(value < 0)}" if value else "0"
    bits = 8 if -128 <= value < 128 else 16
    return f"{'1' * 9}{int(bits == 16)}{value & (1 << bits) - 1:0{bits}b}"


def packed(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def encoded(signal: np.ndarray, *, differences: int, compressed: bool, step: int = 1000, interval: int = 2000,
            bimodal: int = 0) -> bytes:  # fmt: skip
    """Return section 5 or 6 of integers (L, T): the first samples as they are, then their differences."""
    rows = [np.concatenate([row[:differences], np.diff(row, differences)]) for row in signal]
    parts = [packed(huffman(row)) if compressed else row.astype("<i2").tobytes() for row in rows]
    head = struct.pack("<HHBB", step, interval, differences, bimodal)
    return head + struct.pack(f"<{len(parts)}H", *map(len, parts)) + b"".join(parts)


def section(number: int, content: bytes, protocol: int = 20) -> bytes:
    body = (
        struct.pack("<HIBB6s", number, len(content) + 16, protocol, protocol, b"SCPECG" if not number else b"")
        + content
    )
    return struct.pack("<H", checksum(body)) + body


def seal(sections: dict[int, bytes], pointers: dict[int, tuple[int, int]] | None = None) -> bytes:
    """Return a file of sections; `pointers` replace the (length, place) of a section in the table of section 0."""
    made = {number: section(number, content) for number, content in sorted(sections.items())}
    table, place = [], 6 + 16 + 10 * (len(made) + 1)
    table.append((0, place - 6, 7))
    for number, content in made.items():
        table.append((number, *(pointers or {}).get(number, (len(content), place + 1))))
        place += len(content)
    first = section(0, b"".join(struct.pack("<HII", *entry) for entry in table))
    body = struct.pack("<I", 6 + len(first) + sum(map(len, made.values()))) + first + b"".join(made.values())
    return struct.pack("<H", checksum(body)) + body


def scp(changes: dict[int, bytes] | None = None, **written: Any) -> bytes:
    """Return a file of the `contents`; `changes` replace sections by their numbers, an empty one is left out."""
    sections = {**contents(**written), **(changes or {})}
    return seal({number: content for number, content in sections.items() if content})


def contents(signal: np.ndarray | None = None, leads: Sequence[str] = STORED, *, differences: int = 0,
             step: int = 1000, compressed: bool = False, beats: Sequence[int] = ()) -> dict[int, bytes]:  # fmt: skip
    """Return the sections of integers (L, T), a patient in section 1; `beats` are samples, from 1, to subtract at."""
    values = microvolt(leads) if signal is None else signal
    count = values.shape[1]
    entries = [struct.pack("<IIB", 1, count, NUMBERS[lead]) for lead in leads]
    sections = {1: b"\0" + struct.pack("<H", len(PATIENT)) + PATIENT.encode() + b"\xff\0\0"}
    sections[3] = bytes([len(leads), 4 + bool(beats)]) + b"".join(entries)
    if compressed:
        sections[2] = struct.pack("<H", 19999)
    if beats:
        reference = values[:, beats[0] - FIDUCIAL : beats[0] - FIDUCIAL + BEAT]
        residual = values.copy()
        for beat in beats:
            residual[:, beat - FIDUCIAL : beat - FIDUCIAL + BEAT] -= reference
        zones = [struct.pack("<HIII", 0, beat - FIDUCIAL + 1, beat, beat - FIDUCIAL + BEAT) for beat in beats]
        other = struct.pack("<HIII", 1, 1, 1 + FIDUCIAL, BEAT)
        sections[4] = struct.pack("<HHH", BEAT * 2, FIDUCIAL, len(zones) + 1) + b"".join([*zones, other])
        sections[5] = encoded(reference, differences=differences, compressed=compressed, step=step)
        values = residual
    sections[6] = encoded(values, differences=differences, compressed=compressed, step=step)
    return sections
