"""The sections of an SCP-ECG file (EN 1064:2005, 5.2 and 5.3): checksum, pointers, and numbers within a section."""

import binascii
import struct
from dataclasses import dataclass

from cgdmer.errors import RecordError

LIMIT = 1 << 24
"""Bytes of the largest file; the length of a lead is a 16-bit number, so none holds more than 64 KiB."""
PREAMBLE, HEADER, POINTER = 6, 16, 10
"""Bytes before section 0, of the header of a section, and of a pointer of section 0."""
START = 0xFFFF
"""Start value of the CCITT checksum."""
HUFFMAN, LEADS, BEATS, REFERENCE, RHYTHM = 2, 3, 4, 5, 6
CONTENTS = {HUFFMAN: "Huffman tables", LEADS: "leads", BEATS: "beats", REFERENCE: "reference beat", RHYTHM: "rhythm"}
"""The sections that are read; section 1 names the patient."""


@dataclass(frozen=True)
class Section:
    """A section without its header."""

    what: str
    content: bytes
    protocol: int
    """Version of the protocol times ten."""

    def numbers(self, kinds: str, at: int) -> tuple[int, ...]:
        """Return little-endian numbers, `kinds` as for `struct`; RecordError if the section ends before them."""
        if at + struct.calcsize(f"<{kinds}") > len(self.content):
            raise RecordError(f"the section of the {self.what} ends after {len(self.content):,} bytes")
        return struct.unpack_from(f"<{kinds}", self.content, at)


def sections(data: bytes) -> dict[int, Section]:
    """Return those sections of a file that are read, by number; RecordError if a checksum or pointer is wrong."""
    if len(data) > LIMIT:
        raise RecordError(f"{len(data):,} bytes", allowed=f"at most {LIMIT:,} for SCP-ECG")
    if len(data) < PREAMBLE + HEADER or data[PREAMBLE + 2 : PREAMBLE + 4] != b"\0\0":
        raise RecordError("no SCP-ECG file", allowed="EN 1064, which begins with section 0")
    checksum, length = struct.unpack_from("<HI", data)
    if length != len(data):
        raise RecordError(f"{length:,} bytes are stated and {len(data):,} stored", allowed="a complete SCP-ECG file")
    if binascii.crc_hqx(data[2:], START) != checksum:
        raise RecordError("the checksum does not match: the file is damaged", allowed="a complete SCP-ECG file")
    (size,) = struct.unpack_from("<I", data, PREAMBLE + 4)
    table = _section(data, 0, "pointers", PREAMBLE, size)
    found: dict[int, Section] = {}
    for at in range(0, len(table.content) - POINTER + 1, POINTER):
        number, size, place = table.numbers("HII", at)
        if size and number in CONTENTS:
            if number in found:
                raise RecordError(f"section {number} occurs more than once")
            found[number] = _section(data, number, CONTENTS[number], place - 1, size)
    return found


def _section(data: bytes, number: int, what: str, at: int, size: int) -> Section:
    """Return the section at a place whose header repeats its number and size."""
    if at < 0 or not HEADER <= size <= len(data) - at:
        raise RecordError(f"section {number} is stated to hold {size:,} bytes from byte {at:,} of {len(data):,}")
    _, stated, length, _, protocol = struct.unpack_from("<HHIBB", data, at)
    if (stated, length) != (number, size):
        raise RecordError(f"section {number} of {size:,} bytes is headed as section {stated} of {length:,}")
    return Section(what, data[at + HEADER : at + size], protocol)
