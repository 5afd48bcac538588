"""One step: accumulation, averaged weights, precision, and what a non-finite term leaves behind."""

import copy
import itertools
import shutil

import pytest
import torch
from support import example_pool as example

from cgdmer import objectives, settings
from cgdmer.distributed import World
from cgdmer.models import transformer, weights
from cgdmer.training.engine import Engine, set_precision
from cgdmer.training.records import MicroBatch

ALONE = World(0, 1, torch.device("cpu"))


def engine(terms=None, **train):
    objective = settings.Objective(**(terms or {}))
    _, reports, _ = example.signals(20)
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, reports, 0)
    return Engine(objectives.Objective(model, objective), settings.Train(**train), ALONE)


def micro_batch(of, records=6):
    return MicroBatch(example.batch(of.task.model, records), (records,), 1.0)


def terms_of(of, number):
    one = micro_batch(of)
    [noise] = of.draw_noises([one], number)
    return of.run_task(of.forward, one, noise, number, 0)


def parameters(of):
    return {name: value.detach().clone() for name, value in of.task.named_parameters()}


def test_a_step_is_adamw_on_the_clipped_gradient():
    ours, plain = engine(clip=0.5), engine(clip=0.5)
    names, values = ours.step(3, [micro_batch(ours)], 1e-2)
    loss = terms_of(plain, 3)["loss"]
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(plain.task.parameters(), 0.5)
    groups = [
        {"params": group["params"], "weight_decay": group["weight_decay"]} for group in plain.optimiser.param_groups
    ]
    torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.98), eps=1e-8).step()
    terms = dict(zip(names, values.tolist(), strict=True))
    assert terms["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert terms["gradient_norm"] == pytest.approx(norm.item(), rel=1e-5)
    expected = parameters(plain)
    assert all(torch.allclose(value, expected[name], atol=1e-6) for name, value in parameters(ours).items())


def divided(batch, *sizes):
    """Divide a batch into micro-batches of these sizes."""
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    pieces = []
    for size, end in zip(sizes, ends, strict=True):
        rows = {name: value if name == "full" else value[end - size : end] for name, value in batch.items()}
        pieces.append(MicroBatch(rows, (size,), size / sum(sizes)))
    return pieces


def gradients(of, micro_batches):
    """Return the terms of a step and the gradient that reaches the optimiser."""
    of._update = lambda totals, rate: totals
    terms = of.step(3, micro_batches, 0.0)
    return terms, {name: value.grad for name, value in of.task.named_parameters()}


@pytest.mark.parametrize(
    "terms",
    [
        {"orthogonality_kind": "cross_covariance", "cross_reconstruction": 0.3},
        {"orthogonality_kind": "hsic", "unique_reports": False},
        {"orthogonality_kind": "cosine", "unique_reports": True},
        {"contrastive": 0.0, "orthogonality_kind": "hsic"},
        {"orthogonality": 0.0},
        {"contrastive": 0.0, "orthogonality": 0.0},
    ],
)
@pytest.mark.parametrize("sizes", [(7, 7), (6, 5, 3), (1,) * 14])
def test_a_step_does_not_depend_on_how_its_batch_is_divided(terms, sizes):
    whole, split = engine(terms), engine(terms)
    example.awake(whole.task), example.awake(split.task)
    batch = example.batch(whole.task.model, 14, short=(2, 9))
    assert len(batch["report"].unique()) < 14
    expected, expected_gradients = gradients(whole, divided(batch, 14))
    values, value_gradients = gradients(split, divided(batch, *sizes))
    assert list(values) == list(expected)
    for name, value in expected.items():
        assert values[name].item() == pytest.approx(value.item(), rel=1e-5), name
    largest = max(value.abs().max() for value in expected_gradients.values() if value is not None)
    for name, value in expected_gradients.items():
        if value is not None:
            assert torch.allclose(value_gradients[name], value, rtol=1e-4, atol=1e-5 * largest), name


@pytest.mark.parametrize("train", [{}, {"gradient_checkpointing": True}])
def test_both_passes_over_a_micro_batch_drop_the_same_units(train, monkeypatch):
    monkeypatch.setattr(example, "MODEL", example.MODEL.model_copy(update={"dropout": 0.3}))
    one = engine(**train)
    seen = []
    forward, cache = one.local, one.task.cache
    one.task.cache = lambda vectors, *rest: seen.append(vectors) or cache(vectors, *rest)
    batch = example.batch(one.task.model, 10)
    outputs = []
    one.task.model.register_forward_hook(lambda *call: outputs.append(call[2]["ecg_aligned"].detach()))
    assert forward is one.forward
    one.step(3, divided(batch, 6, 4), 1e-3)
    assert torch.equal(torch.cat(outputs[:2]), seen[0]["ecg_aligned"])
    assert torch.allclose(torch.cat(outputs[2:]), seen[0]["ecg_aligned"], atol=1e-6)


def test_the_same_step_number_gives_the_same_masks_and_another_does_not():
    one = engine()
    first, again, other = (terms_of(one, number)["loss"].item() for number in (1, 1, 2))
    assert first == again != other


def test_averaged_weights_follow_the_formula():
    averaged = engine(ema=0.9)
    before = parameters(averaged)
    averaged.step(0, [micro_batch(averaged)], 1e-2)
    after = parameters(averaged)
    for name, slow in averaged.average.named_parameters():
        assert torch.allclose(slow, 0.9 * before[name] + 0.1 * after[name], atol=1e-6)
    assert averaged.result is averaged.average


@pytest.mark.parametrize("train", [{}, {"ema": 0.9}])
def test_a_non_finite_term_stops_all_later_updates(train):
    broken = engine(**train)
    broken.step(0, [micro_batch(broken)], 1e-3)
    with torch.no_grad():
        broken.task.bias.fill_(float("nan"))
    before = copy.deepcopy(broken.state())
    _, values = broken.step(1, [micro_batch(broken)], 1e-3)
    assert not values.isfinite().all()
    with torch.no_grad():
        broken.task.bias.fill_(0.0)
    broken.step(2, [micro_batch(broken)], 1e-3)
    after = broken.state()
    assert all(torch.equal(before[name], after[name]) for name in before if not name.endswith("/bias"))


def test_state_and_restore_are_inverse():
    first, second = engine(ema=0.5), engine(ema=0.5)
    for number in range(3):
        first.step(number, [micro_batch(first)], 1e-3)
    second.restore({name: value.clone() for name, value in first.state().items()})
    for number in range(3, 5):
        first.step(number, [micro_batch(first)], 1e-3)
        second.step(number, [micro_batch(second)], 1e-3)
    assert all(torch.equal(value, second.state()[name]) for name, value in first.state().items())


def test_bf16_runs_and_agrees_roughly():
    exact, rough = engine(), engine(precision="bf16")
    first, second = (one.step(0, [micro_batch(one)], 1e-3)[1] for one in (exact, rough))
    assert torch.allclose(first[:-1], second[:-1], rtol=0.1, atol=0.05)
    assert all(value.dtype == torch.float32 for value in rough.task.parameters())


def test_gradient_checkpointing_computes_again_and_gives_the_same_weights_with_dropout(monkeypatch):
    recompute, calls = transformer.checkpoint, []
    monkeypatch.setattr(transformer, "checkpoint", lambda *x, **named: calls.append(1) or recompute(*x, **named))
    model = example.MODEL.model_copy(update={"dropout": 0.2})
    monkeypatch.setattr(example, "MODEL", model)
    plain, saving = (engine(gradient_checkpointing=on) for on in (False, True))
    first = plain.step(0, [micro_batch(plain)], 1e-3)[1]
    assert not calls
    assert torch.allclose(first, saving.step(0, [micro_batch(saving)], 1e-3)[1])
    assert calls
    after = parameters(saving)
    assert all(torch.allclose(value, after[name], atol=1e-6) for name, value in parameters(plain).items())


@pytest.mark.long
def test_compiled_it_trains_to_the_same_weights_under_the_same_names(monkeypatch):
    compiled, calls = torch.compile, []
    monkeypatch.setattr(torch, "compile", lambda module: calls.append(1) or compiled(module, backend="eager"))
    plain, fast = engine(), engine(compile=True)
    assert len(calls) == 1
    batch = example.batch(plain.task.model, 9)
    expected, values = (one.step(0, divided(batch, 5, 4), 1e-3)[1] for one in (plain, fast))
    assert torch.allclose(expected, values, rtol=1e-4)
    first, second = plain.state(), fast.state()
    assert first.keys() == second.keys()
    assert all(torch.allclose(value, second[name], atol=1e-5) for name, value in first.items())


def test_masks_are_drawn_on_the_cpu_because_gpus_of_two_kinds_draw_different_numbers():
    assert engine().generator.device.type == "cpu"


@pytest.mark.long
def test_more_widths_of_reports_are_compiled_than_torch_compiles_by_itself(monkeypatch):
    compiled, graphs, after = torch.compile, [], []
    monkeypatch.setattr(
        torch, "compile", lambda task: compiled(task, backend=lambda graph, _: graphs.append(1) or graph.forward)
    )
    one = engine(compile=True)
    batch = example.batch(one.task.model, 4)
    for width in range(4, 14):
        tokens = torch.nn.functional.pad(batch["tokens"][:, :4], (0, width - 4), value=one.task.model.tokenizer.pad)
        one.step(width, [MicroBatch({**batch, "tokens": tokens}, (4,), 1.0)], 1e-4)
        after.append(len(graphs))
    assert all(later > earlier for earlier, later in itertools.pairwise(after))


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor compiles C++ on a CPU")
def test_compiled_by_inductor_it_trains_to_the_same_weights():
    plain, fast = engine(), engine(compile=True)
    for number in range(2):
        expected, values = (one.step(number, [micro_batch(one)], 1e-3)[1] for one in (plain, fast))
        assert torch.allclose(expected, values, rtol=1e-3, atol=1e-5)
    first, second = plain.state(), fast.state()
    assert first.keys() == second.keys()
    trained = [name for name in first if not name.startswith("optimiser/")]
    assert all(torch.allclose(first[name], second[name], atol=1e-4) for name in trained)


def test_precision_is_said_and_not_left_to_defaults():
    torch.backends.cudnn.benchmark = True
    set_precision()
    assert torch.get_float32_matmul_precision() == "high"
    assert torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_counting_flops_changes_nothing_and_leaves_out_what_is_recomputed():
    plain, saving = (engine(gradient_checkpointing=on) for on in (False, True))
    before = copy.deepcopy(saving.state())
    assert plain.flops(micro_batch(plain)) == saving.flops(micro_batch(saving)) > 0
    assert all(torch.equal(value, saving.state()[name]) for name, value in before.items())
    assert all(block.checkpointing for block in saving.task.modules() if isinstance(block, transformer.Transformer))
    assert all(parameter.grad is None for parameter in saving.task.parameters())


def test_a_gpu_gets_pinned_memory_from_the_threads_that_read(monkeypatch):
    one = engine()
    batch = micro_batch(one).batch
    assert one.pin(batch) is batch
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor + 0)
    one.device = torch.device("cuda")
    pinned = one.pin(batch)
    assert pinned["signal"].dtype == torch.int16
    assert all(pinned[name] is not batch[name] for name in batch if name != "full")


def test_measuring_changes_nothing_and_repeats():
    one = engine()
    before = copy.deepcopy(one.state())
    first, second = (one.measure(iter([[micro_batch(one)]])) for _ in range(2))
    assert first == second
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())


@pytest.mark.parametrize("kind", ["cross_covariance", "hsic", "cosine"])
def test_a_measurement_does_not_depend_on_how_its_batches_are_divided(kind):
    one = engine({"orthogonality_kind": kind}, ema=0.5)
    batch = example.batch(one.task.model, 14, short=(2,))
    expected, values = (one.measure(iter([divided(batch, *sizes)])) for sizes in ((14,), (6, 5, 3)))
    assert values == pytest.approx(expected, rel=1e-5)
