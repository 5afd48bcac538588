"""CPSC2018 in both layouts: classes from SNOMED codes and from REFERENCE.csv, against the published table."""

import polars as pl
import pytest
from scipy.io import savemat

from cgdmer import protocol as published
from cgdmer import tables
from cgdmer.archives import open_archive
from cgdmer.datasets import cpsc2018, metadata
from cgdmer.errors import DataError
from cgdmer.settings import Corpus, Index

POSITIVES = {
    "AFIB": (873, 98, 250),
    "VPC": (501, 56, 143),
    "NORM": (649, 85, 184),
    "1AVB": (504, 63, 155),
    "CRBBB": (1359, 141, 357),
    "STE": (170, 12, 38),
    "PAC": (442, 54, 120),
    "CLBBB": (172, 15, 49),
    "STD": (644, 63, 162),
}
"""docs/protocols.md A.4, train/val/test."""


def read(folder, protocol=None, **settings):
    archive = cpsc2018.find(open_archive(folder))
    return cpsc2018.read_index(archive, corpus=Corpus(**settings), index=Index(), protocol=protocol)


@pytest.mark.real
def test_reference_gives_the_published_counts_and_labels(real, protocol):
    archive = open_archive(real / "cpsc2018_original/TrainingSet")
    reference = metadata.table(archive, "REFERENCE.csv", ("Recording", *cpsc2018.REFERENCE_LABELS))
    names = cpsc2018.reference_names(reference)
    table = published.split_table(protocol, "cpsc2018").join(names, on="id", how="left")
    assert names.height == table.height == 6877
    for place, split in enumerate(tables.SPLITS):
        part = table.filter(split=split)
        assert {name: int(part["reference"].list.contains(name).sum()) for name in POSITIVES} == {
            name: counts[place] for name, counts in POSITIVES.items()
        }
    for name in POSITIVES:
        assert table["reference"].list.contains(name).cast(pl.UInt8).to_list() == table[name].to_list()
    multi = table.filter(pl.col("reference").list.n_unique() > 1)
    assert [multi.filter(split=split).height for split in tables.SPLITS] == [360, 36, 80]


@pytest.mark.real
@pytest.mark.parametrize(("folder", "records"), [("cpsc2018", 15), ("cpsc2018_original", 10)])
def test_the_real_subsets_in_either_layout(real, protocol, folder, records):
    indexed = read(real / folder, protocol)
    assert indexed.frame.height == records
    assert indexed.quarantine.is_empty()
    tables.check_invariants(indexed.frame, "cpsc2018")
    assert indexed.facts["split"]["kind"] == "published"
    assert indexed.facts["published_labels"]["cpsc2018"] == {"compared": records, "differing": 0, "first": []}
    assert indexed.frame["samples"].min() >= 5000
    assert indexed.frame["age"].is_not_null().all()
    assert set(indexed.frame["sex"]) <= {"male", "female"}


@pytest.mark.real
def test_the_two_layouts_agree_on_the_code_of_every_class(real):
    archive = open_archive(real / "cpsc2018_original/TrainingSet")
    reference = metadata.table(archive, "REFERENCE.csv", ("Recording", *cpsc2018.REFERENCE_LABELS))
    challenge = read(real / "cpsc2018").frame.join(cpsc2018.reference_names(reference), on="id")
    for name in cpsc2018.TASKS["cpsc2018"]:
        assert (
            challenge[f"cpsc2018/{name}"].cast(bool).to_list() == challenge["reference"].list.contains(name).to_list()
        )


def test_codes_beyond_the_nine_are_counted_and_do_not_remove_the_record(tiny):
    indexed = read(tiny("cpsc2018"))
    row = indexed.frame.filter(id="A0900").row(0, named=True)
    assert row["cpsc2018/AFIB"] == 1
    assert indexed.facts["codes_without_class"] == {"12345": 1}
    assert (row["age"], row["sex"], row["report"], row["patient"]) == (74.0, "male", "", "A0900")
    assert indexed.frame["member"].to_list() == ["g1/A0001.hea", "g1/A0002.hea", "g2/A0900.hea"]


def test_a_flat_folder_is_the_same_corpus(tiny, tmp_path):
    folder, flat = tiny("cpsc2018"), tmp_path / "flat"
    flat.mkdir()
    for file in folder.rglob("A*"):
        (flat / file.name).write_bytes(file.read_bytes())
    nested, moved = read(folder).frame, read(flat).frame
    assert moved.drop("member").equals(nested.drop("member"))


def test_a_record_of_none_of_the_nine_is_indexed_and_in_no_task(tiny):
    folder = tiny("cpsc2018")
    header = folder / "training/cpsc_2018/g1/A0001.hea"
    header.write_text(header.read_text().replace("59118001", "Unknown"))
    indexed = read(folder)
    assert indexed.frame.filter(id="A0001")["cpsc2018/NORM"].to_list() == [None]
    assert indexed.facts["records_without_class"] == {"records": 1, "first": ["A0001"]}
    assert tables.members(indexed.frame, "cpsc2018").height == 2


@pytest.mark.real
def test_a_folder_with_other_databases_is_not_the_corpus(real):
    with pytest.raises(DataError, match=r"among others, for example .*\.(hea|mat|dat)"):
        cpsc2018.find(open_archive(real))


def test_records_of_another_database_are_never_taken(tiny, write_record, tmp_path):
    folder = tiny("cpsc2018")
    for other in ("georgia/g1/E00001", "cpsc_2018_extra/g1/Q0001", "ptb-xl/g1/HR00001"):
        write_record(folder, f"training/{other}", comments=("Dx: 164889003",), suffix=".mat")
    assert cpsc2018.find(open_archive(folder)).prefix == "training/cpsc_2018/"
    assert read(folder).frame["id"].to_list() == ["A0001", "A0002", "A0900"]
    write_record(folder, "training/cpsc_2018/E00002", suffix=".mat")
    with pytest.raises(DataError, match=r"in training/cpsc_2018, among others, for example .*E00002"):
        cpsc2018.find(open_archive(folder))


def test_two_copies_are_refused(tiny):
    folder = tiny("cpsc2018")
    (folder / "copy").mkdir()
    for file in folder.rglob("A0001.*"):
        (folder / "copy" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(DataError, match="more than once: copy, training/cpsc_2018"):
        cpsc2018.find(open_archive(folder))


def test_the_reference_may_lie_beside_the_folders_of_the_records(tmp_path):
    for name in ("TrainingSet1", "TrainingSet2"):
        (tmp_path / name).mkdir()
    original(tmp_path / "TrainingSet1", ["A0001"])
    (tmp_path / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\nA0001,5,,\nA0002,1,,\n")
    assert read(tmp_path).frame["member"].to_list() == ["TrainingSet1/A0001.mat"]
    original(tmp_path / "TrainingSet2", ["A0002"])
    assert read(tmp_path).frame["member"].to_list() == ["TrainingSet1/A0001.mat", "TrainingSet2/A0002.mat"]


def original(folder, names):
    import numpy as np

    for name in names:
        signal = np.zeros((12, 40))
        savemat(folder / f"{name}.mat", {"ECG": {"sex": "Female", "age": 52, "data": signal}})


def test_original_structs_need_their_reference(tmp_path):
    original(tmp_path, ["A0001", "A0002"])
    with pytest.raises(DataError, match=r"REFERENCE\.csv with their labels is missing"):
        read(tmp_path)
    (tmp_path / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\nA0001,5,8,\nA0002,1.0,,\n")
    indexed = read(tmp_path, splits="hash")
    rows = {row["id"]: row for row in indexed.frame.iter_rows(named=True)}
    assert (rows["A0001"]["cpsc2018/CRBBB"], rows["A0001"]["cpsc2018/STD"], rows["A0001"]["cpsc2018/NORM"]) == (1, 1, 0)
    assert rows["A0002"]["cpsc2018/NORM"] == 1
    assert (rows["A0002"]["sex"], rows["A0002"]["age"], rows["A0002"]["samples"]) == ("female", 52.0, 40)


def test_the_same_record_in_both_layouts_is_refused(tiny):
    folder = tiny("cpsc2018")
    original(folder, ["A0001"])
    (folder / "REFERENCE.csv").write_text("Recording,First_label,Second_label,Third_label\nA0001,5,,\n")
    with pytest.raises(DataError, match=r"more than once: \., training/cpsc_2018"):
        read(folder)
