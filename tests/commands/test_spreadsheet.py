"""Workbooks: valid parts, exact numbers and texts, no formulas, limits of a sheet."""

import json
import zipfile
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer.commands import column_labels, spreadsheet
from cgdmer.delineation.measurements import NAMES
from cgdmer.errors import DataError

SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def written(tmp_path, *batches, meta=None):
    path = tmp_path / "out.xlsx"
    with spreadsheet.workbook(path, meta or {}) as write:
        for batch in batches:
            write(batch)
    return path


def cells(path, number=1):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            ElementTree.fromstring(archive.read(name))
        root = ElementTree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml"))
    assert not list(root.iterfind(".//m:f", SPACE))
    return [[_value(cell) for cell in row] for row in root.iterfind(".//m:row", SPACE)]


def _value(cell):
    text, number = cell.find(".//m:t", SPACE), cell.find("m:v", SPACE)
    if text is not None:
        return text.text or ""
    return None if number is None else float(number.text)


def test_batches_follow_each_other_below_one_header(tmp_path):
    path = written(tmp_path, {"id": ["a"], "x": [1.5]}, {"id": ["=1+1", "<&>"], "x": [None, -2]})
    assert cells(path) == [["id", "x"], ["a", 1.5], ["=1+1", None], ["<&>", -2.0]]
    assert spreadsheet.written_here(path)


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50),
    st.floats(allow_nan=False, allow_infinity=False),
)
@settings(max_examples=40)
def test_texts_and_numbers_come_back(tmp_path_factory, text, number):
    path = written(tmp_path_factory.mktemp("book"), {"id": [text], "x": [number]})
    name, value = cells(path)[1]
    assert value == number
    assert name == text.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def test_characters_that_xml_cannot_hold_are_replaced(tmp_path):
    path = written(tmp_path, {"id": ["a\x00b\x1b", "lone \udc80"]})
    assert [row[0] for row in cells(path)] == ["id", "a\ufffdb\ufffd", "lone \ufffd"]


def test_metadata_are_in_the_second_sheet(tmp_path):
    meta = {"signal": {"fs": 500.0}, "seconds": 10}
    assert {key: json.loads(text) for key, text in cells(written(tmp_path, {"id": ["a"]}, meta=meta), 2)} == meta


def test_titles_are_bold_and_the_metadata_name_their_columns(tmp_path):
    path = tmp_path / "out.xlsx"
    with spreadsheet.workbook(path, {"start": 0}, column_labels.label) as write:
        write({"id": ["a"], "pr_ms": [140.5], "beats": [12]})
    assert cells(path) == [["recording", "PR (ms)", "beats"], ["a", 140.5, 12]]
    assert cells(path, 2) == [["start", "0"], ["column 'recording'", '"id"'], ["column 'PR (ms)'", '"pr_ms"']]
    with zipfile.ZipFile(path) as archive:
        rows = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml")).findall(".//m:row", SPACE)
        styles = ElementTree.fromstring(archive.read("xl/styles.xml"))
    assert [[cell.get("s") for cell in row] for row in rows] == [["1"] * 3, [None] * 3]
    fonts = styles.findall("m:fonts/m:font", SPACE)
    bold = styles.findall("m:cellXfs/m:xf", SPACE)[1]
    assert fonts[int(bold.get("fontId"))].find("m:b", SPACE) is not None


@pytest.mark.parametrize(
    ("column", "title"),
    [
        ("qtc_bazett_ms", "QTc Bazett (ms)"),
        ("st_aVR_mv", "ST aVR (mV)"),
        ("qrs_axis", "QRS axis (°)"),
        ("heart_rate/max_at", "heart rate (1/min), second of the largest"),
        ("probe/ptb_xl_sub/LAFB/LPFB/max", "LAFB/LPFB: probability (ptb_xl_sub), largest"),
        ("probe/my/AF", "AF: probability (my)"),
        ("zero_shot/AFIB", "atrial fibrillation (AFIB): cosine with the prompt"),
        ("windows_unused", "windows not used"),
    ],
)
def test_titles_are_words(column, title):
    assert column_labels.label(column) == title


def test_titles_of_measurements_and_scores_are_unique():
    columns = [*NAMES, *(f"{name}/{end}" for name in NAMES for end in ("min", "min_at", "max", "max_at"))]
    assert len({column_labels.label(column) for column in columns}) == len(columns)


def test_more_rows_than_a_sheet_holds_are_an_error_without_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 3)
    with pytest.raises(DataError, match="do not fit"):
        written(tmp_path, {"id": ["a", "b"]}, {"id": ["c"]})
    assert list(tmp_path.iterdir()) == []
