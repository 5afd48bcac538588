"""Plain arrays as recordings: `.npy` and `.csv`, which do not state their sampling rate and unit themselves."""

import io
import re
from collections.abc import Iterator

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.recordings.array_metadata import ArrayMetadata, leads_first, require_all
from cgdmer.signals import LEADS, canonical_lead
from cgdmer.waveforms import Record

CSV_LIMIT = 1 << 26
"""Bytes of the largest table; parsing text takes several times its size in memory."""
MAX_LINE, MAX_CELL = 1 << 16, 80
"""Characters of the longest row and of the longest number, so that the time to parse a table grows with its size."""
MAX_COLUMNS = 1000
MAX_CELLS = CSV_LIMIT // 2
"""Cells of the largest table; without empty cells, each takes two bytes or more."""
COUNTERS = ("", "time", "t", "s", "ms", "seconds", "sample", "samples", "index")
"""Names of columns that count samples; they are left out."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?nan|", re.IGNORECASE)


def read_npy(data: bytes, name: str, metadata: ArrayMetadata) -> Record:
    """Read one two-dimensional array of numbers; its header is checked before anything is allocated."""
    fs, factor, leads = require_all(metadata, name)
    values = leads_first(_array(data, name), leads, name)
    return Record(_millivolt(values, factor), fs, leads, [])


def read_csv(data: bytes, name: str, metadata: ArrayMetadata) -> Record:
    """Read a table with one row per sample and one column per lead, separated by comma, semicolon or tab.

    A header row names the leads. Columns that count samples are left out; other columns are an error. A first row that
    is exactly 0, 1, ..., n - 1, for two columns or more, numbers the columns and is no sample: pandas writes such rows
    above arrays. An empty cell is a missing sample.
    """
    if len(data) > CSV_LIMIT:
        raise RecordError(f"{name} holds {len(data):,} bytes of text", allowed=f"at most {CSV_LIMIT:,}")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RecordError(f"{name} is not UTF-8 text", allowed="a table of numbers") from error
    if max(map(len, lines), default=0) > MAX_LINE:
        raise RecordError(f"{name} has a row of {max(map(len, lines)):,} characters", allowed=f"at most {MAX_LINE:,}")
    first = lines[0] if lines else ""
    separator = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(separator)]
    if all(len(cell) <= MAX_CELL and _NUMBER.fullmatch(cell) for cell in cells):
        fs, factor, leads = require_all(metadata, name)
        numbered = len(cells) > 1 and cells == [str(column) for column in range(len(cells))]
        values = leads_first(_table(lines[1:] if numbered else lines, separator, None, name), leads, name)
        return Record(_millivolt(values, factor), fs, leads, [])
    columns, named = _lead_columns(cells, name)
    if metadata.leads is not None and list(map(canonical_lead, metadata.leads)) != list(map(canonical_lead, named)):
        raise RecordError(f"{name} names the leads {', '.join(named)}, but {', '.join(metadata.leads)} are stated")
    fs, factor, leads = require_all(ArrayMetadata(leads=named).or_default(metadata), name)
    _check_width(lines[1:], separator, len(cells), name)
    return Record(_millivolt(_table(lines[1:], separator, columns, name).T, factor), fs, leads, [])


def _lead_columns(cells: list[str], name: str) -> tuple[list[int], tuple[str, ...]]:
    """Return the indices of the columns that hold leads, and their names."""
    if len(cells) > MAX_COLUMNS:
        raise RecordError(f"{name} has {len(cells):,} columns", allowed=f"at most {MAX_COLUMNS}")
    unknown = [cell for cell in cells if not canonical_lead(cell) and cell.lower() not in COUNTERS]
    columns = [column for column, cell in enumerate(cells) if canonical_lead(cell)]
    if unknown or not columns:
        raise RecordError(
            f"{name}: its header row names {', '.join(repr(cell[:40]) for cell in (unknown or cells)[:12])}",
            allowed=f"lead names ({', '.join(LEADS)}) and counters ({', '.join(COUNTERS[1:])})",
        )
    return columns, tuple(cells[column] for column in columns)


def _check_width(lines: list[str], separator: str, columns: int, name: str) -> None:
    """Raise RecordError for a row with more cells than the header row: its leads would be those of other columns."""
    for number, line in enumerate(lines, start=2):
        if line.count(separator) >= columns and any(cell.strip() for cell in line.split(separator)[columns:]):
            raise RecordError(
                f"{name}: line {number} has {line.count(separator) + 1} cells, the header row {columns}",
                allowed="a name for each column, and numbers with a decimal point",
            )


def _table(lines: list[str], separator: str, columns: list[int] | None, name: str) -> np.ndarray:
    if not lines:
        raise RecordError(f"{name} holds no sample")
    reason = None
    for rows in (lines, _filled(lines, separator, name)):
        try:
            return np.loadtxt(rows, delimiter=separator, usecols=columns, ndmin=2, comments=None, quotechar='"')
        except ValueError as error:
            reason = error
    what = str(reason).partition(" at row")[0][:MAX_CELL]
    raise RecordError(f"{name} is not a table of numbers: {what}", allowed="numbers with a decimal point") from reason


def _filled(lines: list[str], separator: str, name: str) -> Iterator[str]:
    """Yield the rows of a table with `nan` in its empty cells; a blank line is no row."""
    count = 0
    for line in filter(None, lines):
        cells = line.split(separator)
        count += len(cells)
        if count > MAX_CELLS:
            raise RecordError(f"{name} has more than {MAX_CELLS:,} cells", allowed=f"at most {MAX_CELLS:,}")
        yield separator.join("nan" if cell.strip() in ("", '""') else cell for cell in cells)


def _array(data: bytes, name: str) -> np.ndarray:
    """Return the array of a `.npy` without copying; RecordError if the header and the content disagree."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(stream, max_header_size=10_000)
    except Exception as error:  # the header is a Python literal, which fails to parse in many ways
        raise RecordError(f"{name} is not a readable .npy: {str(error)[:MAX_CELL]}") from error
    if dtype.kind not in "iuf":
        raise RecordError(f"{name} holds {dtype}", allowed="real numbers")
    count, begin = 1, stream.tell()
    for size in shape:
        count *= int(size)
    if min(shape, default=0) < 1 or count * dtype.itemsize != len(data) - begin:
        raise RecordError(
            f"{name} states {shape} {dtype} and holds {len(data) - begin:,} bytes", allowed="a complete array"
        )
    return np.frombuffer(data, dtype, count, begin).reshape(shape, order="F" if fortran else "C")


def _millivolt(values: np.ndarray, factor: float) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(values * factor, dtype=np.float32)
