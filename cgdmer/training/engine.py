"""Owns one training step and the state it changes: weights, optimiser, averaged weights, the non-finite flag."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cgdmer import environment
from cgdmer.distributed import World, gather
from cgdmer.models.cgdmer import Batch
from cgdmer.models.masking import Noise
from cgdmer.models.transformer import Transformer
from cgdmer.objectives import Spread
from cgdmer.settings import Train
from cgdmer.training import checkpoint, schedule
from cgdmer.training.records import MicroBatch, mixed
from cgdmer.training.speed import count_flops


class Task(Protocol):
    """What is trained: a module that turns a batch and its noise into `loss` and the named terms."""

    def noise(self, records: int, generator: torch.Generator) -> Noise: ...

    def __call__(self, batch: Batch, drawn: Noise, spread: Spread | None = None) -> dict[str, Tensor]: ...


class Engine:
    """Trains a task; every method leaves it in a state that `state` describes completely."""

    def __init__(self, task: nn.Module, train: Train, world: World) -> None:
        set_precision()
        if world.device.type == "cpu":
            environment.keep_freed_memory()
        self.train, self.world, self.device = train, world, world.device
        self.task = task.to(self.device)
        recompute(task, train.gradient_checkpointing)
        self.names = {id(parameter): name for name, parameter in task.named_parameters()}
        self.optimiser = schedule.optimiser(task, train)
        self.bad = torch.zeros((), device=self.device)
        self.optimiser.found_inf = self.bad  # type: ignore[attr-defined]  # fused AdamW skips its update where it is 1
        self.average = copy.deepcopy(task).requires_grad_(False) if train.ema else None
        self.generator = torch.Generator(self.device)
        self.forward = self._wrapped()

    def _wrapped(self) -> Callable[..., dict[str, Tensor]]:
        module = torch.compile(self.task) if self.train.compile else self.task
        if self.world.size > 1:
            devices = [self.device.index] if self.device.type == "cuda" else None
            module = DistributedDataParallel(module, device_ids=devices, broadcast_buffers=False)
        return cast(Callable[..., dict[str, Tensor]], module)

    @property
    def bf16(self) -> bool:
        return self.train.precision == "bf16" or (self.train.precision == "auto" and self.device.type == "cuda")

    def step(self, number: int, micro: Sequence[MicroBatch], rate: float) -> tuple[list[str], Tensor]:
        """Update the weights once; return the names and values of the terms, a mean over the global batch.

        The values end with the gradient norm. When anything is not finite, this update and all later ones are skipped
        on the device, so the weights stay those that made it.
        """
        self.task.train()
        totals: dict[str, Tensor] = {}
        for place, part in enumerate(micro):
            last = place == len(micro) - 1
            with nullcontext() if last or self.world.size == 1 else self.forward.no_sync():  # type: ignore[attr-defined]
                terms = self.terms(part, number, place)
                (terms["loss"] * part.weight).backward()
            for name, value in terms.items():
                totals[name] = totals.get(name, 0) + value.detach().float() * part.weight
        return self._update(totals, rate)

    def terms(self, part: MicroBatch, number: int, place: int) -> dict[str, Tensor]:
        """Run the task on one micro-batch with the randomness of (seed, step, micro-batch)."""
        drawn = self.drawn(part.sizes, self.world.rank, "train", number, place)
        torch.manual_seed(mixed(self.train.seed, "dropout", number, place, self.world.rank))
        sizes = part.sizes
        several = partial(gather, sizes=sizes) if self.world.size > 1 else lambda local: [local]
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return self.forward(self.placed(part.batch), drawn, Spread(sizes, self.world.rank, several))

    def drawn(self, sizes: tuple[int, ...], rank: int, *place: object) -> Noise:
        """Draw the whole batch's noise and keep this rank's rows, so that masks do not depend on the ranks."""
        self.generator.manual_seed(mixed(self.train.seed, "masks", *place))
        begin = sum(sizes[:rank])
        noise = cast(Task, self.task).noise(sum(sizes), self.generator)
        return {name: values[begin : begin + sizes[rank]] for name, values in noise.items()}

    def pinned(self, batch: Batch) -> Batch:
        """Lay a batch where a GPU can fetch it by itself; called by the threads that read ahead."""
        if self.device.type == "cpu":
            return batch
        return cast(Batch, {k: v.pin_memory() if isinstance(v, Tensor) else v for k, v in batch.items()})

    def placed(self, batch: Batch) -> Batch:
        """Send a batch to the device as it is stored: int16, scaled there."""
        if self.device.type == "cpu":
            return batch
        moved = {
            name: value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value
            for name, value in batch.items()
        }
        return cast(Batch, moved)

    def flops(self, part: MicroBatch) -> int:
        """Count the FLOPs of training on one record: on a few, nothing recomputed, and without changing anything."""
        few = min(4, len(part.batch["signal"]))
        batch = {name: value[:few] if isinstance(value, Tensor) else value for name, value in part.batch.items()}
        drawn = self.drawn((few,), 0, "flops")
        self.task.train()
        recompute(self.task, False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            counted = count_flops(lambda: self.task(self.placed(cast(Batch, batch)), drawn)["loss"])
        recompute(self.task, self.train.gradient_checkpointing)
        self.optimiser.zero_grad(set_to_none=True)
        return counted // few

    def _update(self, totals: dict[str, Tensor], rate: float) -> tuple[list[str], Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(self.task.parameters(), self.train.clip, foreach=True)
        values = torch.stack([*totals.values()])
        if self.world.size > 1:
            torch.distributed.all_reduce(values)
            values /= self.world.size
        values = torch.cat([values, norm[None].float()])
        self.bad.copy_(torch.maximum(self.bad, (~values.isfinite()).any().float()))
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self._follow(self.average)
        return [*totals, "gradient_norm"], values

    @torch.no_grad()
    def _follow(self, average: nn.Module) -> None:
        """Move the averaged weights towards the weights, not at all once a loss was not finite."""
        amount = (1 - self.train.ema) * (1 - self.bad)
        for slow, fast in zip(average.parameters(), self.task.parameters(), strict=True):
            slow.lerp_(fast, amount)

    @property
    def result(self) -> nn.Module:
        """The weights that count: averaged ones where they are kept."""
        return self.task if self.average is None else self.average

    @torch.no_grad()
    def measure(self, batches: Iterator[MicroBatch]) -> dict[str, float]:
        """Mean of each term over held-out batches, masks fixed by the seed."""
        module = self.result.eval()
        totals: dict[str, float] = {}
        for place, part in enumerate(batches):
            drawn = self.drawn(part.sizes, 0, "held out", place)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                terms = module(self.placed(part.batch), drawn)
            for name, value in terms.items():
                totals[name] = totals.get(name, 0.0) + value.item() * part.weight
        return totals

    def state(self) -> dict[str, Tensor]:
        """All tensors that a resumed run needs."""
        tensors = {f"weights/{name}": value for name, value in self.task.state_dict().items()}
        tensors |= checkpoint.optimiser_tensors(self.optimiser, self.names)
        if self.average is not None:
            tensors |= {f"average/{name}": value for name, value in self.average.state_dict().items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Become what `state` described; strict about every name."""
        for module, prefix in ((self.task, "weights/"), (self.average, "average/")):
            if module is not None:
                module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        checkpoint.restore_optimiser(self.optimiser, self.names, tensors)


def recompute(task: nn.Module, on: bool) -> None:
    """Keep what transformer blocks compute for their backward pass, or compute it again there."""
    for module in task.modules():
        if isinstance(module, Transformer):
            module.checkpointing = on


def set_precision() -> None:
    """Say what torch leaves to defaults: TF32 for what stays fp32, and the same cuDNN kernels in every run."""
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
