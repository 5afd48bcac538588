"""The central directory of a zip: found, checked and kept as bytes, with one integer per member.

`zipfile` builds one object per member; the 1.6 million members of MIMIC-IV-ECG would cost each worker about 1 GB.
Layout: PKWARE APPNOTE 4.3 to 4.5, zip64 included.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cgdmer.archives.members import UNSAFE, damaged_member
from cgdmer.errors import DataError

_END = struct.Struct("<4s4H2IH")  # end of central directory
_LOCATOR = struct.Struct("<4sIQI")  # holds the offset of the zip64 end
_END64 = struct.Struct("<4sQ2H2I4Q")
_ENTRY = struct.Struct("<4s6H3I5H2I")  # one member
_FLAGS, _LENGTHS = struct.Struct("<8xH"), struct.Struct("<28x3H")  # parts of a member: flags; name, extra, comment
_UTF8 = 1 << 11
_FULL = 0xFFFFFFFF  # the true value is in a zip64 field
_COUNT_RANGE = 1 << 16  # some writers count members modulo this


@dataclass(frozen=True, slots=True)
class Member:
    """The directory's entry of one member; sizes in bytes, `offset` of its local header in the file."""

    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int


class Directory:
    """All members of the zip open at `descriptor`; DataError if it is truncated, damaged or unsafe."""

    def __init__(self, descriptor: int, path: str) -> None:
        self._file_size = os.fstat(descriptor).st_size
        count, size, offset, end = _find(descriptor, self._file_size, path)
        self._shift = end - size - offset  # bytes before the zip proper
        if self._shift < 0 or size > end:
            raise broken(path, "its directory is outside the file")
        self._content = os.pread(descriptor, size, end - size)
        self.offsets = dict(self._entries(path))
        """Offset of each member's entry in the directory, by name; folders are left out."""
        if (self._count - count) % _COUNT_RANGE:
            raise broken(path, f"its directory lists {self._count} of {count} members")
        unsafe = next(filter(UNSAFE.search, self.offsets), None)
        if unsafe is not None:
            raise DataError(
                f"{path}: member '{unsafe}' leads out of the archive; nothing of it is read",
                allowed="relative names without '..', drive letters or backslashes",
                fix="take the zip from PhysioNet, or zip the folder again",
            )

    def _entries(self, path: str) -> Iterator[tuple[str, int]]:
        content, position, self._count = self._content, 0, 0
        lengths, flags, head = _LENGTHS.unpack_from, _FLAGS.unpack_from, _ENTRY.size
        while position + head <= len(content) and content.startswith(b"PK\1\2", position):
            name_length, extra, comment = lengths(content, position)
            raw = content[position + head : position + head + name_length]
            name = raw.decode("utf-8" if flags(content, position)[0] & _UTF8 else "cp437", "surrogateescape")
            self._count += 1
            if not name.endswith("/") or UNSAFE.search(name[:-1]):
                yield name, position
            position += head + name_length + extra + comment
        if position != len(content):
            raise broken(path, f"its directory breaks off after {self._count} members")

    def member(self, name: str) -> Member:
        """Return a member that exists; RecordError if its entry points outside the file."""
        entry = self.offsets[name]
        fields = _ENTRY.unpack_from(self._content, entry)
        flags, method, crc, packed, size, offset = (fields[at] for at in (3, 4, 7, 8, 9, 16))
        if _FULL in (packed, size, offset):
            begin = entry + _ENTRY.size + fields[10]
            wide = _zip64(self._content[begin : begin + fields[11]])
            size, packed, offset = (next(wide, 0) if value == _FULL else value for value in (size, packed, offset))
        if offset + self._shift + packed > self._file_size:
            raise damaged_member(name, "it is outside the file")
        return Member(flags, method, crc, packed, size, offset + self._shift)


def _find(descriptor: int, file_size: int, path: str) -> tuple[int, int, int, int]:
    """Return the directory's member count, size, claimed offset and true end."""
    begin = max(0, file_size - _END.size - _COUNT_RANGE)
    tail = os.pread(descriptor, file_size - begin, begin)
    position = tail.rfind(b"PK\5\6")
    if position < 0 or position + _END.size > len(tail):
        raise broken(path, "its end is missing")
    _, disk, _, _, count, size, offset, _ = _END.unpack_from(tail, position)
    end = begin + position
    locator = os.pread(descriptor, _LOCATOR.size, max(0, end - _LOCATOR.size))
    if locator.startswith(b"PK\6\7"):
        record = os.pread(descriptor, _END64.size, max(0, end - _LOCATOR.size - _END64.size))
        if len(record) < _END64.size or not record.startswith(b"PK\6\6"):
            raise broken(path, "its zip64 end is missing")
        _, _, _, _, disk, _, _, count, size, offset = _END64.unpack(record)
        end -= _LOCATOR.size + _END64.size
    if disk:
        raise broken(path, "it is one part of several")
    return count, size, offset, end


def _zip64(extra: bytes) -> Iterator[int]:
    """Yield the 64-bit values of a member's zip64 field in order."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            yield from struct.unpack_from(f"<{min(length, len(extra) - position - 4) // 8}Q", extra, position + 4)
            return
        position += 4 + length


def broken(path: str, why: str) -> DataError:
    return DataError(
        f"{path} is not a readable zip: {why}",
        allowed="a complete zip archive in one file",
        fix=f"unzip -tq {path}; then remove it and get it again",
    )
