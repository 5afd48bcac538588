"""Every option of the method at once: a step does not depend on how its batch is divided, and what a record lacks."""

import pytest
import torch
import torch.nn.functional as F
from support import example_options as options

from cgdmer import objectives, settings
from cgdmer.distributed import World
from cgdmer.errors import ConfigError
from cgdmer.models.cgdmer import take_rows
from cgdmer.objectives import PREDICTED, RankLayout
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch

KINDS = ["cosine", "cross_covariance", "hsic"]


def divided(batch, *sizes):
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    rows = [take_rows(batch, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True)]
    return [MicroBatch(one, (size,), size / sum(sizes)) for one, size in zip(rows, sizes, strict=True)]


def stepped(kind, *sizes):
    """Return terms and gradients of a step whose batch is divided into micro-batches of these sizes."""
    task = options.task(options.OBJECTIVE.model_copy(update={"orthogonality_kind": kind}))
    engine = Engine(task, settings.Train(), World(0, 1, torch.device("cpu")))
    engine._update = lambda totals, rate: totals
    terms = engine.step(3, divided(options.batch(task), *sizes), 0.0)
    return terms, {name: parameter.grad for name, parameter in task.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_same_whole_and_in_unequal_micro_batches(kind):
    (whole, gradients), (parts, accumulated) = stepped(kind, 6), stepped(kind, 1, 3, 2)
    assert {"statements", "measurements", "amplitudes", "report_share", "known_amplitudes_share"} <= whole.keys()
    assert whole["report_share"].item() == pytest.approx(4 / 6)
    assert parts.keys() == whole.keys()
    for name, value in whole.items():
        assert parts[name].item() == pytest.approx(value.item(), rel=1e-4, abs=1e-5), name
    for name, gradient in gradients.items():
        assert gradient is not None, name
        assert torch.allclose(accumulated[name], gradient, rtol=1e-3, atol=1e-4 * gradient.abs().max().item()), name


@pytest.mark.parametrize("kind", KINDS)
def test_ranks_of_unequal_size_average_to_the_whole(kind):
    task = options.task(options.OBJECTIVE.model_copy(update={"orthogonality_kind": kind}))
    batch, noise = options.batch(task), options.noise(task)
    whole = task(batch, noise)
    sizes, cuts = (4, 2), (slice(0, 4), slice(4, 6))
    local = [
        task(take_rows(batch, rows), {name: value[rows] for name, value in noise.items()}, only_vectors=True)
        for rows in cuts
    ]
    local = [vectors | {"report": batch["report"][rows]} for vectors, rows in zip(local, cuts, strict=True)]

    def gather(rows):
        """Return what all ranks hold of the tensor that one of them gives, which is recognised by its values."""
        for name in local[0]:
            if any(torch.equal(vectors[name], rows) for vectors in local if vectors[name].shape == rows.shape):
                return [vectors[name] for vectors in local]
        raise AssertionError("a tensor that no rank holds")

    means = {}
    for rank, rows in enumerate(cuts):
        part = {name: value[rows] for name, value in noise.items()}
        for name, value in task(take_rows(batch, rows), part, RankLayout(sizes, rank, gather)).items():
            means[name] = means.get(name, 0) + value.item() / 2
    assert means == {name: pytest.approx(value.item(), rel=1e-4, abs=1e-5) for name, value in whole.items()}


def test_a_record_without_report_changes_no_term_of_the_others():
    plain = {"masking": settings.Masking(), "augmentation": settings.Augmentation()}
    task = options.task(**plain)
    batch, noise = options.batch(task), options.noise(task)
    values = task(batch, noise)
    rows = batch["has_report"].nonzero().flatten()
    alone = {
        name: value[rows] if isinstance(value, torch.Tensor) and name != "statement_tokens" else value
        for name, value in batch.items()
        if name != "has_report"
    }
    expected = task(alone, {name: value[rows] for name, value in noise.items()})
    for name in ("contrastive", "statements", "report_reconstruction", "cross_reconstruction"):
        assert values[name].item() == pytest.approx(expected[name].item(), rel=1e-4), name
    assert values["ecg_reconstruction"].item() != pytest.approx(expected["ecg_reconstruction"].item(), rel=1e-4)


def test_a_report_that_counts_nowhere_may_hold_anything():
    task = options.task()
    batch, noise = options.batch(task), options.noise(task)
    values = task(batch, noise)
    batch["tokens"][1] = batch["tokens"][0]
    batch["report"][1] = batch["report"][0]
    batch["stated"][1] = True
    other = task(batch, noise)
    assert all(values[name].item() == pytest.approx(value.item(), rel=1e-5) for name, value in other.items())


def test_the_statement_loss_is_the_double_loop():
    draw = torch.Generator().manual_seed(0)
    ecg, statements = (F.normalize(torch.randn(n, 8, generator=draw), dim=1) for n in (3, 5))
    stated = torch.rand(3, 5, generator=draw) < 0.4
    scale, bias = torch.tensor(4.0), torch.tensor(-2.0)
    losses = objectives.statement_loss(ecg, statements, stated, scale, bias)
    for i in range(3):
        expected = 0.0
        for k in range(5):
            sign = 1.0 if stated[i, k] else -1.0
            expected -= F.logsigmoid(sign * (scale * (ecg[i] @ statements[k]) + bias)).item()
        assert losses[i].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_records_of_which_none_has_a_report_are_finite_because_a_replay_runs_each_alone(kind):
    task = options.task(options.OBJECTIVE.model_copy(update={"orthogonality_kind": kind}))
    silent = take_rows(options.batch(task, silent=(0, 1, 2)), slice(3))
    values = task(silent, {name: value[:3] for name, value in options.noise(task).items()})
    assert all(value.isfinite() for value in values.values()), values
    assert values["orthogonality"] > 0
    values["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in task.parameters())


@pytest.mark.parametrize("name", PREDICTED)
def test_measured_values_are_averaged_over_the_known_ones_of_the_batch(name):
    task = options.task()
    with torch.no_grad():
        task.heads[name].weight.normal_()
    batch, noise = options.batch(task), options.noise(task)
    later = task.augmentation.shifted(batch, noise)
    outputs = task.model(later, noise, task.augmentation(later, noise))
    predicted, true = task.heads[name](outputs["ecg_pooled"]), batch[name]
    known = ~true.isnan()
    expected = F.smooth_l1_loss(predicted[known], true[known])
    assert task(batch, noise)[name].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_batch_of_which_nothing_is_known_costs_nothing_and_is_finite():
    task = options.task()
    batch = options.batch(task)
    for name in PREDICTED:
        batch[name] = torch.full_like(batch[name], torch.nan)
    values = task(batch, options.noise(task))
    assert all(values[name].item() == 0 for name in PREDICTED)
    values["loss"].backward()
    assert all(parameter.grad.isfinite().all() for parameter in task.parameters())


@pytest.mark.parametrize("name", ["statement_tokens", "stated", *PREDICTED])
def test_a_term_whose_input_is_missing_is_an_error(name):
    task = options.task()
    batch = options.batch(task)
    del batch[name]
    with pytest.raises(ConfigError, match="these records come without"):
        task(batch, options.noise(task))


def test_held_out_records_are_neither_disturbed_nor_lightly_masked():
    task, plain = options.task().eval(), options.task(masking=settings.Masking(), augmentation=None).eval()
    batch = options.batch(task)
    for seed in range(4):
        noise = options.noise(task, seed=seed)
        values, expected = task(batch, noise), plain(batch, noise)
        assert all(value.item() == expected[name].item() for name, value in values.items())


def test_options_draw_after_everything_else():
    task, plain = options.task(), options.task(masking=settings.Masking(), augmentation=None)
    noise, before = options.noise(task), options.noise(plain)
    assert before.keys() < noise.keys()
    assert all(torch.equal(noise[name], value) for name, value in before.items())


ALONE = {"contrastive": 0.0, "ecg_reconstruction": 0.0, "report_reconstruction": 0.0, "orthogonality": 0.0}


@pytest.mark.parametrize("pooling", ["mean", "statistics"])
@pytest.mark.parametrize("name", ["statements", *PREDICTED])
def test_each_new_term_alone_trains_every_parameter_there_is(name, pooling):
    model = options.MODEL.model_copy(update={"pooling": pooling})
    source = options.batch(options.task())
    task = options.task(settings.Objective(**ALONE, **{name: 1.0}), model=model)
    task(source, options.noise(task))["loss"].backward()
    assert [name for name, parameter in task.named_parameters() if parameter.grad is None] == []
