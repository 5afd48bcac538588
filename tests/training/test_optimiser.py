"""The learning rate, which parameters decay, and the state of the optimiser."""

import math

import pytest
import torch
from support import example_pool as example

from cgdmer import objectives, settings
from cgdmer.models import text, transformer, weights
from cgdmer.training import optimiser
from cgdmer.training.muon import Muon


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


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_an_optimiser_comes_back_to_the_bit(name):
    def trained(steps, state=None):
        torch.manual_seed(0)
        block = transformer.Block(8, 2, 0.0)
        both = optimiser.create(block, settings.Train(optimiser=name, lr=0.1))
        names = {id(parameter): name for name, parameter in block.named_parameters()}
        if state:
            block.load_state_dict(state[0])
            optimiser.restore_state(both, names, state[1])
        for _ in range(steps):
            step(block, both)
        saved = {name: value.clone() for name, value in optimiser.state_tensors(both, names).items()}
        return {name: value.clone() for name, value in block.state_dict().items()}, saved

    whole, resumed = trained(5), trained(2, trained(3))
    for first, second in zip(whole, resumed, strict=True):
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def step(block, optimisers):
    """Train a block on one fixed sequence."""
    block(torch.linspace(-1, 1, 40).view(1, 5, 8), None).square().sum().backward()
    optimisers.step()
    optimisers.zero_grad()


def test_muon_trains_the_matrices_of_blocks_and_adamw_all_others():
    objective = settings.Objective()
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, ["a b c", "d e"], 0)
    task = objectives.Objective(model, objective)
    names = {id(parameter): name for name, parameter in task.named_parameters()}
    both = optimiser.create(task, settings.Train(optimiser="muon"))
    adamw, muon = ([names[id(p)] for group in part.param_groups for p in group["params"]] for part in both.parts)
    assert sorted(adamw + muon) == sorted(names.values())
    assert {name.split(".")[-2] for name in muon} == {"qkv", "out", "up", "down"}
    assert "model.ecg_encoder.patch_embed.weight" in adamw


def test_muon_moves_a_matrix_by_the_orthogonal_factor_of_its_gradient():
    matrix = torch.nn.Parameter(torch.zeros(4, 6))
    gradient = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    matrix.grad = gradient.clone()
    Muon([{"params": [matrix], "weight_decay": 0.0}], lr=1.0).step()
    left, _, right = torch.linalg.svd(gradient, full_matrices=False)
    cosine = torch.nn.functional.cosine_similarity(-matrix.detach().flatten(), (left @ right).flatten(), dim=0)
    assert cosine > 0.95  # five iterations bring singular values near 1, not to it
    assert matrix.detach().square().mean().sqrt() == pytest.approx(0.2, rel=0.25)  # like an update of AdamW


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_no_update_while_a_value_is_not_finite(name):
    torch.manual_seed(0)
    block, flag = transformer.Block(8, 2, 0.0), torch.zeros(())
    both = optimiser.create(block, settings.Train(optimiser=name))
    both.skip_while(flag)
    step(block, both)
    names = {id(parameter): name for name, parameter in block.named_parameters()}
    before = {k: v.clone() for k, v in block.state_dict().items()}
    momentum = {k: v.clone() for k, v in optimiser.state_tensors(both, names).items() if k.endswith("buffer")}
    flag.fill_(1)
    for parameter in block.parameters():
        parameter.grad = torch.full_like(parameter, torch.nan)
    both.step()
    assert all(torch.equal(before[k], v) for k, v in block.state_dict().items())
    after = optimiser.state_tensors(both, names)
    assert all(torch.equal(value, after[key]) for key, value in momentum.items())
    assert bool(momentum) == (name == "muon")
