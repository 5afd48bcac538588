"""Specifics of each simulated layout: columns, folders, labels that follow the findings, deliberate defects."""

import hashlib

import numpy as np
import polars as pl
import pytest
from support.demo_corpora import RECORDS, SEED, contents, corpus, indexed, recordings

from cgdmer import datasets
from cgdmer import demo_corpora as simulated
from cgdmer.demo_corpora import cpsc2018, csn, drawing, mimic_iv_ecg, ptb_xl, scp
from cgdmer.errors import ConfigError
from cgdmer.settings import Corpus
from cgdmer.signals import LEADS
from cgdmer.simulator import FINDINGS, draw_cases


def test_mimic_iv_ecg_joins_reports_and_keeps_subjects_together():
    files = contents(corpus("mimic_iv_ecg"))
    listed = pl.read_csv(files["record_list.csv"])
    measured = pl.read_csv(files["machine_measurements.csv"], infer_schema_length=None)
    assert listed.columns == ["subject_id", "study_id", "file_name", "ecg_time", "path"]
    assert len(measured.columns) == 33
    assert listed["study_id"].n_unique() == RECORDS
    assert 1 < listed["subject_id"].value_counts()["count"].max() <= 4
    assert all(f"{path}.dat" in files for path in listed["path"])
    assert (measured["qrs_onset"] < measured["qrs_end"]).all()
    assert (measured["qrs_end"] < measured["t_end"]).all()
    head = files[f"{listed['path'][0]}.hea"].decode().splitlines()
    assert [line.split()[-1] for line in head[1:7]] == ["I", "II", "III", "aVR", "aVF", "aVL"]
    assert "200.0(0)/mV" in head[1]


def test_the_lead_order_of_mimic_iv_ecg_is_that_of_its_header():
    for member, record in list(recordings("mimic_iv_ecg", corpus("mimic_iv_ecg")).items())[:1]:
        study = int(member.rsplit("/", 1)[-1].removesuffix(".hea"))
        (entry,) = (e for e in drawing.entries(RECORDS, SEED, mimic_iv_ecg.STUDIES) if mimic_iv_ecg.study(e) == study)
        drawn = drawing.signal(entry.case, SEED, entry.number) / 1000
        for name, row in zip(record.leads, record.signal, strict=True):
            np.testing.assert_allclose(row, drawn[LEADS.index(name)], atol=0.0026)


def test_gaps_are_short_and_silent_records_rare(tmp_path):
    numbers = range(4000)
    gaps = [gap for number in numbers if (gap := mimic_iv_ecg.gap(SEED, number))]
    assert 8 < len(gaps) < 40
    assert all(5 <= gap.stop - gap.start <= 40 for gap in gaps)
    assert 20 < sum(mimic_iv_ecg.has_no_report(SEED, number) for number in numbers) < 70
    seed = next(
        seed
        for seed in range(10_000)
        if sum(mimic_iv_ecg.gap(seed, n) is not None for n in range(8)) == 1
        and any(mimic_iv_ecg.has_no_report(seed, n) for n in range(8))
    )
    path = tmp_path / "trapped.zip"
    simulated.write("mimic_iv_ecg", path, Corpus(records=8, seed=seed))
    missing = [int(np.isnan(record.signal).any(0).sum()) for record in recordings("mimic_iv_ecg", path).values()]
    gap = next(gap for number in range(8) if (gap := mimic_iv_ecg.gap(seed, number)))
    assert sorted(missing) == [0] * 7 + [gap.stop - gap.start]
    assert indexed("mimic_iv_ecg", path).facts["rows_with_enough_words"] == 8 - sum(
        mimic_iv_ecg.has_no_report(seed, number) for number in range(8)
    )


def test_ptb_xl_has_the_columns_folds_and_checksums_of_the_real_one():
    files = contents(corpus("ptb_xl"))
    table = pl.read_csv(files["ptbxl_database.csv"], infer_schema=False)
    assert len(table.columns) == 28
    assert table.group_by("patient_id").agg(pl.col("strat_fold").n_unique())["strat_fold"].to_list() == [1] * (
        table["patient_id"].n_unique()
    )
    assert table.group_by("patient_id").agg(pl.col("sex").n_unique())["sex"].max() == 1
    assert table["patient_id"].n_unique() < RECORDS
    assert set(table["strat_fold"]) == {str(fold) for fold in range(1, 11)}
    sums = dict(line.split(" ")[::-1] for line in files["SHA256SUMS.txt"].decode().splitlines())
    assert set(sums) == files.keys() - {"SHA256SUMS.txt"}
    assert all(hashlib.sha256(files[name]).hexdigest() == digest for name, digest in sums.items())
    assert not any(name.startswith("records100/") for name in files)
    german = table["report"].str.contains("ekg|rhythmus|vorhof|schrittmacher|tachykardie|bradykardie|infarkt").mean()
    assert 0.3 < german < 0.8


def test_ptb_xl_matches_the_real_tables(real):
    files = contents(corpus("ptb_xl"))
    published = (real / "ptbxl_database_full.csv").read_text().splitlines()[0].split(",")
    assert set(files["ptbxl_database.csv"].decode().splitlines()[0].split(",")) == set(published)
    theirs = pl.read_csv(real / "ptbxl" / "scp_statements.csv", infer_schema=False)
    ours = pl.read_csv(files["scp_statements.csv"], infer_schema=False)
    assert ours.columns == theirs.columns
    assert ours[:, :7].equals(theirs[:, :7])


def test_csn_matches_the_real_table(real):
    theirs = (real / "csn" / "ConditionNames_SNOMED-CT.csv").read_bytes()
    assert contents(corpus("csn"))["ConditionNames_SNOMED-CT.csv"] == theirs


def test_ptb_xl_labels_follow_the_findings_but_for_slips():
    statements = ptb_xl._statements()
    diagnostic = frozenset(row[0] for row in statements if row[2])
    table_codes = {row[0] for row in statements}
    assert {code for row in scp.CODES.values() for codes in row for code in codes.split()} <= table_codes
    assert set(scp.PLAUSIBLE) <= table_codes
    assert scp.CODES.keys() == set(FINDINGS)
    cases = draw_cases(SEED, 0, 1500)
    labels = [
        scp.likelihoods(case, diagnostic, drawing.stream(SEED, number, "ptb_xl labels"))
        for number, case in enumerate(cases)
    ]
    wrong = sum(("lbbb" in case.findings) != ("CLBBB" in codes) for case, codes in zip(cases, labels, strict=True))
    assert sum("lbbb" in case.findings for case in cases) > 30
    assert wrong < 5
    for codes in labels:
        assert all((value > 0) == (code in diagnostic) for code, value in codes.items())
    assert 0.25 < np.mean(["NORM" in codes for codes in labels]) < 0.55
    reachable = {code for row in scp.CODES.values() for codes in row for code in codes.split()}
    assert table_codes - reachable == {"TRIGU", "2AVB", "3AVB", "LPFB", "ANEUR", "EL", "IPMI", "INJIN", "INJIL"}


def test_cpsc2018_has_lengths_and_the_nine_classes():
    records = recordings("cpsc2018", corpus("cpsc2018"))
    lengths = [record.signal.shape[1] / 500 for record in records.values()]
    assert min(lengths) >= 6
    assert max(lengths) <= 60
    assert len(set(lengths)) > 8
    many = [cpsc2018.seconds(SEED, number) for number in range(2000)]
    assert np.mean([8 <= length <= 20 for length in many]) > 0.7
    result = indexed("cpsc2018", corpus("cpsc2018"))
    assert result.facts["records_without_class"]["records"] == 0
    assert 0.25 < result.frame["cpsc2018/NORM"].mean() < 0.55
    cases = [cpsc2018._case(SEED, number)[1] for number in range(RECORDS)]
    expected = ["atrial_fibrillation" in case.findings for case in cases]
    assert sum(expected) > 0
    assert np.abs(result.frame["cpsc2018/AFIB"].to_numpy() - np.array(expected)).sum() <= 2
    first = next(iter(records.values()))
    assert first.comments[0].strip("# ").startswith("Age: ")


def test_cpsc2018_refuses_more_records_than_it_can_number(tmp_path):
    with pytest.raises(ConfigError, match="10000 records"):
        simulated.write("cpsc2018", tmp_path / "x.zip", Corpus(records=10_000))
    assert list(tmp_path.iterdir()) == []


def test_csn_labels_follow_the_findings_and_lists_name_every_record():
    files = contents(corpus("csn"))
    assert files["RECORDS"] == b"WFDBRecords/01/010/\n"
    assert files["WFDBRecords/01/010/RECORDS"].decode().split() == [f"JS{n:05d}" for n in range(1, RECORDS + 1)]
    table_names = csn._snomed().keys() | csn.NOT_IN_TABLE.keys()
    assert {name for row in csn.CODES.values() for names in row for name in names.split()} <= table_names
    assert set(csn.PLAUSIBLE) <= table_names
    reachable = {name for row in csn.CODES.values() for names in row for name in names.split()} | {"ALS", "ARS"}
    exact = {"MI" if name.startswith("MI") else name for name in reachable}
    assert set(datasets.module("csn").CLASSES) - exact == {"CR", "CCR", "UW", "2AVB", "2AVB1", "JEB", "VEB"}
    result = indexed("csn", corpus("csn"))
    cases = draw_cases(SEED, 0, RECORDS)
    paced = sum("paced" in case.findings for case in cases)
    assert abs(result.facts["records_with_unknown_code"]["records"] - paced) <= 1
    column = result.frame["csn_exact/AFIB"]
    expected = [
        None if value is None else int("atrial_fibrillation" in case.findings)
        for value, case in zip(column, cases, strict=True)
    ]
    assert sum(filter(None, expected)) > 0
    assert column.to_list() == expected


def test_a_hundred_records_a_folder():
    assert csn._folder(99) == "WFDBRecords/01/010"
    assert csn._folder(100) == "WFDBRecords/01/011"
    assert csn._folder(1000) == "WFDBRecords/02/020"
    assert cpsc2018._folder(998) == "training/cpsc_2018/g1"
    assert cpsc2018._folder(999) == "training/cpsc_2018/g2"
