"""Marks by which this program recognises pictures and Parquet files that it wrote and that nobody edited since.

A mark holds the sha256 of what stands before it: at the end of a picture, in the footer of a Parquet file.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

SVG_MARK = re.compile(rb"<!-- drawn by cgdmer plot, sha256 ([0-9a-f]{64}) -->\n\Z")
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
PARQUET_KEY = b"cgdmer_sha256"
"""Key of the digest among the metadata of a Parquet file."""
_PNG_TEXT = b"Software\0cgdmer sha256 "
_DIGEST = 64
_SVG_LENGTH = len(f"<!-- drawn by cgdmer plot, sha256 {'0' * _DIGEST} -->\n")
_TAIL = 8
"""Bytes after the footer of a Parquet file: its length, and `PAR1`."""


def marked(content: bytes, suffix: str) -> bytes:
    """Return the content of a file `.svg` or `.png` with its mark."""
    if suffix == ".svg":
        return content + f"<!-- drawn by cgdmer plot, sha256 {_digest(content)} -->\n".encode()
    before = content.removesuffix(PNG_END)
    return before + _chunk(before) + PNG_END


def is_marked(path: Path) -> bool:
    """Return True if a picture has the mark of its content."""
    content = path.read_bytes()
    if path.suffix == ".svg":
        found = SVG_MARK.search(content, max(0, len(content) - _SVG_LENGTH))
        return found is not None and found[1].decode() == _digest(content[: found.start()])
    end = len(content) - len(PNG_END) - len(_chunk(b""))
    return end > 0 and content[end:] == _chunk(content[:end]) + PNG_END


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _chunk(before: bytes) -> bytes:
    """Return a text chunk: length, type, keyword and text, CRC."""
    data = b"tEXt" + _PNG_TEXT + _digest(before).encode()
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))


class Hashed:
    """A stream that computes the sha256 of the names of columns and of what is written to it."""

    closed = False

    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._stream, self._hash = stream, hashlib.sha256(_joined(columns))

    def write(self, block: bytes) -> int:
        self._hash.update(block)
        return self._stream.write(block)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream to its owner."""

    def digest(self) -> str:
        """Return the sha256 of what was written so far."""
        return self._hash.hexdigest()


def _joined(columns: Sequence[str]) -> bytes:
    return "\0".join(columns).encode()


def parquet_digest(path: Path, columns: Sequence[str]) -> str:
    """Return the digest that `Hashed` gave for a Parquet file, of all bytes before its footer."""
    found = hashlib.sha256(_joined(columns))
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(size - _TAIL)
        left = size - _TAIL - int.from_bytes(stream.read(4), "little")
        stream.seek(0)
        while left > 0 and (block := stream.read(min(left, 1 << 20))):
            found.update(block)
            left -= len(block)
    return found.hexdigest()
