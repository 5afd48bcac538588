"""Owns plain arrays as recordings: `.npy` and `.csv`, whose rate, unit and leads are stated beside them."""

import io
import re

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.recordings.stated import Stated, complete, oriented
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record

CSV_LIMIT = 1 << 26
"""Bytes of the largest table; text takes several times its size to parse."""
COUNTERS = ("", "time", "t", "s", "ms", "seconds", "sample", "samples", "index")
"""Columns of a table that count samples and are left out."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?nan|", re.IGNORECASE)
_STANDARD = {lead.lower() for lead in LEADS}


def read_npy(data: bytes, name: str, stated: Stated) -> Record:
    """Read one two-dimensional array of numbers; its header is checked before anything is allocated."""
    fs, factor, leads = complete(stated, name)
    values = oriented(_array(data, name), leads, name)
    return Record(_millivolt(values, factor), fs, leads, [])


def read_csv(data: bytes, name: str, stated: Stated) -> Record:
    """Read a table of samples (rows) by leads (columns), parted by comma, semicolon or tab.

    A header row names the leads; columns that count samples are left out, others are refused by name.
    """
    if len(data) > CSV_LIMIT:
        raise RecordError(f"{name} holds {len(data):,} bytes of text", allowed=f"at most {CSV_LIMIT:,}")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecordError(f"{name} is no UTF-8 text", allowed="a table of numbers") from error
    first = lines[0] if lines else ""
    mark = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(mark)]
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        fs, factor, leads = complete(stated, name)
        return Record(_millivolt(oriented(_table(lines, mark, None, name), leads, name), factor), fs, leads, [])
    columns, named = _columns(cells, name)
    if stated.leads is not None and [lead.lower() for lead in stated.leads] != [lead.lower() for lead in named]:
        raise RecordError(f"{name} names the leads {', '.join(named)}, stated are {', '.join(stated.leads)}")
    fs, factor, leads = complete(Stated(leads=named).over(stated), name)
    return Record(_millivolt(_table(lines[1:], mark, columns, name).T, factor), fs, leads, [])


def _columns(cells: list[str], name: str) -> tuple[list[int], tuple[str, ...]]:
    """Return which columns are leads and their names."""
    strange = [cell for cell in cells if cell.lower() not in _STANDARD and cell.lower() not in COUNTERS]
    columns = [place for place, cell in enumerate(cells) if cell.lower() in _STANDARD]
    if strange or not columns:
        raise RecordError(
            f"{name}: its header row names {', '.join(repr(cell[:40]) for cell in (strange or cells)[:12])}",
            allowed=f"lead names ({', '.join(LEADS)}) and counters ({', '.join(COUNTERS[1:])})",
        )
    return columns, tuple(cells[place] for place in columns)


def _table(lines: list[str], mark: str, columns: list[int] | None, name: str) -> np.ndarray:
    if not lines:
        raise RecordError(f"{name} holds no sample")
    try:
        return np.loadtxt(lines, delimiter=mark, usecols=columns, ndmin=2, comments=None, quotechar='"')
    except ValueError as error:
        raise RecordError(f"{name} is no table of numbers: {error}", allowed="numbers with a decimal point") from error


def _array(data: bytes, name: str) -> np.ndarray:
    """Return the array of a `.npy` without copying; RecordError where header and content do not fit each other."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(stream, max_header_size=10_000)
    except Exception as error:  # the header is a Python literal, which fails to parse in many ways
        raise RecordError(f"{name} is no readable .npy: {error}") from error
    if dtype.kind not in "iuf":
        raise RecordError(f"{name} holds {dtype}", allowed="real numbers")
    count, begin = 1, stream.tell()
    for size in shape:
        count *= int(size)
    if min(shape, default=0) < 1 or count * dtype.itemsize != len(data) - begin:
        raise RecordError(
            f"{name} states {shape} {dtype} and holds {len(data) - begin:,} bytes", allowed="an array that is all there"
        )
    return np.frombuffer(data, dtype, count, begin).reshape(shape, order="F" if fortran else "C")


def _millivolt(values: np.ndarray, factor: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values * factor, dtype=np.float32)
