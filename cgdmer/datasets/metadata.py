"""Read the metadata tables of a corpus: each column as text and by name, whatever bytes a report holds."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cgdmer.errors import DataError, redacted

if TYPE_CHECKING:
    from cgdmer.archives import Archive

BOM = b"\xef\xbb\xbf"
REPLACED = "\ufffd"
"""Replaces bytes that are not UTF-8."""


def table(archive: "Archive", name: str, required: Sequence[str], also: str = r"(?!)") -> pl.DataFrame:
    """Read the required columns, and those whose whole name matches `also`, as text; an empty cell is null.

    Bytes that are not UTF-8 become U+FFFD. Raises DataError if columns are missing or the table cannot be read.
    """
    content = archive.read(name).removeprefix(BOM)
    try:
        columns = pl.read_csv(content, infer_schema=False, encoding="utf8-lossy", n_rows=0).columns
        require(columns, name, required)
        wanted = [column for column in columns if column in required or re.fullmatch(also, column)]
        return pl.read_csv(content, infer_schema=False, encoding="utf8-lossy", columns=wanted)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{name} cannot be read as CSV: {redacted(str(error))}",
            allowed="the table as PhysioNet publishes it",
            fix="compare its sha256 with SHA256SUMS.txt and copy it again",
        ) from error


def require(columns: Sequence[str], name: str, required: Sequence[str]) -> None:
    """Raise DataError if a table lacks a column."""
    missing = [column for column in required if column not in columns]
    if missing:
        raise DataError(
            f"{name} has no column {', '.join(repr(column) for column in missing)}; it has {_shown(columns)}",
            allowed=f"columns {', '.join(required)}",
            fix="copy the table again as PhysioNet publishes it",
        )


def _shown(columns: Sequence[str]) -> str:
    """Return the names of columns that look like names; in a table without a header row they are cells."""
    named = [column for column in columns if re.fullmatch(r"[a-z][a-z_]{0,30}(_\d{1,3})?", column)]
    others = len(columns) - len(named)
    return ", ".join([*named[:40], *([f"{others} others"] if others else [])]) or "none"


def rooted(archive: "Archive", marker: str, title: str) -> "Archive":
    """Return the archive rooted at the folder of the file `marker`; raise DataError unless there is exactly one."""
    if marker in archive:
        return archive
    names = archive.names()
    matches = [name for name in names if name.rsplit("/", 1)[-1] == marker]
    if len(matches) == 1:
        return archive.rooted(matches[0].removesuffix(f"/{marker}"))
    if matches:
        raise several_copies(title, matches)
    raise wrong_dataset(names, title, marker)


def several_copies(title: str, places: Sequence[str]) -> DataError:
    """Build the error for an archive that holds several copies of a corpus."""
    return DataError(
        f"{title} is here more than once: {', '.join(places)}",
        allowed="one copy",
        fix="set corpora.<source>.root in params.yaml to the folder of one copy",
    )


def wrong_dataset(names: Sequence[str], title: str, expected: str) -> DataError:
    """Build the error for an archive that holds something else, with what was expected and what is there."""
    top = sorted({name.split("/")[0] for name in names})
    shown = ", ".join(top[:6]) + (f" and {len(top) - 6} more" if len(top) > 6 else "")
    return DataError(
        f"this is not {title}: it has no {expected}; it contains {shown or 'nothing'}",
        allowed="a folder or zip laid out like PhysioNet's",
        fix="set corpora.<source>.root in params.yaml to the right folder, or: cgdmer check <source>",
    )


def sex(value: pl.Expr) -> pl.Expr:
    """Return male, female or null from a word in a header or table."""
    words = {"male": "male", "m": "male", "female": "female", "f": "female"}
    return value.str.strip_chars().str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)


def age(value: pl.Expr) -> pl.Expr:
    """Return years, or null if not a number or negative (CPSC2018 writes -1, docs/protocols.md A.4)."""
    years = value.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(years.is_finite() & (years >= 0)).then(years)


def integer(value: pl.Expr) -> pl.Expr:
    """Return `15709` for `15709.0`, and any other text unchanged."""
    return value.str.strip_chars().str.replace(r"\.0+$", "")


def count_not_utf8(reports: pl.Series) -> int:
    """Count the reports in which bytes that are not UTF-8 were replaced."""
    return int(reports.str.contains(REPLACED).sum())
