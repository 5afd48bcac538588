"""Read a table of one's own labels: a row per recording, a column per label, each cell yes, no or unknown."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cgdmer.errors import ConfigError, DataError, did_you_mean, printable
from cgdmer.files import check_regular

SUFFIXES = (".csv", ".parquet")
RECORDING = ("recording", "id", "path", "file", "filename", "record")
"""Columns that name the recording, if no other is stated; in any case (`ID`)."""
PATIENT = "patient"
"""The column that names the patient, if no other is stated; in any case (`Patient`)."""
YES, NO = frozenset({"1", "1.0", "yes", "true"}), frozenset({"0", "0.0", "no", "false"})
BINARY = "1 or 0, yes or no, true or false; an empty cell for unknown"
MAX_BYTES, MAX_COLUMNS = 1 << 28, 1000
SHOWN = 40
"""Characters of a cell or a name that a message quotes."""


@dataclass(frozen=True)
class ColumnNames:
    """Which columns of the table are used; None for those that are recognised by their names."""

    recording: str | None = None
    patient: str | None = None
    labels: tuple[str, ...] | None = None
    """None for every column that names neither the recording nor the patient."""


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The rows of a table of labels."""

    recordings: list[str]
    """What each row calls its recording."""
    patients: list[str] | None
    """The patient of each row, '' if its cell is empty; None without such a column."""
    labels: dict[str, np.ndarray]
    """By name, float64 (n,): 1 for yes, 0 for no, NaN for unknown."""


def read(path: Path, names: ColumnNames) -> LabelTable:
    """Read a table of labels from CSV or Parquet.

    DataError if the file is missing, damaged, without rows or holds a label that is neither yes nor no; ConfigError
    for a column that is not there.
    """
    shown = printable(str(path))
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(
            f"{shown}: '{printable(path.suffix)}' is not the suffix of a table of labels",
            allowed=" or ".join(SUFFIXES), fix="save the table as CSV in UTF-8",
        )  # fmt: skip
    try:
        check_regular(path, MAX_BYTES)
        columns = _csv(path) if path.suffix.lower() == ".csv" else _parquet(path)
    except (OSError, ValueError, csv.Error, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        other_encoding = isinstance(error, UnicodeError)
        raise DataError(
            f"{shown} cannot be read as a table of labels: {printable(reason)[:120]}",
            allowed=f"CSV in UTF-8, or Parquet, at most {MAX_BYTES:,} bytes",
            fix="save it in UTF-8, in Excel as 'CSV UTF-8'" if other_encoding else "check the path and its content",
        ) from error
    return _labels(shown, columns, names)


def _csv(path: Path) -> dict[str, list[str]]:
    """Return the columns of a CSV; commas, semicolons or tabs, whichever its first line has most of, divide cells.

    Rows and nameless columns of empty cells, which spreadsheets write beside a table, are left out.
    """
    text = path.read_bytes().decode("utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max((",", ";", "\t"), key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = [cell.strip() for cell in next(lines, [])]
    rows = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise ValueError(f"line {lines.line_num} has {len(cells)} cells, the first line {len(header)}")
        rows.append(cells)
    used = [number for number, name in enumerate(header) if name or any(row[number].strip() for row in rows)]
    return _named([header[number] for number in used], [[row[number] for row in rows] for number in used])


def _parquet(path: Path) -> dict[str, list[str]]:
    """Return the columns of a Parquet file as text; a null or NaN is an empty cell."""
    from pyarrow import parquet, types

    table = parquet.read_table(path)
    for field in table.schema:
        if types.is_nested(field.type):
            raise ValueError(f"column '{field.name[:SHOWN]}' holds lists")
    cells = [["" if cell is None or cell != cell else str(cell) for cell in column.to_pylist()]
             for column in table.columns]  # fmt: skip
    return _named(table.column_names, cells)


def _named(header: Sequence[str], columns: list[list[str]]) -> dict[str, list[str]]:
    """Return the columns by name; ValueError if a name is missing, repeated or not printable."""
    if len(header) > MAX_COLUMNS:
        raise ValueError(f"{len(header)} columns, more than {MAX_COLUMNS:,}")
    for number, name in enumerate(header, start=1):
        if not name.strip() or not name.isprintable() or len(name) > 2 * SHOWN or "/" in name:
            raise ValueError(f"column {number} has no name, or one with '/', control characters or above 80 letters")
        if name in header[: number - 1]:
            raise ValueError(f"two columns are called '{name[:SHOWN]}'")
    return dict(zip(header, columns, strict=True))


def _labels(shown: str, columns: dict[str, list[str]], names: ColumnNames) -> LabelTable:
    recording = _recording_column(shown, list(columns), names)
    patient = _patient_column(shown, list(columns), names)
    wanted = names.labels if names.labels is not None else [
        name for name in columns if name not in (recording, patient)]  # fmt: skip
    chosen = [_column(shown, list(columns), name, "--labels") for name in dict.fromkeys(wanted)]
    if taken := [name for name in chosen if name in (recording, patient)]:
        raise ConfigError(f"{shown}: column '{taken[0]}' is no label", allowed="columns of yes and no")
    if not chosen or not columns[recording]:
        what = "label" if columns[recording] else "row"
        raise DataError(f"{shown} holds no {what}", allowed=f"columns of {BINARY}", fix="add one")
    called = [cell.strip() for cell in columns[recording]]
    if "" in called:
        raise DataError(
            f"{shown}: row {called.index('') + 1} names no recording", allowed=f"a name in column '{recording}'"
        )
    patients = [cell.strip() for cell in columns[patient]] if patient is not None else None
    return LabelTable(called, patients, {name: _binary(shown, name, columns[name]) for name in chosen})


def _recording_column(shown: str, header: list[str], names: ColumnNames) -> str:
    if names.recording is not None:
        return _column(shown, header, names.recording, "--recording")
    known = _known(header, RECORDING)
    if len(known) == 1:
        return known[0]
    what = f"columns {', '.join(known)} may all name the recording" if known else "no column names the recording"
    raise ConfigError(f"{shown}: {what}", allowed=f"one of {', '.join(RECORDING)}", fix="--recording COLUMN")


def _patient_column(shown: str, header: list[str], names: ColumnNames) -> str | None:
    if names.patient:
        return _column(shown, header, names.patient, "--patient")
    known = _known(header, (PATIENT,))
    if len(known) > 1:
        raise ConfigError(
            f"{shown}: columns {', '.join(known)} may all name the patient", allowed="one of them",
            fix="--patient COLUMN",
        )  # fmt: skip
    return known[0] if known else None


def _known(header: list[str], names: Sequence[str]) -> list[str]:
    """Return the columns with one of these names, or else those that have one in another case."""
    return [name for name in header if name in names] or [name for name in header if name.lower() in names]


def _column(shown: str, header: list[str], name: str, option: str) -> str:
    if name not in header:
        raise ConfigError(
            f"{shown} has no column '{name[:SHOWN]}'{did_you_mean(name, header)}",
            allowed=", ".join(header)[:400], fix=f"{option} COLUMN",
        )  # fmt: skip
    return name


def _binary(shown: str, name: str, cells: list[str]) -> np.ndarray:
    """Return 1, 0 or NaN for each cell of a label; DataError for a cell that is neither."""
    words = [cell.strip().lower() for cell in cells]
    for row, word in enumerate(words, start=1):
        if word and word not in YES and word not in NO:
            raise DataError(
                f"{shown}: label '{name}' is '{word[:SHOWN]}' in row {row}",
                allowed=BINARY,
                fix="correct the table, or choose its labels with --labels NAME,NAME; "
                f"if this column names the patient, pass --patient '{name[:SHOWN]}'",
            )  # fmt: skip
    return np.array([np.nan if not word else float(word in YES) for word in words])
