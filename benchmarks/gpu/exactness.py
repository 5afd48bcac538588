"""What must be exact or nearly so: divided batches, bf16, and a run that was killed and resumed."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.gpu.plan import Bench
from benchmarks.gpu.result import Measurement
from benchmarks.gpu.training import RATE, release
from benchmarks.pretrain_setup import fetcher
from cgdmer.distributed import World, choose_device
from cgdmer.shards import open_shards
from cgdmer.training import Records, checkpoint, fit
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch, split_micro_batches

DIVISIONS = (2, 4)
LOSS_TOLERANCE, GRADIENT_TOLERANCE = 1e-5, 1e-4
"""Largest relative differences of a divided step in fp32: of the loss, and of all gradients together (L2 norm)."""
CURVE_TOLERANCE = 0.02
"""Largest relative difference between the mean losses of bf16 and fp32 over the last quarter of the steps."""
NOISE = 10
"""A resumed run may differ from an uninterrupted one by so many times the difference of two uninterrupted ones."""


def accumulation(bench: Bench) -> list[Measurement]:
    """Compare loss and gradients of a divided batch with those of the whole one, in fp32 without TF32 or dropout.

    The baseline is plain accumulation, which compares the records of each micro-batch with each other only.
    """
    engine = bench.engine(batch=bench.plan.accumulated, precision="fp32")
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    without_dropout(engine)
    keep = keep_gradients(engine)
    whole = one_step(engine, bench, 1, keep)
    rows = []
    for count in DIVISIONS:
        ours = difference(one_step(engine, bench, count, keep), whole)
        cache, engine.cache = engine.cache, lambda micro_batches, *_: [None] * len(micro_batches)  # type: ignore[method-assign]
        plain = difference(one_step(engine, bench, count, keep), whole)
        engine.cache = cache  # type: ignore[method-assign]
        for name, tolerance, index in (("loss", LOSS_TOLERANCE, 0), ("gradient", GRADIENT_TOLERANCE, 1)):
            rows.append(
                Measurement(
                    f"{name} at accumulate {count}", ours[index], "relative difference", plain[index],
                    "plain accumulation", f"at most {tolerance:g}", ours[index] <= tolerance, required=True,
                )
            )  # fmt: skip
    return rows


def without_dropout(engine: Engine) -> None:
    """Switch dropout off, whose draws depend on the division of a batch and on its number format."""
    for module in engine.task.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def keep_gradients(engine: Engine) -> dict[str, Tensor]:
    """Make the steps of an engine leave the weights as they are, and return where they put loss and gradients."""
    kept: dict[str, Tensor] = {}

    def keep(totals: dict[str, Tensor], rate: float) -> tuple[list[str], Tensor]:
        kept.clear()
        kept.update({name: p.grad.detach().clone() for name, p in engine.task.named_parameters() if p.grad is not None})
        kept["loss"] = totals["loss"].detach().clone()
        engine.optimiser.zero_grad(set_to_none=True)
        return [*totals], torch.stack([*totals.values()])

    engine._update = keep  # type: ignore[method-assign]
    return kept


def one_step(engine: Engine, bench: Bench, accumulate: int, kept: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return loss and gradients of the first step, with its batch divided into `accumulate` micro-batches."""
    shards = open_shards(bench.corpus)
    records = Records(shards, np.arange(len(shards)), engine.task.model.tokenizer)  # type: ignore[union-attr,arg-type]
    split = split_micro_batches(np.arange(min(engine.train.batch, len(shards))), accumulate, 1)
    engine.step(0, [MicroBatch(records(rows), (len(rows),), weight) for (rows,), weight in split], 0.0)
    return dict(kept)


def difference(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> tuple[float, float]:
    """Return the relative differences of the losses, and of all gradients as one vector."""
    loss = float((one["loss"] - other["loss"]).abs() / other["loss"].abs())
    names = [name for name in other if name != "loss"]
    squared = sum(float((one[name] - other[name]).double().square().sum()) for name in names)
    norm = sum(float(other[name].double().square().sum()) for name in names)
    return loss, (squared / norm) ** 0.5


def precision(bench: Bench) -> list[Measurement]:
    """Compare the loss curves of bf16 and fp32 (with TF32): same weights, records and masks."""
    curves = {}
    for kind in ("fp32", "bf16"):
        curves[kind] = curve(bench.engine(batch=bench.plan.curve_batch, precision=kind), bench)
        release()
    last = {name: float(np.mean(values[-max(1, len(values) // 4) :])) for name, values in curves.items()}
    end = abs(last["bf16"] - last["fp32"]) / abs(last["fp32"])
    largest = max(abs(b - f) / abs(f) for b, f in zip(curves["bf16"], curves["fp32"], strict=True))
    return [
        Measurement(
            "difference of the last quarter", end, "relative", goal=f"at most {CURVE_TOLERANCE:g}",
            reached=end <= CURVE_TOLERANCE, required=True, note=f"mean losses, of {bench.plan.curve_steps} steps",
        ),
        Measurement("largest difference of a step", largest, "relative"),
        Measurement("last loss", curves["bf16"][-1], "", curves["fp32"][-1], "fp32"),
        Measurement("first loss", curves["bf16"][0], "", curves["fp32"][0], "fp32"),
    ]  # fmt: skip


def curve(engine: Engine, bench: Bench) -> list[float]:
    """Return the loss of each step, without dropout."""
    without_dropout(engine)
    fetch, losses = fetcher(engine, bench.corpus), []
    for step in range(bench.plan.curve_steps):
        names, values = engine.step(step, fetch(step), RATE)
        losses.append(values[names.index("loss")])
    return [float(loss) for loss in losses]


def resume(bench: Bench) -> list[Measurement]:
    """Kill a run, resume it, and compare its weights with an uninterrupted run's; both use deterministic kernels.

    The victim is forked before this process uses the GPU.
    """
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(True, warn_only=True)
    small = replace(bench, plan=bench.plan.small())
    folder = bench.scratch / "killed"
    kill = kill_after_a_checkpoint(folder, run_settings(small)["checkpoint_steps"])
    victim = get_context("fork").Process(target=train, args=(small, folder, kill))
    victim.start()
    victim.join()
    if victim.exitcode != -signal.SIGKILL:
        raise RuntimeError(f"the run that was to be killed ended with exit code {victim.exitcode}")
    newest = checkpoint.newest(folder)
    if newest is None:
        raise RuntimeError("the killed run left no checkpoint")
    resumed, first = (train(small, bench.scratch / name) for name in ("killed", "first"))
    apart = distance(resumed, first)
    noise = distance(train(small, bench.scratch / "second"), first) if apart else 0.0  # else there is nothing to excuse
    return [
        Measurement("checkpoint that was resumed", newest.step, "steps"),
        Measurement(
            "largest difference of a weight", apart, "", noise if apart else None,
            "two uninterrupted runs" if apart else None,
            f"at most {NOISE} x that of two uninterrupted runs", apart <= NOISE * noise, required=True,
            note="equal bit for bit" if apart == 0 else None,
        ),
    ]  # fmt: skip


def train(bench: Bench, folder: Path, log: Callable[[int, Any], None] = lambda *_: None) -> dict[str, Tensor]:
    """Train to the end, from the newest checkpoint in `folder`, and return the weights on the host."""
    chosen = bench.plan.chosen(**run_settings(bench))
    task, device = bench.task(chosen), choose_device()
    shards = open_shards(bench.corpus)
    source = Records(shards, np.arange(len(shards)), task.model.tokenizer)
    fit(task, source, (len(source), 0), chosen.train, world=World(0, 1, device), folder=folder, log_metrics=log)
    return {name: value.detach().cpu().clone() for name, value in task.state_dict().items()}


def run_settings(bench: Bench) -> dict[str, Any]:
    """Return the settings of section train for the run that is killed: a checkpoint every quarter of its steps."""
    steps = bench.plan.resume_epochs * -(-bench.plan.records // bench.plan.resume_batch)
    quarter = max(1, steps // 4)
    return {
        "batch": bench.plan.resume_batch, "epochs": bench.plan.resume_epochs, "checkpoint_steps": quarter,
        "held_out": 0, "select": "last",
    }  # fmt: skip


def kill_after_a_checkpoint(folder: Path, due: int) -> Callable[[int, Any], None]:
    """Return a function that kills its process by SIGKILL one step after the first checkpoint, once that is written.

    `due` is the step of the first checkpoint, which a thread writes.
    """

    def kill(step: int, _: Any) -> None:
        while step > due and not list(folder.glob("step-*.json")):
            time.sleep(0.01)
        if step > due:
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return the largest absolute difference between two sets of weights."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in other if other[name].numel())
