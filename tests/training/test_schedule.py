"""The learning rate, and who decays."""

import math

import pytest
from support import example_pool as example

from cgdmer import objectives, settings
from cgdmer.models import weights
from cgdmer.training import schedule


def test_rate_rises_to_the_peak_and_falls_to_almost_nothing():
    rates = [schedule.rate(step, 100, 2e-3, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(2e-4)
    assert max(rates) == pytest.approx(2e-3) == rates[9]
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(1e-3 * (1 + math.cos(math.pi * 45 / 90)))
    assert rates[-1] < 2e-6


def test_without_warm_up_the_first_step_has_the_peak():
    assert schedule.rate(0, 10, 1.0, 0.0) == 1.0


def test_only_matrices_decay():
    objective = settings.Objective()
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, ["a b c", "d e"], 0)
    task = objectives.Objective(model, objective)
    optimiser = schedule.optimiser(task, settings.Train())
    names = {id(parameter): name for name, parameter in task.named_parameters()}
    decayed, rest = ({names[id(p)] for p in group["params"]} for group in optimiser.param_groups)
    assert [group["weight_decay"] for group in optimiser.param_groups] == [settings.Train().weight_decay, 0.0]
    assert decayed | rest == set(names.values())
    assert {"log_scale", "bias", "model.ecg.places.lead.weight", "model.report.body.embed.weight"} <= rest
    assert all("norm" not in name and not name.endswith("bias") for name in decayed)
    assert "model.ecg.blocks.blocks.0.qkv.weight" in decayed
