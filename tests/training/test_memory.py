"""Out of memory: the widest batch is tried first, and a run that fails goes on with other settings."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from support import example_pool as example

from cgdmer import objectives, paths, settings
from cgdmer.errors import TrainingStopped
from cgdmer.models import weights
from cgdmer.shards import open_shards
from cgdmer.training import Records, World, checkpoint, fit, memory
from cgdmer.training.engine import Engine
from cgdmer.training.loop import Run
from cgdmer.training.records import MicroBatch

ALONE = World(0, 1, torch.device("cpu"))
TRAIN = settings.Train(epochs=2, batch=24, held_out=0)
MESSAGE = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 4 GiB."


def prepared(folder):
    example.write(folder)
    shards = open_shards(folder / paths.shards("mimic_iv_ecg"))
    objective = settings.Objective()
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, shards.reports()[0], 0)
    return objectives.Objective(model, objective), Records(shards, np.arange(72), model.tokenizer)


def train(folder, settings, held_out=0):
    task, records = prepared(folder)
    fitted = fit(task, records, (72 - held_out, held_out), settings, world=ALONE, folder=folder / "work")
    return task, fitted


def run_out_of_memory(monkeypatch, at, *, updating=False):
    """Let the step with number `at` run out of memory."""
    step = Engine.step

    def limited(engine, number, *arguments):
        if number == at:
            engine.updating = updating
            raise torch.OutOfMemoryError(MESSAGE)
        return step(engine, number, *arguments)

    monkeypatch.setattr(Engine, "step", limited)


def test_a_run_that_is_out_of_memory_names_the_settings_and_goes_on(tmp_path, monkeypatch):
    expected, _ = train(tmp_path / "enough", TRAIN)
    with monkeypatch.context() as limited, pytest.raises(TrainingStopped) as stopped:
        run_out_of_memory(limited, 4)
        train(tmp_path / "short", TRAIN)
    assert "step 5: CUDA out of memory" in stopped.value.problem
    for text in ("train.accumulate: 2", "train.gradient_checkpointing: true", "goes on after step 4 of 6"):
        assert text in stopped.value.fix
    assert checkpoint.newest(tmp_path / "short/work").step == 4
    task, fitted = train(tmp_path / "short", TRAIN.model_copy(update={"accumulate": 2, "gradient_checkpointing": True}))
    assert fitted.steps == 6
    for name, value in expected.state_dict().items():
        assert torch.allclose(task.state_dict()[name], value, atol=5e-3), name


def test_a_state_that_may_be_half_updated_is_not_saved(tmp_path, monkeypatch):
    run_out_of_memory(monkeypatch, 4, updating=True)
    with pytest.raises(TrainingStopped, match="goes on after step 3 of 6"):
        train(tmp_path, TRAIN.model_copy(update={"checkpoint_steps": 3}))


def test_a_measurement_that_is_out_of_memory_is_made_again_by_the_next_run(tmp_path, monkeypatch):
    def limited(*_):
        raise torch.OutOfMemoryError(MESSAGE)

    some_held_out = TRAIN.model_copy(update={"checkpoint_steps": 2, "held_out": 12})
    with monkeypatch.context() as patched, pytest.raises(TrainingStopped, match="goes on after step 2 of 6"):
        patched.setattr(Engine, "measure", limited)
        train(tmp_path, some_held_out, held_out=12)
    _, fitted = train(tmp_path, some_held_out.model_copy(update={"accumulate": 3}), held_out=12)
    assert [line["epoch"] for line in fitted.held_out] == [1, 2]


def test_without_a_checkpoint_the_next_run_begins_anew(tmp_path, monkeypatch):
    run_out_of_memory(monkeypatch, 0)
    with pytest.raises(TrainingStopped, match="begins anew"):
        train(tmp_path, TRAIN)


def test_trying_the_widest_batch_changes_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(example, "MODEL", example.MODEL.model_copy(update={"dropout": 0.2}))
    states = []
    for name, tries in (("tried", True), ("not", False)):
        task, records = prepared(tmp_path / name)
        engine = Engine(task, settings.Train(ema=0.9), ALONE)
        micro_batch = MicroBatch(records(np.arange(8)), (8,), 1.0)
        for number in range(3):
            if tries and number in (0, 2):
                memory.try_widest(engine, [micro_batch])
            engine.step(number, [micro_batch], 1e-3)
        states.append(engine.state())
    first, second = states
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_the_peak_is_that_of_a_step_with_the_state_of_the_optimiser(monkeypatch):
    """The first step creates that state when its activations are gone already."""
    calls = []
    engine = SimpleNamespace(device=torch.device("cuda", 0), try_step=lambda _: calls.append("step"))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: calls.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda _: calls.append("peak") or 2**30)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (0, 2**31))
    memory.try_widest(engine, [])
    assert calls == ["step", "reset", "step", "peak"]


def test_the_widest_batch_is_full_and_has_the_longest_report(tmp_path, monkeypatch):
    task, records = prepared(tmp_path)
    run = Run(task, records, (71, 0), TRAIN.model_copy(update={"accumulate": 2}), ALONE, tmp_path / "work", print)
    records.longest = 17
    tried = []
    monkeypatch.setattr(memory, "try_widest", lambda engine, micro_batches: tried.extend(micro_batches))
    run.try_widest(0)
    assert not tried, "host memory is not tried"
    run.world = replace(ALONE, device=SimpleNamespace(type="cuda"))
    run.try_widest(0)
    assert [micro_batch.sizes for micro_batch in tried] == [(12,), (12,)]
    assert all(micro_batch.batch["row"][0] == 17 for micro_batch in tried)


def test_the_longest_report_is_found_among_the_chosen_rows(tmp_path):
    _, records = prepared(tmp_path)
    lengths = [int((records(np.array([position]))["tokens"] != records.pad).sum()) for position in range(72)]
    assert lengths[records.longest] == max(lengths)


def test_what_is_on_already_is_not_advised():
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
    on = memory.out_of_memory(error, TRAIN.model_copy(update={"gradient_checkpointing": True}), 0, 6, 0)
    assert on.fix == "set train.accumulate: 2 in params.yaml, then run it again; it begins anew"
