"""A batch holds the right signals, reports and flags, in the shapes and dtypes a model is promised."""

import numpy as np
import pytest
import torch
from support.shard_folder import write_folder

from cgdmer.errors import ConfigError
from cgdmer.shards import open_shards
from cgdmer.shards.batches import Pairs, collate, lead_flags


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("shards") / "csn"
    return path, write_folder(path, [6, 10])


@pytest.fixture(scope="module")
def pairs(folder):
    shards = open_shards(folder[0])
    distinct, report_of_row = shards.reports()
    tokens = np.arange(len(distinct) * 4).reshape(-1, 4)
    return Pairs(shards, np.flatnonzero(shards.rows["report"] != ""), tokens, report_of_row)


def test_shapes_and_dtypes(pairs):
    batch = pairs.__getitems__([0, 3, 1])
    assert {name: (tuple(value.shape), value.dtype) for name, value in batch.items()} == {
        "signal": ((3, 12, 100), torch.int16),
        "valid": ((3,), torch.int32),
        "missing": ((3, 12), torch.bool),
        "tokens": ((3, 4), torch.int32),
        "row": ((3,), torch.int64),
    }


def test_everything_in_a_batch_is_of_its_row(folder, pairs):
    batch = pairs.__getitems__([9, 0, 4, 4])
    rows = batch["row"].numpy()
    assert rows.tolist() == pairs.rows[[9, 0, 4, 4]].tolist()
    assert (batch["signal"].numpy() == folder[1][rows]).all()
    report_of_row = pairs.shards.reports()[1]
    assert (batch["tokens"][:, 0] // 4).tolist() == report_of_row[rows].tolist()
    assert batch["missing"][:, 11].tolist() == (rows % 2 == 1).tolist()
    assert not batch["missing"][:, :11].any()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_loader_gives_the_same_whatever_its_workers(pairs, workers):
    context = "forkserver" if workers else None  # a fork of this process, in which other tests left threads, may fail
    loader = torch.utils.data.DataLoader(
        pairs, batch_size=4, collate_fn=collate, num_workers=workers, multiprocessing_context=context
    )
    rows = torch.cat([batch["row"] for batch in loader])
    assert rows.tolist() == pairs.rows.tolist()
    lists = torch.utils.data.DataLoader(
        pairs, batch_size=None, sampler=[[3, 1], [2]], num_workers=workers, multiprocessing_context=context
    )
    assert [batch["row"].tolist() for batch in lists] == [pairs.rows[[3, 1]].tolist(), pairs.rows[[2]].tolist()]


def test_one_position_is_a_batch_of_one(pairs):
    assert pairs[2]["signal"].shape == (1, 12, 100)
    assert len(pairs) == 10


def test_reports_of_other_rows_are_refused(pairs):
    with pytest.raises(ConfigError, match="15 reports for 16 rows"):
        Pairs(pairs.shards, pairs.rows, pairs.tokens, pairs.report[:-1])


def test_lead_flags_are_the_bits():
    mask = np.array([0, 1, 0b100000000010], dtype=np.uint16)
    assert [np.flatnonzero(row).tolist() for row in lead_flags(mask)] == [[], [0], [1, 11]]
