"""Order and batches: every record once per epoch, split without remainder, whatever fetches them."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from support import example_pool as example

from cgdmer import paths
from cgdmer.errors import DataError
from cgdmer.models import tokens
from cgdmer.shards import open_shards
from cgdmer.training.records import Order, Records, mix_seed, prefetch, split_micro_batches


@limits(max_examples=60)
@given(records=st.integers(2, 300), batch=st.integers(2, 80), seed=st.integers(0, 9))
def test_an_epoch_shows_every_record_once_in_even_batches(records, batch, seed):
    order = Order(records, batch, seed)
    shown = [order(step) for step in range(order.steps)]
    assert sorted(np.concatenate(shown)) == list(range(records))
    sizes = {len(positions) for positions in shown}
    assert max(sizes) <= batch
    assert max(sizes) - min(sizes) <= 1


def test_order_changes_by_epoch_and_seed_and_nothing_else():
    order = Order(50, 10, 1)
    assert np.array_equal(order(7), Order(50, 10, 1)(7))
    assert not np.array_equal(order(0), order(order.steps))
    assert not np.array_equal(order(0), Order(50, 10, 2)(0))


def test_one_record_cannot_be_contrasted():
    with pytest.raises(DataError, match="at least 2"):
        Order(1, 8, 0)


@limits(max_examples=60)
@given(records=st.integers(8, 200), accumulate=st.integers(1, 4), ranks=st.integers(1, 5))
def test_micro_batches_cover_the_batch_and_their_weights_sum_to_one(records, accumulate, ranks):
    split = split_micro_batches(np.arange(records), accumulate, ranks)
    assert sorted(np.concatenate([rank for micro, _ in split for rank in micro])) == list(range(records))
    assert sum(weight for _, weight in split) == pytest.approx(1)
    assert all(len(rank) for micro, _ in split for rank in micro)


def test_fewer_records_than_processes_are_refused():
    with pytest.raises(DataError, match="3 records for 4 processes"):
        split_micro_batches(np.arange(3), 1, 4)


@pytest.mark.parametrize("workers", [1, 3])
def test_prefetch_keeps_the_order_however_long_each_takes(workers):
    draw = np.random.default_rng(0).uniform(0, 0.004, 20)

    def fetch(step):
        time.sleep(draw[step])
        return step

    assert [value for value, _ in prefetch(fetch, range(3, 20), workers)] == list(range(3, 20))


def test_prefetch_hands_on_what_went_wrong():
    def fetch(step):
        raise DataError(f"step {step}")

    with pytest.raises(DataError, match="step 0"):
        list(prefetch(fetch, range(3), 2))


def test_records_hold_together_signal_report_and_row(tmp_path):
    example.write(tmp_path)
    shards = open_shards(tmp_path / paths.shards("mimic_iv_ecg"))
    microvolt, reports, _ = example.signals(96)
    rows = np.arange(0, 96, 2)
    tokenizer = tokens.train(reports, 128, 16)
    records = Records(shards, rows, tokenizer)
    batch = records(np.array([5, 0, 3]))
    assert batch["row"].tolist() == [10, 0, 6]
    assert np.array_equal(batch["signal"][0].numpy(), microvolt[10])
    chosen = [reports[row] for row in (10, 0, 6)]
    assert np.array_equal(batch["tokens"].numpy(), tokenizer(chosen))
    same = batch["report"][:, None] == batch["report"]
    assert same.tolist() == [[a == b for b in chosen] for a in chosen]
    assert not batch["full"]
    assert batch["valid"].tolist() == [200, 200, 100]
    assert records(np.array([0, 1]))["full"]


def test_a_lead_of_zeros_counts_as_missing(tmp_path):
    example.write(tmp_path)
    shards = open_shards(tmp_path / paths.shards("mimic_iv_ecg"))
    gather = shards.gather
    shards.gather = lambda rows: gather(rows) * (np.arange(12) != 4).astype(np.int16)[:, None]
    batch = Records(shards, np.arange(4), None)(np.arange(2))
    assert batch["missing"].tolist() == [[lead == 4 for lead in range(12)]] * 2
    assert not batch["full"]


def test_seeds_differ_in_every_part():
    seeds = {mix_seed(seed, name, step) for seed in range(3) for name in ("a", "b") for step in range(50)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_few_widths_add_padding_and_nothing_else(tmp_path):
    example.write(tmp_path)
    shards = open_shards(tmp_path / paths.shards("mimic_iv_ecg"))
    tokenizer = tokens.train(example.signals(96)[1], 128, 48)
    plain, few = (Records(shards, np.arange(96), tokenizer, few_widths=on) for on in (False, True))
    widths = set()
    for position in range(96):
        one, other = plain(np.array([position])), few(np.array([position]))
        width = one["tokens"].shape[1]
        widths.add(other["tokens"].shape[1])
        assert torch.equal(one["tokens"], other["tokens"][:, :width])
        assert (other["tokens"][:, width:] == tokenizer.pad).all()
        assert all(torch.equal(one[name], other[name]) for name in ("signal", "report", "row"))
    assert widths <= {16, 32, 48}
