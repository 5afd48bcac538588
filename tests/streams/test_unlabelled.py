"""Recordings without report: a fixed share of each batch, spread over its parts, and marked."""

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import paths
from cgdmer.errors import DataError
from cgdmer.models import tokens
from cgdmer.objectives.targets import AMPLITUDES
from cgdmer.shards import open_shards
from cgdmer.streams import amplitudes
from cgdmer.streams.unlabelled import Mixed, MixedPlan, Recordings, read_recordings, spread
from cgdmer.training.records import Order, Records, split_micro_batches

FIRST = 96


def recordings(count=10):
    draw = np.random.default_rng(3)
    signal = draw.integers(-500, 500, (count, 12, 200)).astype(np.int16)
    valid, missing = np.full(count, 200, np.int32), np.zeros((count, 12), bool)
    valid[2], missing[4, 7] = 120, True
    signal[2, :, 120:] = 0
    return Recordings(signal, valid, missing)


@pytest.fixture
def mixed(tmp_path):
    example.write(tmp_path)
    shards = open_shards(tmp_path / paths.shards("mimic_iv_ecg"))
    tokenizer = tokens.train(shards.reports()[0], 128, 16)
    source = Records(shards, np.arange(FIRST), tokenizer, statements=True)
    return Mixed(source, recordings(), FIRST, tokenizer, 50.0), source


def test_rows_keep_their_places_and_say_whether_they_have_a_report(mixed):
    mixed, source = mixed
    positions = np.array([FIRST + 4, 8, FIRST + 1, 1, 0])
    batch = mixed(positions)
    labelled = source(np.array([8, 1, 0]))
    assert batch["has_report"].tolist() == [False, True, False, True, True]
    assert batch["row"].tolist() == positions.tolist()
    kept = batch["has_report"]
    for name in ("signal", "valid", "missing", "tokens", "report", "stated"):
        assert torch.equal(batch[name][kept], labelled[name])
    assert torch.equal(batch["statement_tokens"], labelled["statement_tokens"])
    assert np.array_equal(batch["signal"][0], recordings().signal[4])
    assert batch["missing"][0].tolist() == [lead == 7 for lead in range(12)]
    assert not batch["stated"][~kept].any()
    assert len(set(batch["report"][~kept].tolist())) == 2
    assert not batch["full"]


def test_a_part_without_reports_still_gets_the_statements_of_its_step(mixed):
    mixed, source = mixed
    step = np.array([FIRST, FIRST + 1, 3, 5])
    part = mixed(step[:2], step)
    assert part["has_report"].tolist() == [False, False]
    assert torch.equal(part["statement_tokens"], source(step[2:])["statement_tokens"])
    assert part["stated"].shape == (2, len(part["statement_tokens"]))


def test_a_step_without_recordings_is_that_of_the_source(mixed):
    mixed, source = mixed
    batch, expected = mixed(np.arange(4)), source(np.arange(4))
    assert batch.keys() == expected.keys()
    assert torch.equal(batch["signal"], expected["signal"])


def test_each_batch_has_its_share_and_each_recording_comes_before_any_comes_again():
    plan = MixedPlan(Order(42, 14, 0), recordings=10, count=2, first=FIRST, seed=0)
    shown = [plan(step) for step in range(5)]
    assert all((positions >= FIRST).sum() == 2 for positions in shown)
    others = np.concatenate([positions[positions >= FIRST] for positions in shown])
    assert sorted(others) == list(range(FIRST, FIRST + 10))
    assert plan.steps == 3
    assert len(plan.largest(0)) == 16


def test_recordings_are_spread_over_the_parts_of_a_batch():
    positions = spread(np.arange(28), FIRST + np.arange(4))
    parts = [rank for micro, _ in split_micro_batches(positions, 2, 2) for rank in micro]
    assert [int((part >= FIRST).sum()) for part in parts] == [1, 1, 1, 1]
    assert np.array_equal(positions[positions < FIRST], np.arange(28))


def test_files_are_read_one_after_another_and_a_damaged_one_is_refused(tmp_path):
    recordings(6).write(tmp_path / "a.npz")
    recordings(5).write(tmp_path / "b.npz")
    both = read_recordings([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert len(both) == 11
    assert np.array_equal(both.signal[6:], recordings(5).signal)
    (tmp_path / "b.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-50])
    with pytest.raises(DataError, match=r"b\.npz cannot be read"):
        read_recordings([tmp_path / "b.npz"])


def test_amplitudes_of_recordings_are_measured_on_them(mixed):
    mixed, source = mixed
    plain = source(np.array([8]))
    like = plain | {"amplitudes": torch.zeros(1, len(AMPLITUDES))}
    fields = mixed._without_report(np.array([FIRST + 4]), like)
    expected = amplitudes.measure(recordings().signal[4], recordings().missing[4], 50.0)
    assert np.array_equal(fields["amplitudes"][0].numpy(), expected, equal_nan=True)
