"""Splits: published if it covers the corpus, else hashed; a patient is always in one split."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer import tables
from cgdmer.datasets import splits
from cgdmer.errors import ConfigError
from cgdmer.settings import Corpus, Index


def frame(count):
    return pl.DataFrame({"id": [str(n) for n in range(count)], "patient": [f"p{n // 2}" for n in range(count)]})


def named(count):
    return pl.DataFrame(
        {"id": [str(n) for n in range(count)], "split": ["train", "val", "test", "train"] * (count // 4)}
    )


@pytest.mark.parametrize(
    ("asked", "records", "kind", "unassigned"),
    [("auto", 40, "published", 0), ("auto", 44, "published", 4), ("auto", 45, "hash", 0), ("hash", 40, "hash", 0),
     ("published", 80, "published", 40)],
)  # fmt: skip
def test_which_split_is_used(asked, records, kind, unassigned):
    table, facts = splits.assign(frame(records), named(40), "ptb_xl", Corpus(splits=asked), Index())
    assert (facts["kind"], facts["unassigned"]) == (kind, unassigned)
    assert sum(facts[name] for name in (*tables.SPLITS, "unassigned")) == records
    assert facts["published_coverage"] == round(40 / records, 4)
    assert set(table["split"]) <= {*tables.SPLITS, tables.UNASSIGNED}


def test_coverage_counts_only_the_records_that_are_asked_for():
    expected = pl.col("id").cast(pl.Int64) < 40
    _, facts = splits.assign(frame(400), named(40), "csn", Corpus(), Index(), expected=expected)
    assert (facts["kind"], facts["unassigned"]) == ("published", 360)


def test_a_published_split_that_is_not_here_is_asked_for_in_vain():
    with pytest.raises(ConfigError, match="the published split of cpsc2018 is not in data/raw/protocol") as caught:
        splits.assign(frame(4), None, "cpsc2018", Corpus(splits="published"), Index())
    for part in ("protocol.way: download", "CGDMER_PROTOCOL_ROOT", "corpora.cpsc2018.splits: hash"):
        assert part in str(caught.value)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=40), st.integers(0, 2**31))
def test_a_patient_has_one_split_in_every_subset(patients, seed):
    index = Index(hash_seed=seed)
    whole = splits.by_hash(pl.Series(patients), index)
    assert pl.DataFrame({"p": patients, "s": whole}).group_by("p").agg(pl.col("s").n_unique())["s"].max() == 1
    half = splits.by_hash(pl.Series(patients[::2]), index)
    assert half.to_list() == whole.to_list()[::2]


def test_fractions_and_seed_decide():
    patients = pl.Series([f"p{n}" for n in range(4000)])
    first = splits.by_hash(patients, Index(hash_seed=1))
    shares = {name: float((first == name).mean()) for name in tables.SPLITS}
    assert shares["test"] == pytest.approx(0.2, abs=0.025)
    assert shares["val"] == pytest.approx(0.1, abs=0.02)
    assert (splits.by_hash(patients, Index(hash_seed=2)) != first).mean() > 0.3


def test_the_hash_is_the_same_on_every_machine():
    assert splits.by_hash(pl.Series(["a", "b", "c", "d", "e", "f"]), Index()).to_list() == [
        "train", "train", "val", "train", "train", "test",
    ]  # fmt: skip
