"""Losses against their plain double loops; the sum; what is off."""

import math

import pytest
import torch
import torch.nn.functional as F
from support import example_pool as example
from torch.utils._python_dispatch import TorchDispatchMode

from cgdmer import objectives
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.objectives import RankLayout
from cgdmer.settings import Masking, Objective


def unit(records, seed):
    return F.normalize(torch.randn(records, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


def looped(ecg, report, scale, bias, ids, unique):
    total = torch.zeros(())
    for i in range(len(ecg)):
        for j in range(len(report)):
            if unique and i != j and ids[i] == ids[j]:
                continue
            sign = 1.0 if i == j else -1.0
            total = total - F.logsigmoid(sign * (scale * (ecg[i] @ report[j]) + bias))
    return total


@pytest.mark.parametrize("unique", [True, False])
def test_siglip_is_the_double_loop_in_value_and_gradient(unique):
    ids, gradients = torch.tensor([0, 1, 0, 2, 1, 3]), []
    for way in ("loop", "matrix"):
        leaves = [unit(6, 0).requires_grad_(), unit(6, 1).requires_grad_(), torch.tensor(5.0), torch.tensor(-2.0)]
        leaves[2].requires_grad_()
        leaves[3].requires_grad_()
        if way == "loop":
            value = looped(*leaves, ids, unique)
        else:
            ecg, report, scale, bias = leaves
            value = objectives.siglip(ecg, [report], scale, bias, 0, ids, [ids], unique=unique)
        value.backward()
        gradients.append([value.detach(), *(leaf.grad for leaf in leaves)])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*gradients, strict=True))


def test_siglip_in_chunks_of_unequal_ranks_is_the_whole():
    ids = torch.tensor([0, 1, 0, 2, 1])
    ecg, report = unit(5, 0), unit(5, 1)
    scale, bias = torch.tensor(4.0), torch.tensor(-1.0)
    total = 0
    for rank, rows in enumerate((slice(0, 3), slice(3, 5))):
        chunks, others = [report[:3], report[3:]], [ids[:3], ids[3:]]
        total += objectives.siglip(ecg[rows], chunks, scale, bias, rank, ids[rows], others, unique=True)
    assert torch.allclose(total, looped(ecg, report, scale, bias, ids, True), atol=1e-4)


def test_reconstruction_counts_hidden_patches_alone_and_records_alike():
    predicted, target = torch.randn(3, 4, 5), torch.randn(3, 4, 5)
    hidden = torch.tensor([[1, 0, 0, 1], [1, 1, 1, 0], [0, 0, 0, 0]]).bool()
    rows = [[((predicted[b, s] - target[b, s]) ** 2).mean() for s in range(4) if hidden[b, s]] for b in range(3)]
    expected = sum(sum(row) / len(row) for row in rows if row) / 3
    assert torch.allclose(objectives.reconstruction(predicted, target, hidden), expected)


def test_nothing_hidden_costs_exactly_zero_without_gradient():
    predicted = torch.randn(2, 4, 5, requires_grad=True)
    loss = objectives.reconstruction(predicted, torch.randn(2, 4, 5), torch.zeros(2, 4).bool())
    loss.backward()
    assert loss == 0
    assert not predicted.grad.any()
    task, batch = assembled(masking=Masking(kind="none"))
    term = task(batch, noise(task))["ecg_reconstruction"]
    assert term == 0
    assert not term.requires_grad


def test_word_loss_is_the_mean_over_reports_of_the_mean_over_words():
    logits, words = torch.randn(2, 3, 7), torch.randint(0, 7, (2, 3))
    counted = torch.tensor([[True, True, False], [True, False, False]])
    first = (F.cross_entropy(logits[0, :1], words[0, :1]) + F.cross_entropy(logits[0, 1:2], words[0, 1:2])) / 2
    expected = (first + F.cross_entropy(logits[1, :1], words[1, :1])) / 2
    assert torch.allclose(objectives.word_loss(logits, words, counted), expected)


@pytest.mark.parametrize("kind", [objectives.cosine, objectives.cross_covariance, objectives.hsic])
def test_dependence_is_high_for_equal_features_low_for_unrelated_ones(kind):
    draw = torch.Generator().manual_seed(0)
    features, other = torch.randn(400, 6, generator=draw), torch.randn(400, 6, generator=draw)
    equal, unrelated = kind(features, features), kind(features, other)
    assert equal > 3 * unrelated
    assert 0 <= unrelated <= equal <= 1.001


def naive_hsic(shared, specific):
    """Trace of both centred kernel matrices, from all pairs of differences (Gretton et al. 2005)."""
    centring = torch.eye(len(shared), dtype=torch.float64) - 1 / len(shared)
    kernels = []
    for features in (shared.double(), specific.double()):
        squared = (features[:, None] - features).square().sum(2)
        kernels.append(centring @ torch.exp(-squared / (squared.median().detach() + 1e-6)) @ centring)
    first, second = kernels
    return torch.trace(first @ second) / (torch.trace(first @ first) * torch.trace(second @ second)).sqrt()


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_hsic_is_the_naive_form_in_value_and_gradient(offset):
    draw = torch.Generator().manual_seed(0)
    shared = torch.randn(33, 7, generator=draw)
    specific = shared.square() + 0.5 * torch.randn(33, 7, generator=draw)
    gradients = []
    for measure in (objectives.hsic, naive_hsic):
        leaf = shared.clone().requires_grad_()
        value = measure(leaf + offset, specific)
        value.backward()
        gradients.append(leaf.grad)
        assert value.item() == pytest.approx(naive_hsic(shared, specific).item(), rel=1e-3)
    assert torch.allclose(*gradients, atol=1e-3 * gradients[1].abs().max().item())


class LargestTensor(TorchDispatchMode):
    """Notes the number of elements of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor):
                self.elements = max(self.elements, tensor.numel())
        return result


def test_hsic_builds_nothing_larger_than_a_square_of_the_batch():
    shared, specific = torch.randn(64, 48, requires_grad=True), torch.randn(64, 48)
    with LargestTensor() as largest:
        objectives.hsic(shared, specific).backward()
    assert shared.grad.shape == (64, 48)
    assert largest.elements <= 64 * 64


def test_hsic_sees_what_correlation_does_not():
    features = torch.randn(400, 1, generator=torch.Generator().manual_seed(0))
    other = features.square()
    shuffled = other[torch.randperm(400, generator=torch.Generator().manual_seed(1))]
    assert objectives.hsic(features, other) > 5 * objectives.hsic(features, shuffled)
    assert objectives.cross_covariance(features, other) < 0.1


def assembled(masking=Masking(), disentangled=True, **terms):  # noqa: B008
    _, reports, _ = example.signals(20)
    chosen = Objective(**terms)
    shape = example.MODEL.model_copy(update={"disentangled": disentangled})
    model = example.awake(weights.create(shape, masking, chosen, example.SIGNAL, reports, 0))
    task = objectives.Objective(model, chosen)
    return task, example.batch(model)


def noise(task, records=6):
    return task.draw_noise(records, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", ["cosine", "cross_covariance", "hsic"])
def test_the_loss_is_the_weighted_sum_of_the_named_terms(kind):
    terms = {"contrastive": 0.7, "ecg_reconstruction": 2.0, "report_reconstruction": 0.3, "orthogonality": 0.2}
    task, batch = assembled(**terms, cross_reconstruction=0.4, orthogonality_kind=kind)
    values = task(batch, noise(task))
    expected = sum(weight * values[name] for name, weight in (terms | {"cross_reconstruction": 0.4}).items())
    assert torch.allclose(values["loss"], expected, rtol=1e-5)
    values["loss"].backward()
    assert all(parameter.grad is not None for parameter in task.parameters())


OFF = dict.fromkeys(["contrastive", "ecg_reconstruction", "report_reconstruction", "orthogonality"], 0.0)
ALONE = [("contrastive", True), ("contrastive", False), ("ecg_reconstruction", True), ("ecg_reconstruction", False)]


@pytest.mark.parametrize(("name", "disentangled"), [*ALONE, ("cross_reconstruction", True)])
def test_any_term_alone_leaves_no_parameter_without_gradient(name, disentangled):
    """DDP waits for every gradient, so a parameter that nothing reads must not exist."""
    task, batch = assembled(disentangled=disentangled, **(OFF | {name: 1.0}))
    task(batch, noise(task))["loss"].backward()
    assert [name for name, parameter in task.named_parameters() if parameter.grad is None] == []


def test_settings_that_never_train_the_ecg_encoder_are_refused():
    for masking, terms in (
        (Masking(), {"report_reconstruction": 1.0}),
        (Masking(kind="none"), {"ecg_reconstruction": 1.0}),
    ):
        with pytest.raises(ConfigError, match="trains the ECG encoder"):
            assembled(masking, **(OFF | terms))


@pytest.mark.parametrize("name", ["contrastive", "ecg_reconstruction", "report_reconstruction", "orthogonality"])
def test_a_term_with_weight_zero_is_not_computed(name):
    task, batch = assembled(**{name: 0.0})
    values = task(batch, noise(task))
    assert name not in values
    values["loss"].backward()
    assert all(parameter.grad is not None for parameter in task.parameters())


def test_limb_and_chest_errors_are_logged_apart():
    task, batch = assembled()
    values = task(batch, noise(task))
    low, high = sorted([values["reconstruction_limb"].item(), values["reconstruction_chest"].item()])
    assert low <= values["ecg_reconstruction"].item() <= high


def test_a_rank_is_weighed_by_its_records():
    assert RankLayout((4,)).share == 1
    assert math.isclose(RankLayout((3, 1), 0).share + RankLayout((3, 1), 1).share, 2)


def test_the_temperature_starts_where_the_settings_say():
    task, _ = assembled(scale=20.0, bias=-6.0)
    assert task.log_scale.exp().item() == pytest.approx(20.0)
    assert task.bias.item() == -6.0
