"""The published tables: counts of docs/protocols.md A.3 to A.5, labels by name, and only the pinned bytes."""

import shutil

import polars as pl
import pytest

from cgdmer import protocol as published
from cgdmer.errors import DataError

ROWS = {
    "ptb_xl_super": (17084, 2146, 2158, 5),
    "ptb_xl_sub": (17084, 2146, 2158, 23),
    "ptb_xl_form": (7197, 901, 880, 19),
    "ptb_xl_rhythm": (16832, 2100, 2098, 12),
    "cpsc2018": (4950, 551, 1376, 9),
    "csn": (16546, 1860, 4620, 38),
}
"""Records in train, val and test, and number of classes (docs/protocols.md A.3.2, A.4, A.5)."""


@pytest.mark.parametrize("name", published.TABLES)
def test_tables_have_the_published_sizes(protocol, name):
    table = published.split_table(protocol, name)
    counts = dict(table["split"].value_counts().iter_rows())
    assert (counts["train"], counts["val"], counts["test"], len(published.class_names(table))) == ROWS[name]
    assert not table["id"].is_duplicated().any()
    assert not table["id"].null_count()


def test_sub_classes_are_joined_by_name_although_the_tables_disagree(protocol):
    table = published.split_table(protocol, "ptb_xl_sub")
    sums = {c: [table.filter(split=s)[c].sum() for s in ("train", "val", "test")] for c in ("AVB", "RAO/RAE", "ISC")}
    assert sums == {"AVB": [658, 83, 82], "RAO/RAE": [79, 10, 10], "ISC": [1019, 125, 128]}


def test_rows_stay_in_csv_order_and_keys_are_as_published(protocol):
    assert published.split_table(protocol, "cpsc2018")["id"].head(2).to_list() == ["A4898", "A6279"]
    assert published.published_keys(protocol, "cpsc2018", "train")[:2] == ["6370", "6255"]
    assert published.published_keys(protocol, "csn", "test")[0] == "/chapman/WFDBRecords/18/186/JS18048.mat"


def test_the_real_folder_verifies_and_a_changed_or_missing_file_does_not(protocol, tmp_path):
    published.verify(protocol)
    copy = tmp_path / "protocol"
    for path in published.PUBLISHED:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(protocol / path, copy / path)
    assert published.available(copy)
    prompts = published.prompts_path(copy)
    prompts.write_bytes(prompts.read_bytes() + b" ")
    with pytest.raises(DataError, match="sha256 differs"):
        published.verify(copy)
    prompts.unlink()
    assert not published.available(copy)
    with pytest.raises(DataError, match="missing"):
        published.prompts_path(copy)


def test_an_unknown_table_names_the_near_miss(tmp_path):
    with pytest.raises(DataError, match="did you mean 'cpsc2018'"):
        published.split_table(tmp_path, "cpsc_2018")


def test_every_file_has_an_address_in_the_public_repository():
    assert len(published.PUBLISHED) == 19
    addresses = {published.upstream(path) for path in published.PUBLISHED}
    assert len(addresses) == 19
    assert "finetune/data_split/icbeb/icbeb_test.csv" in addresses
    assert "zeroshot/CKEPE_prompt.json" in addresses


def test_labels_of_two_tasks_agree_on_their_shared_class(protocol):
    """NST is a class of both Sub and Form, so a record has it in both tables or in neither."""
    sub, form = (published.split_table(protocol, f"ptb_xl_{task}").select("id", "NST") for task in ("sub", "form"))
    both = sub.join(form, on="id", suffix="_form")
    assert both.filter(pl.col("NST") != pl.col("NST_form")).is_empty()
