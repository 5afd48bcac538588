import polars as pl
from support.example_source import index, rows

from cgdmer.validation.facts import facts, repeated
from cgdmer.validation.frames import label_totals, published, why_not_comparable


def test_facts_count_what_is_there():
    frame = index()
    result = facts(frame, rows(frame), {"split": {"kind": "hash"}})
    assert result["splits"] == {"test": 12, "train": 36, "val": 12}
    assert result["patients"] == 30
    assert result["sexes"] == {"female": 20, "male": 20, "unknown": 20}
    assert result["labels"]["ptb_xl_super"] == {"CD": 12, "HYP": 12, "MI": 12, "NORM": 12, "STTC": 12}
    assert result["reports"]["present"] == 60
    assert result["reports"]["distinct"] == 40
    assert result["reports"]["repeating"] == 40
    assert result["reports"]["frequent"][0] == ["sinus rhythm number 0 & <normal>", 2]
    assert result["signal"]["copied"] == 0


def test_repeated_signals_come_in_groups():
    frame = rows(index(4)).with_columns(signal_digest=pl.Series(["a", "b", "a", "c"]))
    assert repeated(frame) == [["0", "2"]]


def test_published_counts_are_those_of_the_protocol():
    counts = {(task, split, name): n for task, split, name, n in published().iter_rows()}
    assert [counts[("ptb_xl_super", split, "")] for split in ("train", "val", "test")] == [17084, 2146, 2158]
    assert [counts[("ptb_xl_form", split, "")] for split in ("train", "val", "test")] == [7197, 901, 880]
    assert counts[("cpsc2018", "train", "AFIB")] == 873


def test_counts_apply_to_the_whole_corpus_with_its_published_split_alone():
    frame = pl.DataFrame({"id": ["x"]})
    assert "holds 1 of the 21,799" in why_not_comparable(frame, "ptb_xl", "published")
    whole = pl.DataFrame({"id": pl.int_range(6877, eager=True)})
    assert why_not_comparable(whole, "cpsc2018", "published") == ""
    assert "hash" in why_not_comparable(whole, "cpsc2018", "hash")
    assert why_not_comparable(whole, "mimic_iv_ecg", "hash") == "no counts are published"


def test_label_totals_hold_each_class_against_its_count():
    table = label_totals(index(), "ptb_xl_super")
    counts = {name: (observed, expected) for name, observed, expected in table.iter_rows()}
    assert counts["records in train"] == ("36", "17084")
    assert counts["MI in test"][0].isdigit()
