"""The learning rate, which parameters decay, and the state of the optimiser."""

import math

import pytest
import torch
from support import example_pool as example

from cgdmer import objectives, settings
from cgdmer.models import text, weights
from cgdmer.training import optimiser


def test_rate_rises_to_the_peak_and_falls_to_almost_nothing():
    rates = [optimiser.learning_rate(step, 100, 2e-3, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(2e-4)
    assert max(rates) == pytest.approx(2e-3) == rates[9]
    assert rates == sorted(rates[:10]) + sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(1e-3 * (1 + math.cos(math.pi * 45 / 90)))
    assert rates[-1] < 2e-6


def test_without_warm_up_the_first_step_has_the_peak():
    assert optimiser.learning_rate(0, 10, 1.0, 0.0) == 1.0


def test_only_matrices_decay():
    objective = settings.Objective()
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, ["a b c", "d e"], 0)
    task = objectives.Objective(model, objective)
    adamw = optimiser.adamw(task, settings.Train())
    names = {id(parameter): name for name, parameter in task.named_parameters()}
    decayed, undecayed = ({names[id(p)] for p in group["params"]} for group in adamw.param_groups)
    assert [group["weight_decay"] for group in adamw.param_groups] == [settings.Train().weight_decay, 0.0]
    assert decayed | undecayed == set(names.values())
    embeddings = {"model.ecg_encoder.position_embed.lead.weight", "model.report_encoder.text_model.embed.weight"}
    assert {"log_scale", "bias"} | embeddings <= undecayed
    assert all("norm" not in name and not name.endswith("bias") for name in decayed)
    assert "model.ecg_encoder.transformer.blocks.0.qkv.weight" in decayed


@pytest.mark.parametrize("frozen", [0, 1])
def test_a_pretrained_report_encoder_has_a_learning_rate_of_its_own(frozen):
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    task = torch.nn.ModuleDict(
        {
            "text": text.build_from_config({"model_type": "bert", "vocab_size": 20, **size}, frozen),
            "other": torch.nn.Linear(3, 2),
        }
    )
    names = {id(parameter): name for name, parameter in task.named_parameters()}
    adamw = optimiser.adamw(task, settings.Train(lr=1e-3, text_lr=1e-4))
    scales = {names[id(p)]: group["lr_scale"] for group in adamw.param_groups for p in group["params"]}
    assert scales.keys() == {name for name, parameter in task.named_parameters() if parameter.requires_grad}
    assert all(scale == pytest.approx(0.1 if name.startswith("text.") else 1.0) for name, scale in scales.items())
    same = optimiser.adamw(task, settings.Train(lr=1e-3))
    assert [group["lr_scale"] for group in same.param_groups] == [1.0, 1.0]


def test_an_optimiser_comes_back_to_the_bit(tmp_path):
    def trained(steps, state=None):
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        adamw = torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True)
        names = {id(parameter): name for name, parameter in layer.named_parameters()}
        if state:
            layer.load_state_dict(state[0])
            optimiser.restore_state(adamw, names, state[1])
        for _ in range(steps):
            layer(torch.ones(1, 3)).square().sum().backward()
            adamw.step()
            adamw.zero_grad()
        saved = {name: value.clone() for name, value in optimiser.state_tensors(adamw, names).items()}
        return {name: value.clone() for name, value in layer.state_dict().items()}, saved

    whole, resumed = trained(5), trained(2, trained(3))
    for first, second in zip(whole, resumed, strict=True):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
