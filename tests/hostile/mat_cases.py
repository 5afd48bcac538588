"""Damaged MATLAB files: structs, matrices and bombs."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from hostile.records import MATRIX, Files


def _element(kind: int, content: bytes) -> bytes:
    return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)


def _array(kind: int, dims: tuple[int, ...], rest: bytes, name: bytes = b"ECG") -> bytes:
    head = (
        _element(6, struct.pack("<2I", kind, 0)) + _element(5, struct.pack(f"<{len(dims)}i", *dims)) + _element(1, name)
    )
    return _element(14, head + rest)


def _mat(*elements: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"".join(elements)


def _bomb(count: int = 1, size: int = 1 << 28) -> bytes:
    packer = zlib.compressobj(9)
    packed = (
        packer.compress(struct.pack("<2I", 14, size))
        + b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20))
        + packer.flush()
    )
    return _mat(*[struct.pack("<2I", 15, len(packed)) + packed] * count)


def _nested(depth: int) -> bytes:
    inner = _array(6, (1, 1), _element(9, bytes(8)))
    for _ in range(depth):
        inner = _array(2, (1, 1), _element(5, struct.pack("<i", 8)) + _element(1, b"ECG\0\0\0\0\0") + inner)
    return _mat(inner)


def _struct(dims: tuple[int, ...] = (1, 1), width: int = 8, data: bytes = b"") -> bytes:
    return _mat(_array(2, dims, _element(5, struct.pack("<i", width)) + _element(1, b"data\0\0\0\0") + data))


def mat() -> Iterator[tuple[str, Files]]:
    """Damaged structs and matrices."""
    numbers = _element(9, np.zeros(12 * 500).tobytes())
    contents = {
        "empty": b"",
        "name only": b"MATLAB 5.0",
        "hdf5": b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n",
        "zeros": _mat(bytes(4000)),
        "bomb": _bomb(),
        "two hundred bombs": _bomb(200, 1 << 26),
        "cut bomb": _bomb()[:-20],
        "nested": _nested(2000),
        "nested a little": _nested(5),
        "no zlib": _mat(struct.pack("<2I", 15, 40) + b"x" * 40),
        "negative dims": _struct(data=_array(6, (-12, 500), numbers, b"")),
        "huge dims": _struct(data=_array(6, (12, 2**31 - 1), numbers, b"")),
        "no dims": _struct(data=_array(6, (), numbers, b"")),
        "many dims": _struct(data=_array(6, (1,) * 90, numbers, b"")),
        "zero width": _struct(width=0),
        "negative width": _struct(width=-5),
        "huge width": _struct(width=2**31 - 1),
        "struct array": _struct((1000, 1000)),
        "flat signal": _struct(data=_array(6, (12, 500), numbers, b"")),
        "twelve columns": _struct(data=_array(6, (500, 12), numbers, b"")),
        "text as data": _struct(data=_array(4, (12, 500), _element(4, bytes(12_000)), b"")),
        "many elements": _mat(*[_element(14, b"")] * 200_000),
        "length beyond": _mat(struct.pack("<2I", 14, 2**32 - 1)),
        "matrix without header": MATRIX["r.mat"],
        "python pickle": b"\x80\x04\x95cos\nsystem\n(S'touch /tmp/x'\ntR.",
    }
    yield from ((f"mat {name}", {"r.mat": content}) for name, content in contents.items())
    yield "mat cut behind its header", {"r.hea": MATRIX["r.hea"], "r.mat": MATRIX["r.mat"][:2000]}
