"""MIMIC-IV-ECG: joined by key and never by position, cleaned by the published rule, split by subject."""

import polars as pl
import pytest

from cgdmer import report_text, tables
from cgdmer.archives import open_archive
from cgdmer.datasets import mimic_iv_ecg
from cgdmer.errors import ConfigError, DataError
from cgdmer.settings import Corpus, Index


def read(folder, words=4, **settings):
    archive = mimic_iv_ecg.find(open_archive(folder))
    index = Index(min_report_words=words)
    return mimic_iv_ecg.read_index(archive, corpus=Corpus(**settings), index=index, protocol=None)


def test_reports_are_joined_on_subject_and_study_although_the_tables_are_in_opposite_order(tiny):
    indexed = read(tiny("mimic_iv_ecg"))
    assert dict(indexed.frame.select("id", "report").iter_rows()) == {
        "10_1": "sinus rhythm 1. normal ecg.",
        "10_2": "sinus rhythm 2. normal ecg.",
        "11_3": "sinus rhythm 3. normal ecg.",
    }
    assert indexed.frame["patient"].to_list() == ["10", "10", "11"]
    assert indexed.frame["leads"][0][3:6].to_list() == ["aVR", "aVF", "aVL"], "the header's own order"


def test_counts_at_every_filter(tiny):
    folder = tiny("mimic_iv_ecg")
    (folder / "record_list.csv").write_text(
        (folder / "record_list.csv").read_text() + "13,5,5,2100,files/p10/p13/s5/5\n"
    )
    (folder / "files/p10/p11/s3/3.hea").unlink()
    facts = read(folder).facts
    counted = {key: facts[key] for key in ("rows", "reports", "rows_with_report", "rows_with_enough_words")}
    assert counted == {"rows": 5, "reports": 4, "rows_with_report": 4, "rows_with_enough_words": 3}
    assert (facts["rows_without_signal"], facts["records"], facts["subjects"]) == (1, 2, 1)


@pytest.mark.parametrize(("words", "records"), [(0, 4), (3, 4), (4, 3), (6, 0)])
def test_too_few_words_drop_the_record(tiny, words, records):
    folder = tiny("mimic_iv_ecg")
    if records:
        assert read(folder, words).frame.height == records
    else:
        with pytest.raises(DataError, match="no record"):
            read(folder, words)


def test_every_report_equals_the_rule_applied_to_its_lines():
    lines = {
        "report_0": ["*** Pediatric ECG ***", None, "Sinus rhythm", None],
        "report_10": ["LAST =", "only this EKG", None, None],
        "report_2": ["Normal\tEKG", None, "Sinus rhythm", ""],
    }
    frame = pl.DataFrame({"subject_id": list("abcd"), "study_id": list("1234"), "path": list("wxyz"), **lines})
    texts = mimic_iv_ecg.with_reports(frame)
    order = ("report_0", "report_2", "report_10")
    for place, row in enumerate(texts.iter_rows(named=True)):
        cleaned = report_text.clean([lines[name][place] for name in order])
        assert row["report"] == ("" if cleaned == report_text.EMPTY else cleaned)
    assert texts["words"].to_list() == [6, 3, 4, 0]


@pytest.mark.parametrize("table", ["record_list.csv", "machine_measurements.csv"])
def test_the_first_row_of_a_repeated_study_is_used_and_the_other_is_in_quarantine(tiny, table):
    folder = tiny("mimic_iv_ecg")
    expected = read(folder).frame
    header, first, *rest = (folder / table).read_text().splitlines()
    subject, study, *others = first.split(",")
    changed = ",".join([subject, study, *("changed" for _ in others)])
    (folder / table).write_text("\n".join([header, first, *rest, changed, changed, ""]))
    indexed = read(folder)
    assert indexed.frame.equals(expected)
    repeats = indexed.quarantine.filter(pl.col("reason").str.contains("occurs more than once"))
    assert repeats["id"].to_list() == [f"{subject}_{study}"] * 2
    assert set(repeats["member"]) == {f"files/p10/p{subject}/s{study}/{study}.hea"}
    assert repeats["reason"].str.starts_with(f"{table}: ").all()


def test_a_record_without_a_report_is_in_quarantine_and_one_with_a_short_report_is_dropped_by_rule(tiny):
    folder = tiny("mimic_iv_ecg")
    lines = (folder / "machine_measurements.csv").read_text().splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("10,1,"))
    lines[row] = ",".join(["10", "1"] + [""] * (lines[0].count(",") - 1))
    (folder / "machine_measurements.csv").write_text("\n".join([*lines, ""]))
    indexed = read(folder)
    assert indexed.quarantine.select("id", "reason").rows() == [("10_1", "its report is empty")]
    assert "10_1" not in indexed.frame["id"].to_list()
    assert "10_1" in read(folder, words=0).frame["id"].to_list(), "no report is asked for"


def test_no_subject_is_in_two_splits_and_no_split_is_published(tiny):
    folder = tiny("mimic_iv_ecg")
    indexed = read(folder)
    assert tables.shared_patients(indexed.frame) == []
    assert indexed.facts["split"]["kind"] == "hash"
    with pytest.raises(ConfigError, match="no published split"):
        read(folder, splits="published")


def test_a_table_that_is_no_csv_or_lacks_its_columns_is_named(tiny):
    folder = tiny("mimic_iv_ecg")
    (folder / "machine_measurements.csv").write_text("subject_id,study\n1,2\n")
    with pytest.raises(DataError, match=r"machine_measurements\.csv has no column 'study_id', 'report_0'"):
        read(folder)
    (folder / "machine_measurements.csv").write_text("")
    with pytest.raises(DataError, match=r"machine_measurements\.csv cannot be read as CSV"):
        read(folder)
