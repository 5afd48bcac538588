"""Owns reading a corpus's own tables: every column as text and by name, whatever bytes a report holds."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from cgdmer.errors import DataError

if TYPE_CHECKING:
    from cgdmer.archives import Archive

BOM = b"\xef\xbb\xbf"
REPLACED = "\ufffd"
"""Stands where bytes were not UTF-8."""


def table(archive: "Archive", name: str, required: Sequence[str], also: str = r"(?!)") -> pl.DataFrame:
    """Read the required columns, and those whose whole name matches `also`, as text; an empty cell is null.

    Bytes that are not UTF-8 become U+FFFD. DataError names the missing columns, or why the table cannot be read.
    """
    content = archive.read(name).removeprefix(BOM)
    try:
        columns = pl.read_csv(content, infer_schema=False, encoding="utf8-lossy", n_rows=0).columns
        require(columns, name, required)
        wanted = [column for column in columns if column in required or re.fullmatch(also, column)]
        return pl.read_csv(content, infer_schema=False, encoding="utf8-lossy", columns=wanted)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{name} cannot be read as CSV: {str(error).splitlines()[0]}",
            allowed="the table as PhysioNet publishes it",
            fix="compare its sha256 with SHA256SUMS.txt and copy it again",
        ) from error


def require(columns: Sequence[str], name: str, required: Sequence[str]) -> None:
    """Raise DataError when a table lacks a column."""
    missing = [column for column in required if column not in columns]
    if missing:
        raise DataError(
            f"{name} has no column {', '.join(repr(column) for column in missing)}; it has {', '.join(columns)}",
            allowed=f"columns {', '.join(required)}",
            fix="copy the table again as PhysioNet publishes it",
        )


def rooted(archive: "Archive", marker: str, title: str) -> "Archive":
    """Return the archive rooted where the one file `marker` lies; DataError when there is none, or several."""
    if marker in archive:
        return archive
    names = archive.names()
    found = [name for name in names if name.rsplit("/", 1)[-1] == marker]
    if len(found) == 1:
        return archive.rooted(found[0].removesuffix(f"/{marker}"))
    if found:
        raise DataError(
            f"{title} lies here more than once: {', '.join(found)}", allowed="one copy", fix="name the one meant"
        )
    raise wrong_dataset(names, title, marker)


def wrong_dataset(names: Sequence[str], title: str, looked_for: str) -> DataError:
    """Build the error for an archive that holds something else: what was looked for, and what is there."""
    top = sorted({name.split("/")[0] for name in names})
    shown = ", ".join(top[:6]) + (f" and {len(top) - 6} more" if len(top) > 6 else "")
    return DataError(
        f"this is not {title}: no {looked_for} in it; found {shown or 'nothing'}",
        allowed="a folder or zip laid out like PhysioNet's",
        fix="set corpora.<source>.root in params.yaml to the right folder, or: cgdmer check <source>",
    )


def sex(value: pl.Expr) -> pl.Expr:
    """Return male, female or null from a header's word."""
    words = {"male": "male", "m": "male", "female": "female", "f": "female"}
    return value.str.strip_chars().str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.String)


def age(value: pl.Expr) -> pl.Expr:
    """Return years, or null for what is no number or negative (CPSC2018 writes -1, docs/protocols.md A.4)."""
    years = value.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(years.is_finite() & (years >= 0)).then(years)


def integer(value: pl.Expr) -> pl.Expr:
    """Return `15709` for `15709.0`, and the text itself for what is no whole number."""
    return value.str.strip_chars().str.replace(r"\.0+$", "")
