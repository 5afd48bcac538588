"""The stream: a record depends on its number alone, work stays bounded, ranks share it, and errors name the record."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import report_text, settings
from cgdmer.distributed import World
from cgdmer.errors import DataError
from cgdmer.models import tokens
from cgdmer.objectives.targets import MEASUREMENTS
from cgdmer.signals import LEADS, canonical
from cgdmer.simulator import draw_cases, report_lines, simulate
from cgdmer.streams import SlidingPlan, blocks, draw_reference, open_stream, reference
from cgdmer.streams import stream as stream_module
from cgdmer.streams.blocks import Key, read_block, simulate_block

SIMULATED = settings.Simulated(records=512, seed=5, pool=256, passes=2)
PLAN = SlidingPlan(SIMULATED, batch=16, seed=1, epochs=2)
REFERENCE = draw_reference(SIMULATED, 400)
TOKENIZER = tokens.train(REFERENCE.reports, 200, 64)
ALONE = World(0, 1, torch.device("cpu"))


@contextmanager
def opened(folder, plan=PLAN, world=ALONE):
    with open_stream(plan, example.SIGNAL, TOKENIZER, REFERENCE, folder, world, statements=True) as stream:
        yield stream


@pytest.fixture(scope="module")
def stream(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("stream")) as stream:
        yield stream


def test_a_record_is_the_simulated_one_of_its_number(stream):
    numbers = np.array([3, 70, 200])
    batch = stream(numbers)
    for row, number in enumerate(numbers.tolist()):
        [case] = draw_cases(5, number, 1)
        recorded = simulate([case], 5, number, 4.0)[0].astype(np.float32) / 1000
        assert np.array_equal(batch["signal"][row], canonical(recorded, 500.0, LEADS, example.SIGNAL, 4.0).signal)
        text = report_text.clean(report_lines(case, 5, number))
        ids = [int(token) for token in batch["tokens"][row] if token != TOKENIZER.pad]
        assert ids == [int(token) for token in TOKENIZER([text])[0] if token != TOKENIZER.pad]
        scale = REFERENCE.scale["qrs"]
        assert float(batch["measurements"][row, MEASUREMENTS.index("qrs")]) == pytest.approx(
            (case.qrs_ms - scale[0]) / scale[1], abs=1e-4
        )
    assert batch["row"].tolist() == numbers.tolist()
    assert batch["full"]


def test_a_record_is_the_same_in_any_batch_and_after_a_restart(stream, tmp_path):
    whole, part = stream(np.arange(10, 40)), stream(np.array([25]))
    with opened(tmp_path) as other:
        again = other(np.array([25]))
    for name in ("signal", "measurements", "amplitudes", "report"):
        assert torch.equal(whole[name][15:16].nan_to_num(9.0), part[name].nan_to_num(9.0))
        assert torch.equal(again[name].nan_to_num(9.0), part[name].nan_to_num(9.0))


def test_held_out_records_are_others(stream):
    held_out = stream(np.arange(PLAN.records, PLAN.records + 5))
    training = stream(np.arange(5))
    assert not any(torch.equal(*pair) for pair in zip(held_out["signal"], training["signal"], strict=True))


def test_no_pr_interval_without_a_leading_p_wave(stream):
    numbers = np.arange(128)
    pr = stream(numbers)["measurements"][:, MEASUREMENTS.index("pr")]
    without = {"atrial_fibrillation", "atrial_flutter", "paced", "supraventricular_tachycardia"}
    expected = [bool(case.findings & without) for case in draw_cases(5, 0, 128)]
    assert any(expected)
    assert pr.isnan().tolist() == expected


def test_all_parts_of_a_step_get_its_statements(stream):
    step = np.arange(16)
    whole, first, second = stream(step), stream(step[:7], step), stream(step[7:], step)
    for part in (first, second):
        assert torch.equal(part["statement_tokens"], whole["statement_tokens"])
    assert torch.equal(torch.cat([first["stated"], second["stated"]]), whole["stated"])
    texts = [report_text.clean(report_lines(case, 5, number)) for number, case in enumerate(draw_cases(5, 0, 16))]
    assert whole["stated"].sum(1).tolist() == [len(report_text.statements(text)) for text in texts]
    assert whole["stated"].any(0).all()


def test_blocks_beyond_the_pool_and_its_shift_are_not_simulated_and_old_ones_are_dropped(tmp_path):
    with opened(tmp_path) as stream:
        for step in range(PLAN.steps * PLAN.epochs):
            stream(PLAN(step))
            kept = [key.first for key in stream._submitted]
            high = int(stream._high)
            assert max(kept) <= high + PLAN.shift
            assert min(kept) >= high - SIMULATED.pool - PLAN.shift - 2 * blocks.RECORDS
        firsts = sorted(int(path.stem.split("-")[2]) for path in tmp_path.iterdir())
        assert firsts[0] > 0


def test_a_resumed_run_drops_the_files_of_steps_that_are_done(tmp_path):
    with opened(tmp_path) as stream:
        stream(PLAN(0))
    with opened(tmp_path) as stream:
        stream(PLAN(PLAN.steps * PLAN.epochs - 1))
    assert not Key(5, 0).path(tmp_path).exists()


def test_ranks_share_the_blocks(tmp_path):
    with (
        opened(tmp_path, world=World(0, 2, torch.device("cpu"))) as first,
        opened(tmp_path, world=World(1, 2, torch.device("cpu"))) as second,
        opened(tmp_path / "alone") as alone,
    ):
        first._advance(PLAN(0))
        second._advance(PLAN(0))
        assert not set(first._submitted) & set(second._submitted)
        for stream in (first, second):
            assert torch.equal(stream(PLAN(0))["signal"], alone(PLAN(0))["signal"])


def test_records_of_many_lengths_are_those_of_a_simulation_as_long_as_they_are(tmp_path):
    shortest = SIMULATED.model_copy(update={"shortest": 1.5})
    simulate_block(Key(5, 64), shortest, example.SIGNAL, tmp_path)
    block, seconds = read_block(Key(5, 64), tmp_path), blocks.lengths(Key(5, 64), shortest, example.SIGNAL)
    assert 1.5 <= min(seconds) < 1.7
    assert 3.8 < max(seconds) < 4.0
    assert np.abs(block.valid - np.array(seconds) * example.SIGNAL.fs).max() <= 1
    [case] = draw_cases(5, 64, 1)
    recorded = simulate([case], 5, 64, seconds[0])[0].astype(np.float32) / 1000
    assert np.array_equal(block.signal[0], canonical(recorded, 500.0, LEADS, example.SIGNAL, seconds[0]).signal)
    np.testing.assert_array_equal(block.measured[:1], reference.measurements([case], 5, 64, seconds[:1]))
    assert blocks.lengths(Key(5, 64), SIMULATED, example.SIGNAL) == [4.0] * 64


def test_a_record_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    number = 64 + 9

    def refuse(cases, seed, first, *arguments):
        if first == number:
            raise ValueError("no such heart")
        return simulate(cases, seed, first, *arguments)

    monkeypatch.setattr(blocks, "simulate", refuse)
    with pytest.raises(DataError, match=f"record {number} of seed 5 .* no such heart"):
        simulate_block(Key(5, 64), SIMULATED, example.SIGNAL, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_error_of_a_worker_reaches_the_training(tmp_path):
    impossible = example.SIGNAL.model_copy(update={"low": 30.0, "high": 20.0})
    with (
        open_stream(PLAN, impossible, TOKENIZER, REFERENCE, tmp_path, ALONE, statements=False) as stream,
        pytest.raises(DataError, match=r"simulated record \d+ of seed 5"),
    ):
        stream(PLAN(0))


@pytest.mark.parametrize("harm", ["torn", "flipped"])
def test_a_damaged_block_is_refused(tmp_path, harm):
    simulate_block(Key(5, 0), SIMULATED, example.SIGNAL, tmp_path)
    path = Key(5, 0).path(tmp_path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content if harm == "flipped" else content[:-900])
    with pytest.raises(DataError, match=f"{path.name} cannot be read") as refused:
        read_block(Key(5, 0), tmp_path)
    assert str(path) in refused.value.fix


def test_the_longest_report_is_among_the_records_in_memory(tmp_path):
    with opened(tmp_path) as stream:
        stream(PLAN(0))
        lengths = {n: int((stream(np.array([n]))["tokens"] != TOKENIZER.pad).sum()) for n in range(64)}
        loaded = [key.first for key in stream._loaded]
        assert stream.longest // blocks.RECORDS * blocks.RECORDS in loaded
        assert int((stream(np.array([stream.longest]))["tokens"] != TOKENIZER.pad).sum()) >= max(lengths.values())


def test_held_out_records_do_not_wait_for_another_rank(tmp_path, monkeypatch):
    monkeypatch.setattr(stream_module, "PATIENCE", 5.0)
    held_out = PLAN.records + np.arange(0, 2 * blocks.RECORDS, blocks.RECORDS)
    with opened(tmp_path / "two", world=World(0, 2, torch.device("cpu"))) as first:
        measured = first(held_out)
    with opened(tmp_path / "one") as alone:
        assert torch.equal(measured["signal"], alone(held_out)["signal"])
