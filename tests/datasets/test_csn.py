"""CSN: the substring rule against all 23,026 published rows, the exact rule, and real headers."""

import polars as pl
import pytest

from cgdmer import protocol as published
from cgdmer import tables
from cgdmer.archives import open_archive
from cgdmer.datasets import csn
from cgdmer.settings import Corpus, Index

EXACT = {
    "VB": (916, 3, 169, 0),
    "AVB": (913, 176, 169, 39),
    "AF": (4753, 3340, 987, 690),
    "ST": (6338, 5154, 1281, 1030),
    "SA": (2828, 2107, 536, 395),
    "CR": (216, 75, 50, 12),
    "2AVB": (38, 22, 4, 3),
}
"""Published and exact positives, all splits then test (docs/protocols.md A.5); the other 31 columns are exact."""


def read(folder, protocol=None, **settings):
    archive = csn.find(open_archive(folder))
    return csn.read_index(archive, corpus=Corpus(**settings), index=Index(), protocol=protocol)


@pytest.fixture(scope="module")
def rebuilt(protocol):
    """Published rows with both tasks' labels computed from their own `diagnose` column."""
    parts = [
        pl.read_csv(protocol / f"{published.TABLES['csn']}_{split}.csv", infer_schema=False) for split in tables.SPLITS
    ]
    diagnoses = pl.concat(part.select("diagnose") for part in parts)["diagnose"]
    table = published.split_table(protocol, "csn").with_columns(acronyms=diagnoses.str.split(","))
    return csn.with_tasks(table)


def test_the_substring_rule_gives_every_published_row_and_column(rebuilt):
    assert rebuilt.height == 23026
    assert tables.members(rebuilt, "csn").height == 23026
    assert published.class_names(rebuilt)[: len(csn.CLASSES)] == list(csn.CLASSES)
    for name in csn.CLASSES:
        assert rebuilt[f"csn/{name}"].to_list() == rebuilt[name].to_list(), name


def test_exact_acronyms_differ_in_seven_columns_only(rebuilt):
    test = rebuilt.filter(split="test")
    for name in csn.CLASSES:
        counts = [int(f[f"{task}/{name}"].sum()) for f in (rebuilt, test) for task in ("csn", "csn_exact")]
        if name in EXACT:
            assert tuple(counts) == EXACT[name], name
        else:
            assert counts[0] == counts[1], name
            assert rebuilt[f"csn/{name}"].to_list() == rebuilt[f"csn_exact/{name}"].to_list()


def test_both_tasks_have_the_same_records(rebuilt):
    assert tables.members(rebuilt, "csn_exact").height == 23026


@pytest.mark.real
def test_the_real_subset(real, protocol):
    indexed = read(real / "csn", protocol)
    assert indexed.frame.height == 63
    tables.check_invariants(indexed.frame, "csn")
    split = indexed.facts["split"]
    assert (split["kind"], split["published_coverage"], split["unassigned"]) == ("published", 1.0, 34)
    assert indexed.facts["records_with_unknown_code"]["records"] == 26
    table = published.split_table(protocol, "csn")
    both = indexed.frame.join(table, on="id", suffix="_published")
    assert both.height == tables.members(indexed.frame, "csn").height == 29
    assert both["split"].to_list() == both["split_published"].to_list()
    differing = {
        (row["id"], name)
        for row in both.iter_rows(named=True)
        for name in csn.CLASSES
        if row[f"csn/{name}"] != row[name]
    }
    assert differing == {("JS00005", name) for name in ("1AVB", "AVB", "VB")}, "only its header names 1AVB"
    assert indexed.facts["published_labels"]["csn"] == {"compared": 29, "differing": 1, "first": ["JS00005"]}


def test_rules_on_a_tiny_corpus(tiny):
    indexed = read(tiny("csn"))
    rows = {row["id"]: row for row in indexed.frame.iter_rows(named=True)}
    assert (rows["JS00001"]["csn/AF"], rows["JS00001"]["csn_exact/AF"]) == (1, 0), "AFIB holds AF"
    assert (rows["JS00001"]["csn/AVB"], rows["JS00001"]["csn_exact/AVB"]) == (1, 0), "1AVB holds AVB"
    assert (rows["JS00005"]["csn/SA"], rows["JS00005"]["csn_exact/SA"]) == (1, 0), "LVQRSAL holds SA"
    assert rows["JS00005"]["csn_exact/AF"] == 1
    assert rows["JS00002"]["csn/SR"] is None, "SB alone is not published"
    assert rows["JS00003"]["csn/SR"] is None, "one unknown code takes the record out of both tasks"
    assert rows["JS00004"]["csn/SR"] == 0, "SB,VPE is published without a positive label"
    assert indexed.facts["unknown_codes"] == {"99": 1}
    assert indexed.facts["records_with_unknown_code"] == {"records": 1, "first": ["JS00003"]}
    assert rows["JS00001"]["age"] is None
    assert rows["JS00001"]["sex"] == "female"


def test_of_several_acronyms_with_one_code_the_first_is_used(tiny):
    names = csn.condition_names(open_archive(tiny("csn")))
    assert names["698252002"] == "IDC"


def test_the_column_may_be_spelt_with_a_space(tiny):
    folder = tiny("csn")
    robustness = folder / csn.CONDITIONS
    robustness.write_text(robustness.read_text().replace("AcronymName", "Acronym Name").removeprefix("\ufeff"))
    assert csn.condition_names(open_archive(folder))["270492004"] == "1AVB"


def test_a_header_without_diagnosis_is_indexed_and_in_no_task(tiny, write_record):
    folder = tiny("csn")
    write_record(folder, "WFDBRecords/02/020/JS00009", suffix=".mat")
    indexed = read(folder)
    assert indexed.frame.filter(id="JS00009")["csn/SR"].to_list() == [None]
