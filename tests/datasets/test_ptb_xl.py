"""PTB-XL: the label rule at full size against the published counts, and everything a copy can have wrong."""

import re

import polars as pl
import pytest

from cgdmer import protocol as published
from cgdmer import tables
from cgdmer.archives import open_archive
from cgdmer.datasets import corpus_index, metadata, ptb_xl
from cgdmer.errors import DataError
from cgdmer.settings import Corpus, Index

pytestmark = pytest.mark.xdist_group("ptb_xl")

RECORDS = {
    "ptb_xl_super": (17084, 2146, 2158),
    "ptb_xl_sub": (17084, 2146, 2158),
    "ptb_xl_form": (7197, 901, 880),
    "ptb_xl_rhythm": (16832, 2100, 2098),
}
"""docs/protocols.md A.3.2."""

POSITIVES = {
    "ptb_xl_super": "HYP 2119/268/262, NORM 7596/955/963, MI 4379/540/550, CD 3907/495/496, STTC 4186/528/521",
    "ptb_xl_sub": (
        "AMI 2466/306/306, LAFB/LPFB 1437/181/179, LVH 1708/210/214, STTC 1792/225/222, IMI 2618/326/327, "
        "SEHYP 24/3/2, CRBBB 432/55/54, WPW 64/7/8, LAO/LAE 341/43/42, NORM 7596/955/963, AVB 658/83/82, "
        "RAO/RAE 79/10/10, ISC 1019/125/128, LMI 161/20/20, ISCI 318/39/40, ISCA 756/92/93, NST 615/75/77, "
        "CLBBB 428/54/54, ILBBB 62/7/8, IRBBB 894/112/112, PMI 13/2/2, RVH 102/12/12, IVCD 630/78/79"
    ),
    "ptb_xl_form": (
        "PAC 318/40/40, DIG 145/18/18, HVOLT 49/7/6, STD 807/101/101, LPR 272/34/34, QWAVE 438/55/55, "
        "VCLVH 701/87/87, NDT 1461/182/182, TAB 28/4/3, LOWT 350/44/44, ABQRS 2683/322/322, LNGQT 94/12/11, "
        "PRC(S) 8/1/1, NT 340/41/42, STE 22/3/3, NST 615/75/77, PVC 915/114/114, INVT 235/30/29, LVOLT 145/19/18"
    ),
    "ptb_xl_rhythm": (
        "SVARR 128/15/14, BIGU 66/8/8, STACH 661/83/82, SARRH 618/77/77, SBRAD 509/64/64, TRIGU 16/2/2, "
        "AFIB 1211/151/152, SR 13404/1670/1674, SVTAC 21/3/3, PSVT 19/3/2, AFLT 59/7/7, PACE 237/29/28"
    ),
}
"""docs/protocols.md A.3.5, train/val/test."""


def read(folder, protocol=None, **settings):
    archive = ptb_xl.find(open_archive(folder))
    return ptb_xl.read_index(archive, corpus=Corpus(**settings), index=Index(), protocol=protocol)


@pytest.fixture(scope="module")
def full(real):
    """The metadata of all 21,799 records with their labels."""
    database = metadata.table(open_archive(real), "ptbxl_database_full.csv", ptb_xl.COLUMNS)
    statements = metadata.table(open_archive(real / "ptbxl"), ptb_xl.STATEMENTS, ptb_xl.FLAGS, also="")
    return ptb_xl.labelled(database, statements).rename({"fold": "split"})


@pytest.mark.real
@pytest.mark.parametrize("task", RECORDS)
def test_the_label_rule_gives_the_published_counts(full, task):
    members = tables.members(full, task)
    parts = [members.filter(split=split) for split in tables.SPLITS]
    assert tuple(part.height for part in parts) == RECORDS[task]
    expected = {}
    for entry in POSITIVES[task].split(", "):
        name, counts = entry.rsplit(" ", 1)
        expected[name] = [int(count) for count in counts.split("/")]
    assert tuple(expected) == ptb_xl.TASKS[task]
    assert {name: [int(part[f"{task}/{name}"].sum()) for part in parts] for name in expected} == expected


@pytest.mark.real
def test_the_four_tasks_together_hold_every_record_and_no_patient_is_in_two_splits(full):
    shown = pl.any_horizontal(pl.col(f"{task}/{classes[0]}").is_not_null() for task, classes in ptb_xl.TASKS.items())
    assert full.filter(shown).height == full.height == 21799
    assert tables.shared_patients(full) == []
    assert full["age"].max() == 95.0 or full["age"].max() <= 95.0
    assert set(full["sex"]) == {"male", "female"}


@pytest.mark.real
@pytest.mark.parametrize("task", RECORDS)
def test_labels_equal_the_published_tables_row_by_row(full, protocol, task):
    table = published.split_table(protocol, task)
    both = tables.members(full, task).join(table, on="id", suffix="_published")
    assert both.height == table.height == sum(RECORDS[task])
    assert both.filter(pl.col("split") != pl.col("split_published")).is_empty()
    for name in ptb_xl.TASKS[task]:
        assert both[f"{task}/{name}"].to_list() == both[name].to_list()


@pytest.mark.real
def test_the_real_subset(real, protocol):
    indexed = read(real / "ptbxl", protocol)
    assert indexed.frame.height == 500
    assert indexed.quarantine.is_empty()
    tables.check_invariants(indexed.frame, "ptb_xl")
    assert indexed.facts["split"]["kind"] == "published"
    assert all(task["compared"] and not task["differing"] for task in indexed.facts["published_labels"].values())
    first = indexed.frame.row(0, named=True)
    assert first["report"] == "sinusrhythmus periphere niederspannung."
    assert (first["id"], first["patient"], first["age"], first["sex"]) == ("1", "15709", 56.0, "female")
    assert (first["fs"], first["samples"], first["leads"][3]) == (500.0, 5000, "aVR")


def test_labels_by_name_from_the_keys_alone(tiny):
    indexed = read(tiny("ptb_xl"))
    rows = {row["id"]: row for row in indexed.frame.iter_rows(named=True)}
    assert rows["1"]["ptb_xl_super/NORM"] == 1, "a likelihood of 0 counts"
    assert rows["1"]["ptb_xl_rhythm/SR"] == 1
    assert rows["2"]["ptb_xl_sub/NST"] == rows["2"]["ptb_xl_form/NST"] == rows["2"]["ptb_xl_super/STTC"] == 1
    assert rows["3"]["ptb_xl_sub/AVB"] == 1
    assert rows["2"]["ptb_xl_rhythm/SR"] is None, "no label in the task: not part of it"
    assert rows["4"]["ptb_xl_super/NORM"] is rows["5"]["ptb_xl_super/NORM"] is None
    assert (rows["2"]["age"], rows["1"]["age"]) == (90.0, 41.0)
    assert (rows["1"]["sex"], rows["2"]["sex"]) == ("female", "male")
    assert rows["1"]["report"] == "sinus rhythm normal ekg."
    assert indexed.facts["rows_without_signal"] == 1
    assert indexed.facts["tasks"]["ptb_xl_super"]["positives"]["NORM"] == {"train": 1, "val": 0, "test": 0}


def test_without_500_hz_the_100_hz_recording_is_taken(tiny, write_record):
    folder = tiny("ptb_xl")
    for file in (folder / "records500/00000").glob("00002_hr.*"):
        file.unlink()
    write_record(folder, "records100/00000/00002_lr", fs=100)
    write_record(folder, "records500/00000/77777_hr")
    indexed = read(folder)
    row = indexed.frame.filter(id="2").row(0, named=True)
    assert (row["fs"], row["member"]) == (100.0, "records100/00000/00002_lr.hea")
    assert indexed.facts["records_at_100_hz"] == 1
    assert indexed.facts["files_without_row"] == 1


@pytest.mark.parametrize(
    "codes", ["", "NORM", "['NORM']", "{'NORM': ", "__import__('os').system('true')", "{" * 5000, "{'NORM': [1}"]
)
def test_malformed_codes_are_quarantined_and_never_run(codes):
    assert ptb_xl.parse_codes(codes) is None


def test_a_row_with_malformed_codes_says_so(tiny):
    folder = tiny("ptb_xl")
    database = folder / ptb_xl.DATABASE
    database.write_text(database.read_text().replace("{'NST_': 100.0}", "{'NST_': 100.0"))
    indexed = read(folder)
    assert indexed.quarantine["id"].to_list() == ["2"]
    assert "scp_codes is not a dict" in indexed.quarantine["reason"][0]


def test_paths_that_leave_the_corpus_are_quarantined(tiny):
    folder = tiny("ptb_xl")
    database = folder / ptb_xl.DATABASE
    text = database.read_text().replace("records500/00000/00001_hr", "../../etc/passwd")
    database.write_text(text.replace("records500/00000/00002_hr", "/etc/shadow"))
    indexed = read(folder)
    assert indexed.quarantine["id"].to_list() == ["1", "2"]
    assert all("leads out of the corpus" in reason for reason in indexed.quarantine["reason"])


def test_a_header_that_names_a_file_elsewhere_is_quarantined(tiny):
    folder = tiny("ptb_xl")
    header = folder / "records500/00000/00001_hr.hea"
    header.write_text(header.read_text().replace("00001_hr.dat", "../00000/00002_hr.dat"))
    assert read(folder).quarantine["id"].to_list() == ["1"]


def test_bytes_that_are_not_utf8_are_tolerated_and_counted(tiny):
    folder = tiny("ptb_xl")
    database = folder / ptb_xl.DATABASE
    database.write_bytes(database.read_bytes().replace(b"rhythm NORMAL", b"rhythm m\xf6glich", 1))
    indexed = read(folder)
    assert indexed.frame["report"][0] == "sinus rhythm m\ufffdglich ekg."
    assert indexed.facts["reports_not_utf8"] == 1


@pytest.mark.parametrize("column", ["scp_codes", "strat_fold", "filename_hr"])
def test_a_missing_column_is_named(tiny, column):
    folder = tiny("ptb_xl")
    database = folder / ptb_xl.DATABASE
    database.write_text(database.read_text().replace(column, "other", 1))
    with pytest.raises(DataError, match=f"no column '{column}'"):
        read(folder)


def test_a_class_nobody_published_is_refused(tiny):
    folder = tiny("ptb_xl")
    statements = folder / ptb_xl.STATEMENTS
    statements.write_text(statements.read_text() + "NEW,new,1.0,,,NEWCLASS,NEWSUB\n")
    with pytest.raises(DataError, match="has no class NEWCLASS"):
        read(folder)


def test_a_repeated_id_is_quarantined_and_a_patient_in_two_splits_breaks_an_invariant(tiny):
    folder = tiny("ptb_xl")
    database = folder / ptb_xl.DATABASE
    text = database.read_text()
    database.write_text(re.sub(r"^2,", "1,", text, flags=re.MULTILINE))
    repeated = read(folder)
    tables.check_invariants(repeated.frame, "ptb_xl")
    assert repeated.quarantine.filter(pl.col("reason") == corpus_index.REPEATED)["id"].to_list() == ["1"]
    split = repeated.facts["split"]
    assert sum(split[name] for name in ("train", "val", "test", "unassigned")) == repeated.frame.height
    database.write_text(text.replace("2,102.0", "2,101.0"))
    with pytest.raises(DataError, match="more than one split"):
        tables.check_invariants(read(folder).frame, "ptb_xl")
    tables.check_invariants(read(folder, splits="hash").frame, "ptb_xl")


def test_a_copy_without_any_signal_says_where_they_belong(tiny):
    folder = tiny("ptb_xl")
    for file in (folder / "records500/00000").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="has its files here"):
        read(folder)
