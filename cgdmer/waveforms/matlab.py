"""Read CPSC2018 as first published: MATLAB 5 files with a struct `ECG` of sex, age and data (12, T) in mV at 500 Hz.

`scipy.io.loadmat` is not used, because it allocates what the dimensions of a damaged file claim: a file of 216 bytes
can cost 1 GB (tests/waveforms/test_matlab.py).
Layout: MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from cgdmer.errors import RecordError
from cgdmer.waveforms.record import SIGNAL_LIMIT, Record

FS = 500.0
LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""Rate and rows of the challenge's data (2018.icbeb.org/Challenge.html)."""

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
_MATRIX, _COMPRESSED = 14, 15
_STRUCT, _CHAR = 2, 4
"""Array classes; from 6 on they are numeric."""
_INFLATES, _SMALL = 200, 1 << 24
"""A variable above 16 MiB that inflates more than 200-fold is a bomb, as in zips."""
_MAX_PARTS, _MAX_DEPTH, _MAX_TEXT = 1000, 4, 80
"""Most parts of a file, array or struct; deepest nesting of structs; longest age or sex."""

Value = dict[str, "Value"] | str | npt.NDArray[np.generic] | None


def read_struct(data: bytes, name: str) -> Record:
    """Read the struct `ECG`; age and sex become comments, in the form of the challenge's headers."""
    try:
        ecg = dict(_variables(data)).get("ECG")
    except (ValueError, IndexError, struct.error, zlib.error) as error:
        raise _refused(name, f"is not a readable MATLAB 5 file: {error}") from error
    fields = ecg if isinstance(ecg, dict) else {}
    signal = fields.get("data")
    if not isinstance(signal, np.ndarray) or signal.ndim != 2 or signal.shape[0] != len(LEADS) or not signal.shape[1]:
        raise _refused(name, "holds no struct ECG with data of 12 rows")
    comments = [f"{key.capitalize()}: {text}" for key in ("age", "sex") if (text := _text(fields.get(key)))]
    with np.errstate(over="ignore", invalid="ignore"):
        return Record(np.ascontiguousarray(signal, np.float32), FS, LEADS, comments)


def _refused(name: str, why: str) -> RecordError:
    return RecordError(
        f"{name} {why}",
        allowed="CPSC2018's struct ECG (sex, age, data); a challenge .mat is read through its .hea",
        fix="get the record again, or leave it in quarantine",
    )


def _text(value: Value) -> str:
    """Format a field as a comment: whole numbers without a decimal point, '' for a missing field."""
    if isinstance(value, np.ndarray) and value.size == 1 and np.isfinite(value.item()):
        return f"{value.item():g}"
    return value[:_MAX_TEXT].strip() if isinstance(value, str) else ""


def _variables(data: bytes) -> Iterator[tuple[str, Value]]:
    """Yield the variables of a file by name."""
    if not data.startswith(b"MATLAB 5.0") or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("its first bytes are not those of one")
    order, left = "<" if data[126:128] == b"IM" else ">", SIGNAL_LIMIT
    for kind, content in _elements(memoryview(data), 128, order):
        if kind == _COMPRESSED:
            inflated = _inflate(content, left)
            left -= len(inflated)
            yield from (_matrix(inner, order) for kind, inner in _elements(inflated, 0, order) if kind == _MATRIX)
        elif kind == _MATRIX:
            yield _matrix(content, order)


def _inflate(content: memoryview, left: int) -> memoryview:
    """Inflate one variable; ValueError if it is cut off, inflates to more than `left` bytes or is a bomb."""
    stream = zlib.decompressobj()
    inflated = stream.decompress(content, max(1, min(left, max(_SMALL, _INFLATES * len(content)))))
    if not stream.eof:
        raise ValueError("a variable is cut off or too large")
    return memoryview(inflated)


def _elements(data: memoryview, offset: int, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield each element's type and content. Small elements hold it in their tag; others are padded to 8 bytes."""
    for _ in range(_MAX_PARTS):
        if offset + 8 > len(data):
            return
        kind, length = struct.unpack_from(f"{order}2I", data, offset)
        if kind >> 16:
            kind, length, begin, offset = kind & 0xFFFF, kind >> 16, offset + 4, offset + 8
        else:
            begin = offset + 8
            offset = begin + (length if kind == _COMPRESSED else -(-length // 8) * 8)
        if begin + length > len(data) or (offset - begin == 4 and length > 4):
            raise ValueError("an element is cut off")
        yield kind, data[begin : begin + length]
    raise ValueError(f"more than {_MAX_PARTS} elements in one place")


def _matrix(content: memoryview, order: str, depth: int = 0) -> tuple[str, Value]:
    """Return an array's name and value: dict for a struct, str for text, array for numbers, None for other classes."""
    if depth > _MAX_DEPTH:
        raise ValueError("structs are nested too deeply")
    elements = list(_elements(content, 0, order))
    if len(elements) < 3:
        return "", None
    flags, dims, name = (
        np.frombuffer(elements[0][1], f"{order}u4"),
        np.frombuffer(elements[1][1], f"{order}i4"),
        bytes(elements[2][1][:_MAX_TEXT]),
    )
    if not 2 <= len(dims) <= 32:
        raise ValueError(f"an array of {len(dims)} dimensions")
    kind = int(flags[0]) & 0xFF if len(flags) else 0
    return name.decode("latin-1"), _value(kind, dims.tolist(), elements[3:], order, depth)


def _value(kind: int, dims: list[int], elements: list[tuple[int, memoryview]], order: str, depth: int) -> Value:
    if kind == _STRUCT and len(elements) > 1 and math.prod(dims) == 1:
        width = max(1, int(np.frombuffer(elements[0][1], f"{order}i4")[0]))
        names = bytes(elements[1][1][: width * len(elements)])
        fields = [names[at : at + width].split(b"\0")[0].decode("latin-1") for at in range(0, len(names), width)]
        contents = [_matrix(element, order, depth + 1)[1] for _, element in elements[2:]]
        return dict(zip(fields, contents, strict=False))
    if not elements:
        return None
    stored, content = elements[0]
    if kind == _CHAR and stored in _TEXTS:
        text = bytes(content[: 4 * _MAX_TEXT])
        return text.decode(_TEXTS[stored] + {"<": "-le", ">": "-be"}[order] * (_TEXTS[stored] == "utf-16"), "replace")
    if kind > _CHAR + 1 and stored in _NUMBERS:
        return np.frombuffer(content, f"{order}{_NUMBERS[stored]}").reshape(dims, order="F")
    return None
