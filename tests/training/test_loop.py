"""fit: it learns, measures, keeps the best, and stops at what is not finite."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support import example_pool as example

from cgdmer import objectives, paths, settings
from cgdmer.errors import DataError, TrainingStopped
from cgdmer.models import weights
from cgdmer.shards import open_shards
from cgdmer.training import Records, World, checkpoint, fit, loop, replay
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch, Order
from cgdmer.training.replay import dump

ALONE = World(0, 1, torch.device("cpu"))


def prepared(folder, records=96, **terms):
    example.write(folder, records=records)
    shards = open_shards(folder / paths.shards("mimic_iv_ecg"))
    objective = settings.Objective(**terms)
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, shards.reports()[0], 0)
    sizes = (records * 3 // 4, records - records * 3 // 4)
    return objectives.Objective(model, objective), Records(shards, np.arange(records), model.tokenizer), sizes


def train(folder, train, **terms):
    task, records, sizes = prepared(folder, **terms)
    logged = []
    work = folder / "work"
    fitted = fit(task, records, sizes, train, world=ALONE, folder=work, log_metrics=lambda *x: logged.append(x))
    return task, fitted, logged


def test_every_term_falls_on_training_and_held_out_records(tmp_path):
    _, fitted, logged = train(tmp_path, settings.Train(epochs=16, batch=24, lr=3e-3, held_out=24), records=192)
    for name in ("loss", "contrastive", "ecg_reconstruction", "report_reconstruction"):
        assert fitted.curve[-1][name] < fitted.curve[0][name]
        assert fitted.held_out[-1][name] < fitted.held_out[0][name]
    assert [line["epoch"] for line in fitted.held_out] == list(range(1, 17))
    steps = [step for step, metrics in logged if "records_per_s" in metrics]
    assert steps == list(range(1, fitted.steps + 1))
    assert any("held_out/loss" in metrics for _, metrics in logged)


def test_speed_says_how_well_the_device_is_used(tmp_path):
    _, fitted, _ = train(tmp_path, settings.Train(epochs=1, batch=24))
    assert set(fitted.speed) == {"records_per_s", "wait_share", "flops_per_record", "peak_flops", "peak_share"}
    assert 0 <= fitted.speed["wait_share"] < 1
    assert 0 < fitted.speed["peak_share"] < 1


def test_the_best_weights_are_those_of_the_lowest_held_out_loss(tmp_path):
    task, fitted, _ = train(tmp_path, settings.Train(epochs=6, batch=24, lr=0.05, select="best", held_out=24))
    losses = [line["loss"] for line in fitted.held_out]
    best = checkpoint.best(tmp_path / "work")
    assert all(torch.equal(value, best[name]) for name, value in task.state_dict().items())
    newest = load_file(max((tmp_path / "work").glob("step-*.safetensors")))
    same = all(torch.equal(newest[f"weights/{name}"], value) for name, value in best.items())
    assert same == (losses.index(min(losses)) == len(losses) - 1)


class Poisoned(torch.nn.Module):
    """The chosen term is infinite where a record of `rows` is in the batch."""

    def __init__(self, task, rows):
        super().__init__()
        self.inner, self.rows = task, torch.tensor(rows)

    def draw_noise(self, *arguments):
        return self.inner.draw_noise(*arguments)

    def cache(self, *arguments):
        return self.inner.cache(*arguments)

    def forward(self, batch, *arguments, **named):
        terms = self.inner(batch, *arguments, **named)
        if "loss" in terms and torch.isin(batch["row"], self.rows).any():
            terms["contrastive"] = terms["contrastive"] / 0
            terms["loss"] = terms["loss"] + terms["contrastive"]
        return terms


def test_a_non_finite_term_is_named_with_its_records_and_can_be_replayed(tmp_path):
    task, records, sizes = prepared(tmp_path)
    train = settings.Train(epochs=2, batch=24, accumulate=2)
    third = records.pairs.rows[Order(sizes[0], 24, train.seed)(2)]
    poisoned = Poisoned(task, third[5:6])
    with pytest.raises(TrainingStopped, match=r"step 3: loss, contrastive.* not finite; rows") as stopped:
        fit(poisoned, records, sizes, train, world=ALONE, folder=tmp_path / "work")
    assert stopped.value.code == 5
    [folder] = (tmp_path / "work").glob("nonfinite-*")
    assert f"replay {folder}" in stopped.value.fix
    facts, batch = json.loads((folder / "facts.json").read_text()), load_file(folder / "batch-0.safetensors")
    assert facts["step"] == 2
    assert [*batch["0/row"].tolist(), *batch["1/row"].tolist()] == third.tolist()
    state = load_file(folder / "state.safetensors")
    assert all(torch.equal(state[f"weights/{name}"], value) for name, value in poisoned.state_dict().items())
    assert state["optimiser/inner.log_scale/step"] == 2

    again = Poisoned(prepared(tmp_path / "again")[0], third[5:6])
    replayed = replay(folder, again, train, torch.device("cpu"), records.pad)
    assert (replayed.step, replayed.rows) == (3, [third[5]])
    assert {name: str(value) for name, value in replayed.terms.items()} == replayed.original_terms == facts["terms"]
    assert replayed.original_terms["contrastive"] == "inf"


def test_a_dump_of_several_processes_is_replayed_as_one_batch(tmp_path):
    """The ranks' records together give the terms of the global batch, though reports were cut to other lengths."""
    task, records, _ = prepared(tmp_path)
    train = settings.Train(batch=24)
    engine = Engine(task, train, ALONE)
    whole = records(np.arange(10))
    [expected] = [engine.step(4, [MicroBatch(whole, (10,), 1.0)], 0.0)[1].tolist()]
    for rank, positions in enumerate((np.arange(6), np.arange(6, 10))):
        engine.world = World(rank, 2, torch.device("cpu"))
        batch = records(positions)
        if rank:
            batch["tokens"] = batch["tokens"][:, : int((batch["tokens"] != records.pad).sum(1).max())]
        dump(tmp_path / "dump", engine, 4, [MicroBatch(batch, (6, 4), 1.0)], {"loss": 1.0})
    replayed = replay(tmp_path / "dump", prepared(tmp_path / "again")[0], train, torch.device("cpu"), records.pad)
    assert list(replayed.terms.values()) == pytest.approx(expected, rel=1e-4)
    assert replayed.rows == []
    (tmp_path / "dump" / "batch-1.safetensors").unlink()
    with pytest.raises(DataError, match="no whole dump"):
        replay(tmp_path / "dump", task, train, torch.device("cpu"), records.pad)


@pytest.mark.parametrize("harm", ["torn", "flipped", "gone"])
def test_damaged_best_weights_are_refused(tmp_path, harm):
    _, fitted, _ = train(tmp_path, settings.Train(epochs=1, batch=24, held_out=24))
    assert fitted.held_out
    path = tmp_path / "work" / "best.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content if harm == "flipped" else content[:-9])
    with pytest.raises(DataError, match="best weights"):
        checkpoint.best(tmp_path / "work")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"checkpoint_steps": 4}, [4, 6]),
        ({"checkpoint_steps": 100}, [6]),
        ({"checkpoint_steps": 100, "checkpoint_minutes": 1.5}, [2, 4, 6]),
    ],
)
def test_a_checkpoint_is_due_after_steps_or_minutes(tmp_path, monkeypatch, change, expected):
    """Each step takes a minute of a pretended clock."""
    now, steps = [0.0], []
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: now[0]))
    step, save = loop.Run.step, loop.Run.save

    def take_a_minute(*arguments):
        now[0] += 60
        step(*arguments)

    monkeypatch.setattr(loop.Run, "step", take_a_minute)
    monkeypatch.setattr(loop.Run, "save", lambda run, done: steps.append(done) or save(run, done))
    train(tmp_path, settings.Train(epochs=2, batch=24, held_out=0, **change))
    assert steps == expected
