"""Read the members of a zip in place: positioned reads, inflation up to the declared size, checked CRC."""

import os
import struct
import zlib
from collections.abc import Iterable

from cgdmer.archives.members import damaged_member, is_system, missing, state_of, too_large
from cgdmer.archives.zip_directory import Directory
from cgdmer.errors import DataError, RecordError

STORED, DEFLATED = 0, 8
RATIO_LIMIT, RATIO_FROM = 200, 1 << 24
"""A member above 16 MiB that inflates more than 200-fold is a bomb; a small, flat recording may inflate so far."""

_LOCAL = struct.Struct("<26x2H")  # lengths of the name and the extra field that stand before a member's data
_ENCRYPTED = 1


class Zip:
    """Members of one zip by name. Reads use no file position, so threads and forks may share it."""

    def __init__(self, path: str) -> None:
        self._descriptor = -1
        self._path = path
        try:
            self._directory = Directory(self._open(), path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}", fix=f"ls -l {path}") from error

    def names(self, prefix: str, _: int | None = None) -> list[str]:
        """Return the files below `prefix`, sorted, without those of the operating system.

        The depth does not count: the directory of a zip lists all of them.
        """
        return sorted(name for name in self._directory.offsets if name.startswith(prefix) and not is_system(name))

    def has(self, name: str) -> bool:
        return name in self._directory.offsets

    def size(self, name: str) -> int:
        if name not in self._directory.offsets:
            raise missing(name)
        return self._directory.member(name).size

    def read(self, name: str, limit: int) -> bytes:
        """Return a member's content; RecordError if it is missing, damaged, encrypted or too large."""
        if name not in self._directory.offsets:
            raise missing(name)
        member = self._directory.member(name)
        largest = min(limit, max(RATIO_FROM, RATIO_LIMIT * member.packed))
        if max(member.size, member.packed) > largest:
            raise too_large(name, max(member.size, member.packed), largest)
        if member.flags & _ENCRYPTED or member.method not in (STORED, DEFLATED):
            raise RecordError(
                f"{name} is packed by method {member.method}{' with a password' if member.flags & _ENCRYPTED else ''}",
                allowed="stored or deflated, without a password",
                fix="zip the unpacked corpus again",
            )
        packed = self._packed(name, member.offset, member.packed)
        content = packed if member.method == STORED else _inflate(name, packed, member.size)
        if len(content) != member.size or zlib.crc32(content) != member.crc:
            raise damaged_member(name, "its checksum differs")
        return content

    def state(self, _: Iterable[str]) -> str:
        """Return the size and times of the zip, whatever the folders."""
        return state_of(os.stat(self._path))

    def close(self) -> None:
        """Close the file; the next read opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    __del__ = close

    def _open(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        return self._descriptor

    def _packed(self, name: str, offset: int, size: int) -> bytes:
        try:
            local = os.pread(self._open(), _LOCAL.size, offset)
            if len(local) == _LOCAL.size and local.startswith(b"PK\3\4"):
                return os.pread(self._open(), size, offset + _LOCAL.size + sum(_LOCAL.unpack(local)))
        except OSError as error:
            raise damaged_member(name, error.strerror or "input error") from error
        raise damaged_member(name, "its own header is missing")


def _inflate(name: str, packed: bytes, size: int) -> bytes:
    """Inflate at most one byte more than the declared size, however much the stream holds."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error as error:
        raise damaged_member(name, str(error)) from error
