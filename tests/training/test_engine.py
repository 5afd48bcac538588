"""One step: accumulation, averaged weights, precision, and what a non-finite term leaves behind."""

import copy

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


def parameters(of):
    return {name: value.detach().clone() for name, value in of.task.named_parameters()}


def test_a_step_is_adamw_on_the_clipped_gradient():
    ours, plain = engine(clip=0.5), engine(clip=0.5)
    names, values = ours.step(3, [micro_batch(ours)], 1e-2)
    loss = plain.terms(micro_batch(plain), 3, 0)["loss"]
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


def test_accumulated_micro_batches_average_by_their_records():
    """With terms that are means over records, a step is the same in any division (SigLIP has fewer negatives)."""
    means = {"contrastive": 0.0, "orthogonality_kind": "cosine"}
    split = engine(means)
    whole_batch = example.batch(split.task.model, 6)
    pieces = []
    for index, rows in enumerate((slice(0, 4), slice(4, 6))):
        batch = {name: value if name == "full" else value[rows] for name, value in whole_batch.items()}
        pieces.append(MicroBatch(batch, (len(batch["row"]),), (4, 2)[index] / 6))
    noise = split.draw_noise((6,), 0, "any")
    slices = {4: slice(0, 4), 2: slice(4, 6), 6: slice(0, 6)}
    whole = engine(means)
    for one in (split, whole):
        one.draw_noise = lambda sizes, *_: {name: value[slices[sizes[0]]] for name, value in noise.items()}
    _, in_pieces = split.step(0, pieces, 1e-3)
    _, at_once = whole.step(0, [MicroBatch(whole_batch, (6,), 1.0)], 1e-3)
    assert torch.allclose(in_pieces, at_once, rtol=1e-4)


def test_the_same_step_number_gives_the_same_masks_and_another_does_not():
    one = engine()
    first, again, other = (one.terms(micro_batch(one), number, 0)["loss"].item() for number in (1, 1, 2))
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


def test_compiled_it_trains_to_the_same_weights_under_the_same_names(monkeypatch):
    compiled, calls = torch.compile, []
    monkeypatch.setattr(torch, "compile", lambda module: calls.append(1) or compiled(module, backend="eager"))
    plain, fast = engine(), engine(compile=True)
    assert len(calls) == 1
    expected, values = (one.step(0, [micro_batch(one)], 1e-3)[1] for one in (plain, fast))
    assert torch.allclose(expected, values, rtol=1e-4)
    first, second = plain.state(), fast.state()
    assert first.keys() == second.keys()
    assert all(torch.allclose(value, second[name], atol=1e-5) for name, value in first.items())


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
    first, second = (one.measure(iter([micro_batch(one)])) for _ in range(2))
    assert first == second
    assert all(torch.equal(value, one.state()[name]) for name, value in before.items())
