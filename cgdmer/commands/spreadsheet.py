"""Write rows batch by batch to an Office Open XML workbook (.xlsx, ECMA-376): a sheet of values and one of metadata.

Cells are numbers or inline strings, never formulas, so no name of a file can be executed.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import escape

from cgdmer.errors import DataError
from cgdmer.files import atomic

MARK = b"written by cgdmer"
"""Comment of the zip; it is gone once another program has saved the workbook."""
MAX_ROWS, MAX_COLUMNS, MAX_TEXT = 1_048_576, 16_384, 32_767
"""Limits of a sheet and of the characters of a cell."""
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET = f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>'
_FROZEN = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
)
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}"><fonts count="2"><font/><font><b/></font></fonts><fills count="2"><fill>'
    '<patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2">'
    '<xf xfId="0"/><xf xfId="0" fontId="1" applyFont="1" applyAlignment="1"><alignment wrapText="1" vertical="top"/>'
    '</xf></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)
WIDTH, WIDEST = 14, 40
"""Width of a column in characters, and of the first, which names the recording."""
_PARTS = {
    "[Content_Types].xml": f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet2.xml" ContentType="{_KIND}.worksheet+xml"/></Types>',
    "_rels/.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>'
    '<sheet name="values" sheetId="1" r:id="rId1"/><sheet name="metadata" sheetId="2" r:id="rId2"/>'
    "</sheets></workbook>",
    "xl/_rels/workbook.xml.rels": f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet2.xml"/>'
    f'<Relationship Id="rId3" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": _STYLES,
}
Writer = Callable[[Mapping[str, Sequence[Any]]], None]
"""Takes columns of equal length, by name."""


@contextmanager
def workbook(path: Path, meta: Mapping[str, Any], label: Callable[[str], str] = lambda name: name) -> Iterator[Writer]:
    """Yield a function that appends columns of equal length; the file appears when the block ends.

    The first row holds the `label` of each column, in bold; it stays in sight. The metadata hold the name of each.
    DataError if the rows or columns are more than a sheet holds.
    """
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = MARK
        for name, text in _PARTS.items():
            archive.writestr(_entry(name), text)
        names: list[str] = []
        with archive.open(_entry("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
            yield _appending(sheet, names, label)
            sheet.write(b"</sheetData></worksheet>" if names else f"{_SHEET}</sheetData></worksheet>".encode())
        renamed = {f"column '{label(name)}'": name for name in names if label(name) != name}
        _write_metadata(archive, {**meta, **renamed})


def _appending(sheet: IO[bytes], names: list[str], label: Callable[[str], str]) -> Writer:
    """Return the function that writes rows; `names` receives the names of the columns with the first of them."""
    count = 0

    def write(columns: Mapping[str, Sequence[Any]]) -> None:
        nonlocal count
        rows = list(zip(*columns.values(), strict=True))
        count += len(rows) + (not names)
        if count > MAX_ROWS or len(columns) > MAX_COLUMNS:
            raise DataError(
                f"{count:,} rows of {len(columns):,} columns do not fit into a sheet",
                allowed=f"{MAX_ROWS:,} rows of {MAX_COLUMNS:,} columns",
                fix="--output NAME.parquet",
            )
        if not names:
            names.extend(columns)
            sheet.write(f"{_FROZEN}{_widths(len(names))}<sheetData>{_row(map(label, names), bold=True)}".encode())
        sheet.write("".join(map(_row, rows)).encode())

    return write


def _widths(count: int) -> str:
    others = f'<col min="2" max="{count}" width="{WIDTH}" customWidth="1"/>' if count > 1 else ""
    return f'<cols><col min="1" max="1" width="{WIDEST}" customWidth="1"/>{others}</cols>'


def written_here(path: Path) -> bool:
    """Return True if this module wrote the file and no other program has saved it since."""
    with zipfile.ZipFile(path) as archive:
        return archive.comment == MARK


def _write_metadata(archive: zipfile.ZipFile, meta: Mapping[str, Any]) -> None:
    rows = [(key, json.dumps(value, sort_keys=True, ensure_ascii=False)) for key, value in meta.items()]
    text = "".join(map(_row, rows))
    archive.writestr(_entry("xl/worksheets/sheet2.xml"), f"{_SHEET}{text}</sheetData></worksheet>")


def _entry(name: str) -> zipfile.ZipInfo:
    """Return a member with a fixed date, so that a second run writes the same bytes."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _row(values: Iterable[Any], bold: bool = False) -> str:
    return f"<row>{''.join(_cell(value, bold) for value in values)}</row>"


def _cell(value: Any, bold: bool = False) -> str:
    if value is None:
        return "<c/>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"<c><v>{value!r}</v></c>"
    text = escape(_ILLEGAL.sub("\ufffd", str(value)[:MAX_TEXT]))
    style = ' s="1"' if bold else ""
    return f'<c t="inlineStr"{style}><is><t xml:space="preserve">{text}</t></is></c>'
