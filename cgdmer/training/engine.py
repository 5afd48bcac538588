"""The training engine: one step, and the state it changes (weights, optimiser, averaged weights, non-finite flag)."""

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
from cgdmer.models.cgdmer import Batch, Outputs, take_rows
from cgdmer.models.masking import Noise
from cgdmer.models.transformer import Transformer
from cgdmer.objectives import Cached, RankLayout
from cgdmer.settings import Train
from cgdmer.training import optimiser
from cgdmer.training.records import MicroBatch, mix_seed
from cgdmer.training.throughput import count_flops


class Task(Protocol):
    """What is trained: a module that turns a batch and its noise into `loss` and the named terms.

    Terms across records are those whose value for a record depends on the other records of the batch.
    """

    def draw_noise(self, records: int, generator: torch.Generator) -> Noise: ...

    def __call__(
        self, batch: Batch, noise: Noise, rank_layout: RankLayout | None = None, cached: Cached | None = None, *,
        only_vectors: bool = False,
    ) -> dict[str, Tensor]: ...  # fmt: skip

    def cache(self, vectors: Outputs, ids: Tensor, rank_layout: RankLayout) -> Cached | None: ...

    def terms_across_records(self, outputs: Outputs, ids: Tensor, rank_layout: RankLayout) -> dict[str, Tensor]: ...


COMPILATIONS = 64
"""Most forms of a batch for which a task is compiled; torch runs all others without, which it logs."""


class Engine:
    """Trains a task. Between steps, `state` describes it completely."""

    def __init__(self, task: nn.Module, train: Train, world: World) -> None:
        set_precision()
        if world.device.type == "cpu":
            environment.keep_freed_memory()
        self.train, self.world, self.device = train, world, world.device
        self.task = task.to(self.device)
        set_gradient_checkpointing(task, train.gradient_checkpointing)
        self.names = {id(parameter): name for name, parameter in task.named_parameters()}
        self.optimiser = optimiser.create(task, train)
        self.non_finite = torch.zeros((), device=self.device)
        self.optimiser.skip_while(self.non_finite)
        self.average = copy.deepcopy(task).requires_grad_(False) if train.ema else None
        self.generator = torch.Generator()  # of the CPU, because GPUs of two kinds draw different numbers
        self.updating = False
        self.local = cast(Callable[..., dict[str, Tensor]], compiled(task) if train.compile else self.task)
        self.forward = self._data_parallel() if world.size > 1 else self.local

    def _data_parallel(self) -> Callable[..., dict[str, Tensor]]:
        """Return the task with gradients that are averaged over the ranks."""
        devices = [self.device.index] if self.device.type == "cuda" else None
        parallel = DistributedDataParallel(cast(nn.Module, self.local), device_ids=devices)
        parallel.broadcast_buffers = False  # as an argument it is deprecated from torch 2.13 on
        return parallel

    @property
    def bf16(self) -> bool:
        return self.train.precision == "bf16" or (self.train.precision == "auto" and self.device.type == "cuda")

    def step(self, number: int, micro_batches: Sequence[MicroBatch], rate: float) -> tuple[list[str], Tensor]:
        """Update the weights once; return names and values of the terms, averaged over the global batch.

        The last value is the gradient norm. When any value is not finite, this and all later updates are skipped on the
        device, so the weights that produced it are kept.
        """
        self.task.train()
        noises = self.draw_noises(micro_batches, number)
        caches = self.cache(micro_batches, noises, number) if len(micro_batches) > 1 else [None]
        totals: dict[str, Tensor] = {}
        for index, (micro_batch, noise, cached) in enumerate(zip(micro_batches, noises, caches, strict=True)):
            last = index == len(micro_batches) - 1
            with nullcontext() if last or self.world.size == 1 else self.forward.no_sync():  # type: ignore[attr-defined]
                terms = self.run_task(self.forward, micro_batch, noise, number, index, cached)
                (terms["loss"] * micro_batch.weight).backward()
            for name, value in terms.items():
                totals[name] = totals.get(name, 0) + value.detach().float() * micro_batch.weight
        return self._update(totals, rate)

    def cache(
        self, micro_batches: Sequence[MicroBatch], noises: Sequence[Noise], number: int
    ) -> Sequence[Cached | None]:
        """Compute the terms across records on the whole batch, and return them with each micro-batch's gradients.

        So a step does not depend on how its batch is divided. The vectors are computed without gradients here and again
        with gradients by `step`, which costs a forward pass.
        """
        with torch.no_grad():
            separate = [
                self.run_task(self.local, micro_batch, noise, number, index, only_vectors=True)
                for index, (micro_batch, noise) in enumerate(zip(micro_batches, noises, strict=True))
            ]
        vectors, ids = self._concatenate(micro_batches, separate)
        sizes = tuple(map(sum, zip(*(micro_batch.sizes for micro_batch in micro_batches), strict=True)))
        whole = cast(Task, self.task).cache(vectors, ids, self.rank_layout(sizes))
        if whole is None:
            return [None] * len(micro_batches)
        caches, begin = [], 0
        for micro_batch in micro_batches:
            end = begin + micro_batch.sizes[self.world.rank]
            gradients = {
                name: value[begin:end] / micro_batch.weight if name in vectors else value
                for name, value in whole.gradients.items()
            }
            caches.append(Cached(whole.terms, gradients))
            begin = end
        return caches

    def _concatenate(self, micro_batches: Sequence[MicroBatch], vectors: Sequence[Outputs]) -> tuple[Outputs, Tensor]:
        """Return the vectors of all micro-batches and the numbers of their reports, one after another."""
        ids = torch.cat([micro_batch.batch["report"] for micro_batch in micro_batches]).to(self.device)
        return {name: torch.cat([one[name] for one in vectors]) for name in vectors[0]}, ids

    def rank_layout(self, sizes: tuple[int, ...]) -> RankLayout:
        """Return how a batch with `sizes` records per rank lies on the ranks."""
        gather_rows = partial(gather, sizes=sizes) if self.world.size > 1 else lambda local: [local]
        return RankLayout(sizes, self.world.rank, gather_rows)

    def try_step(self, micro_batches: Sequence[MicroBatch]) -> None:
        """Run a step that changes nothing but allocates what a step needs, the optimiser's state included."""
        self.non_finite.fill_(1)
        self.step(0, micro_batches, 0.0)
        self.non_finite.zero_()

    def release_memory(self) -> None:
        """Free the gradients of a step that ran out of memory."""
        self.optimiser.zero_grad(set_to_none=True)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def run_task(
        self, forward: Callable[..., dict[str, Tensor]], micro_batch: MicroBatch, noise: Noise, number: int, index: int,
        cached: Cached | None = None, *, only_vectors: bool = False,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Run the task on micro-batch `index` of step `number`; (seed, step, index) decide its dropout."""
        torch.manual_seed(mix_seed(self.train.seed, "dropout", number, index, self.world.rank))
        rank_layout = self.rank_layout(micro_batch.sizes)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return forward(self.to_device(micro_batch.batch), noise, rank_layout, cached, only_vectors=only_vectors)

    def draw_noises(self, micro_batches: Sequence[MicroBatch], number: int) -> list[Noise]:
        """Draw this rank's noise for each micro-batch; a record's place in the step's batch decides its masks."""
        sizes = tuple(size for micro_batch in micro_batches for size in micro_batch.sizes)
        chunks = [index * len(micro_batch.sizes) + self.world.rank for index, micro_batch in enumerate(micro_batches)]
        return [self.draw_noise(sizes, chunk, "train", number, 0) for chunk in chunks]

    def draw_noise(self, sizes: tuple[int, ...], chunk: int, *purpose: object) -> Noise:
        """Draw the noise of a whole batch and return the rows of one chunk of it; `sizes` counts those of each."""
        self.generator.manual_seed(mix_seed(self.train.seed, "masks", *purpose))
        begin = sum(sizes[:chunk])
        noise = cast(Task, self.task).draw_noise(sum(sizes), self.generator)
        rows = slice(begin, begin + sizes[chunk])
        return {name: values[rows].to(self.device, non_blocking=True) for name, values in noise.items()}

    def pin(self, batch: Batch) -> Batch:
        """Copy a batch into pinned memory for a GPU; called by the threads that prefetch."""
        if self.device.type == "cpu":
            return batch
        return cast(Batch, {k: v.pin_memory() if isinstance(v, Tensor) else v for k, v in batch.items()})

    def to_device(self, batch: Batch) -> Batch:
        """Send a batch to the device in its stored form, int16; it is scaled there."""
        if self.device.type == "cpu":
            return batch
        moved = {
            name: value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value
            for name, value in batch.items()
        }
        return cast(Batch, moved)

    def flops(self, micro_batch: MicroBatch) -> int:
        """Count the FLOPs of training on one record, measured on a few, without recomputation and without effect."""
        few = min(4, len(micro_batch.batch["signal"]))
        batch = take_rows(micro_batch.batch, slice(few))
        noise = self.draw_noise((few,), 0, "flops")
        self.task.train()
        set_gradient_checkpointing(self.task, False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            total = count_flops(lambda: self.task(self.to_device(batch), noise)["loss"])
        set_gradient_checkpointing(self.task, self.train.gradient_checkpointing)
        self.optimiser.zero_grad(set_to_none=True)
        return total // few

    def _update(self, totals: dict[str, Tensor], rate: float) -> tuple[list[str], Tensor]:
        """Clip the gradients, apply them, and average the terms over the ranks."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["lr_scale"]
        norm = torch.nn.utils.clip_grad_norm_(self.task.parameters(), self.train.clip, foreach=True)
        values = torch.stack([*totals.values()])
        if self.world.size > 1:
            torch.distributed.all_reduce(values)
            values /= self.world.size
        values = torch.cat([values, norm[None].float()])
        self.non_finite.copy_(torch.maximum(self.non_finite, (~values.isfinite()).any().float()))
        self.updating = True  # an error from here on may leave some weights updated and others not
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self._update_average(self.average)
        self.updating = False
        return [*totals, "gradient_norm"], values

    @torch.no_grad()
    def _update_average(self, average: nn.Module) -> None:
        """Move the averaged weights towards the weights, except after a non-finite value."""
        amount = (1 - self.train.ema) * (1 - self.non_finite)
        for averaged, current in zip(average.parameters(), self.task.parameters(), strict=True):
            averaged.lerp_(current, amount)

    @property
    def result(self) -> nn.Module:
        """The trained module: the averaged weights if there are any."""
        return self.task if self.average is None else self.average

    @torch.no_grad()
    def measure(self, batches: Iterator[Sequence[MicroBatch]]) -> dict[str, float]:
        """Return the mean of each term over held-out batches, with masks that the seed alone decides.

        Each batch is a sequence of micro-batches; the result does not depend on its division.
        """
        module = cast(Task, self.result.eval())
        totals: dict[str, float] = {}
        for index, micro_batches in enumerate(batches):
            sizes = tuple(micro_batch.sizes[0] for micro_batch in micro_batches)
            noises = [self.draw_noise(sizes, chunk, "held out", index) for chunk in range(len(sizes))]
            pairs, cached = list(zip(micro_batches, noises, strict=True)), None
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                if len(pairs) > 1:
                    vectors = [module(self.to_device(one.batch), noise, only_vectors=True) for one, noise in pairs]
                    whole, ids = self._concatenate(micro_batches, vectors)
                    with torch.autocast(self.device.type, enabled=False):
                        cached = Cached(module.terms_across_records(whole, ids, RankLayout((sum(sizes),))), {})
                for micro_batch, noise in pairs:
                    terms = module(self.to_device(micro_batch.batch), noise, None, cached)
                    for name, value in terms.items():
                        totals[name] = totals.get(name, 0.0) + value.item() * micro_batch.weight
        return totals

    def state(self) -> dict[str, Tensor]:
        """Return all tensors that a resumed run needs."""
        tensors = {f"weights/{name}": value for name, value in self.task.state_dict().items()}
        tensors |= optimiser.state_tensors(self.optimiser, self.names)
        if self.average is not None:
            tensors |= {f"average/{name}": value for name, value in self.average.state_dict().items()}
        return tensors

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Load what `state` returned; every name must match."""
        for module, prefix in ((self.task, "weights/"), (self.average, "average/")):
            if module is not None:
                module.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
        optimiser.restore_state(self.optimiser, self.names, tensors)


def compiled(task: nn.Module) -> object:
    """Compile a task; it is compiled anew for each width of the reports, each size of a batch, and missing leads."""
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, COMPILATIONS)
    return torch.compile(task)


def set_gradient_checkpointing(task: nn.Module, on: bool) -> None:
    """Let transformer blocks recompute their activations in the backward pass, or keep them."""
    for module in task.modules():
        if isinstance(module, Transformer):
            module.checkpointing = on


def set_precision() -> None:
    """Set what torch leaves to defaults: TF32 where fp32 is used, and the same cuDNN kernels in every run."""
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
