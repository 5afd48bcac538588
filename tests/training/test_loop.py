"""fit: it learns, measures, keeps the best, and stops at what is not finite."""

import json

import example_pool as example
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cgdmer import objectives, paths, settings
from cgdmer.errors import TrainingStopped
from cgdmer.models import weights
from cgdmer.shards import open_shards
from cgdmer.training import Records, World, fit

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
    said = []
    fitted = fit(task, records, sizes, train, world=ALONE, folder=folder / "work", report=lambda *x: said.append(x))
    return task, fitted, said


def test_every_term_falls_on_training_and_held_out_records(tmp_path):
    _, fitted, said = train(tmp_path, settings.Train(epochs=16, batch=24, lr=3e-3, held_out=24), records=192)
    for name in ("loss", "contrastive", "ecg_reconstruction", "report_reconstruction"):
        assert fitted.curve[-1][name] < fitted.curve[0][name]
        assert fitted.held_out[-1][name] < fitted.held_out[0][name]
    assert [line["epoch"] for line in fitted.held_out] == list(range(1, 17))
    steps = [step for step, metrics in said if "records_per_s" in metrics]
    assert steps == list(range(1, fitted.steps + 1))
    assert any("held_out/loss" in metrics for _, metrics in said)


def test_speed_says_how_well_the_device_is_used(tmp_path):
    _, fitted, _ = train(tmp_path, settings.Train(epochs=1, batch=24))
    assert set(fitted.speed) == {"records_per_s", "wait_share", "flops_per_record", "peak_flops", "peak_share"}
    assert 0 <= fitted.speed["wait_share"] < 1
    assert 0 < fitted.speed["peak_share"] < 1


def test_the_best_weights_are_those_of_the_lowest_held_out_loss(tmp_path):
    task, fitted, _ = train(tmp_path, settings.Train(epochs=6, batch=24, lr=0.05, select="best", held_out=24))
    losses = [line["loss"] for line in fitted.held_out]
    best = load_file(tmp_path / "work" / "best.safetensors")
    assert all(torch.equal(value, best[name]) for name, value in task.state_dict().items())
    newest = load_file(max((tmp_path / "work").glob("step-*.safetensors")))
    same = all(torch.equal(newest[f"weights/{name}"], value) for name, value in best.items())
    assert same == (losses.index(min(losses)) == len(losses) - 1)


def test_a_non_finite_term_is_named_with_its_records_and_can_be_replayed(tmp_path):
    task, records, sizes = prepared(tmp_path)

    class Poisoned(torch.nn.Module):
        """From the third batch on, one term is infinite."""

        def __init__(self):
            super().__init__()
            self.inner, self.calls = task, 0

        def noise(self, *arguments):
            return self.inner.noise(*arguments)

        def forward(self, *arguments):
            terms = self.inner(*arguments)
            self.calls += 1
            if self.calls > 3:  # the first call counts FLOPs
                terms["contrastive"] = terms["contrastive"] / 0
                terms["loss"] = terms["loss"] + terms["contrastive"]
            return terms

    poisoned = Poisoned()
    with pytest.raises(TrainingStopped, match=r"step 3: loss, contrastive.* not finite; rows") as stopped:
        fit(poisoned, records, sizes, settings.Train(epochs=2, batch=24), world=ALONE, folder=tmp_path / "work")
    assert stopped.value.code == 5
    [dump] = (tmp_path / "work").glob("nonfinite-*")
    facts, batch = json.loads((dump / "facts.json").read_text()), load_file(dump / "batch.safetensors")
    assert facts["step"] == 2
    assert facts["rows"] == batch["0/row"].tolist()
    state = load_file(dump / "state.safetensors")
    assert all(torch.equal(state[f"weights/{name}"], value) for name, value in poisoned.state_dict().items())
    assert state["optimiser/inner.log_scale/step"] == 2
