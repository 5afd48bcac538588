"""A table of one's own labels: what spreadsheets write is read, and what is no label is refused."""

import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.errors import CgdmerError, ConfigError, DataError
from cgdmer.probing import label_table
from cgdmer.probing.label_table import ColumnNames

PLAIN = "recording,patient,af\na.hea,p1,1\nb.hea,p1,0\nc.hea,,\n"


def read(tmp_path, content, name="labels.csv", **names):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return label_table.read(tmp_path / name, ColumnNames(**names))


def test_yes_no_and_unknown(tmp_path):
    table = read(tmp_path, PLAIN)
    assert table.recordings == ["a.hea", "b.hea", "c.hea"]
    assert table.patients == ["p1", "p1", ""]
    np.testing.assert_array_equal(table.labels["af"], [1, 0, np.nan])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace(",", ";"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " , "),
        PLAIN + "\n\n",
        PLAIN + ",,\n,,\n , ,\n",
        PLAIN.replace("\n", ",,\n"),
        '"recording","patient","af"\n"a.hea","p1","1"\n"b.hea","p1","0"\n"c.hea","",""\n',
        PLAIN.replace(",1\n", ",Yes\n").replace(",0\n", ",NO\n"),
        PLAIN.replace(",1\n", ",TRUE\n").replace(",0\n", ",False\n"),
        PLAIN.replace(",1\n", ",1.0\n").replace(",0\n", ",0.0\n"),
    ],
)  # fmt: skip
def test_what_spreadsheets_write_is_the_same_table(tmp_path, content):
    table = read(tmp_path, content)
    assert (table.recordings, table.patients) == (["a.hea", "b.hea", "c.hea"], ["p1", "p1", ""])
    np.testing.assert_array_equal(table.labels["af"], [1, 0, np.nan])


def test_a_nameless_column_with_cells_is_an_error(tmp_path):
    with pytest.raises(DataError, match="column 4 has no name"):
        read(tmp_path, PLAIN.replace("\n", ",\n").replace("p1,1,", "p1,1,1"))


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_is_an_error_that_names_the_one_to_choose(tmp_path, encoding):
    with pytest.raises(DataError) as error:
        read(tmp_path, PLAIN.replace("af", "für").encode(encoding))
    assert error.value.fix == "save it in UTF-8, in Excel as 'CSV UTF-8'"


@pytest.mark.parametrize("cells", [[True, False, None], [1, 0, None], [1.0, 0.0, float("nan")], ["yes", "no", None]])
def test_parquet_gives_the_same_table(tmp_path, cells):
    frame = pl.DataFrame({"recording": ["a.hea", "b.hea", "c.hea"], "patient": ["p1", "p1", None], "af": cells})
    frame.write_parquet(tmp_path / "labels.parquet")
    table = label_table.read(tmp_path / "labels.parquet", ColumnNames())
    assert table.patients == ["p1", "p1", ""]
    np.testing.assert_array_equal(table.labels["af"], [1, 0, np.nan])


@pytest.mark.parametrize("head", ["recording,Patient,af", "Recording,PATIENT,af", "ID,patient,af"])
def test_recording_and_patient_are_recognised_in_any_case(tmp_path, head):
    table = read(tmp_path, PLAIN.replace("recording,patient,af", head))
    assert (table.recordings, table.patients) == (["a.hea", "b.hea", "c.hea"], ["p1", "p1", ""])
    assert list(table.labels) == ["af"]
    other_case = read(tmp_path, "recording,ID,patient,Patient,af\na,1,p,1,1\n")
    assert (other_case.patients, list(other_case.labels)) == (["p"], ["ID", "Patient", "af"])


def test_columns_may_be_named(tmp_path):
    content = "ecg,person,age,af,id\na,p1,63,1,7\nb,p2,70,0,8\n"
    table = read(tmp_path, content, recording="ecg", patient="person", labels=("af",))
    assert (table.recordings, table.patients, list(table.labels)) == (["a", "b"], ["p1", "p2"], ["af"])
    assert read(tmp_path, "id,af\na,1\n").patients is None


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", ConfigError, "no column names the recording"),
        ("recording,af\n", DataError, "holds no row"),
        ("recording\na\n", DataError, "holds no label"),
        ("name,af\na,1\n", ConfigError, "--recording COLUMN"),
        ("id,path,af\n1,a,1\n", ConfigError, "columns id, path may all name the recording"),
        ("recording,af\na,2\n", DataError, "label 'af' is '2' in row 1"),
        ("recording,age\na,63\n", DataError, "choose its labels with --labels"),
        ("recording,subject,af\na,7,1\n", DataError, "names the patient, pass --patient 'subject'"),
        ("recording,Patient,PATIENT,af\na,1,1,1\n", ConfigError, "columns Patient, PATIENT may all name the patient"),
        ("recording,af\na,nan\n", DataError, "label 'af' is 'nan'"),
        ("recording,af\n,1\n", DataError, "row 1 names no recording"),
        ("recording,af,af\na,1,0\n", DataError, "two columns are called 'af'"),
        ("recording,,af\na,1,0\n", DataError, "column 2 has no name"),
        ("recording,a/f\na,1\n", DataError, "column 2 has no name, or one with '/'"),
        ("recording,a\x1b[2Jf\na,1\n", DataError, "control characters"),
        ("recording,af\na,1,0\n", DataError, "line 2 has 3 cells"),
        ('recording,af\n"a,1\n', DataError, "cannot be read"),
        (PLAIN.encode("utf-16"), DataError, "CSV in UTF-8"),
        (b"recording,af\n\xff\xfe,1\n", DataError, "CSV in UTF-8"),
        ("recording,af\n" + "a" * 200_000 + ",1\n", DataError, "field larger than"),
        (",".join(["recording", *map(str, range(1000))]) + "\n", DataError, "more than 1,000"),
    ],
)
def test_a_hostile_table_is_refused(tmp_path, content, error, message):
    with pytest.raises(error) as raised:
        read(tmp_path, content)
    assert message in str(raised.value)


def test_files_that_are_no_table_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    pl.DataFrame({"recording": ["a"], "af": [[1]]}).write_parquet(tmp_path / "nested.parquet")
    for name in ("pipe.csv", "folder.csv", "bad.parquet", "nested.parquet", "gone.csv"):
        with pytest.raises(DataError):
            label_table.read(tmp_path / name, ColumnNames())
    with pytest.raises(ConfigError, match="save the table as CSV"):
        label_table.read(tmp_path / "labels.xlsx", ColumnNames())


@pytest.mark.parametrize("names", [{"recording": "recordin"}, {"patient": "patent"}, {"labels": ("fa",)}])
def test_a_column_that_is_not_there_is_named(tmp_path, names):
    with pytest.raises(ConfigError, match="has no column"):
        read(tmp_path, PLAIN, **names)
    with pytest.raises(ConfigError, match="is no label"):
        read(tmp_path, PLAIN, labels=("patient",))


@given(st.binary(max_size=300))
def test_any_bytes_give_a_table_or_an_error_of_the_program(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    for name in ("labels.csv", "labels.parquet"):
        try:
            read(folder, b"recording,af\n" + content if name.endswith("csv") else content, name)
        except CgdmerError:
            continue
