"""Data parallelism: ranks, gathering with gradients, and starting one process per device."""

import atexit
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, start_processes

from cgdmer import environment
from cgdmer.errors import CgdmerError, ConfigError, DataError, Preempted, TrainingStopped

GRACE = 30.0
"""Seconds that the other processes have to stop by themselves after one has failed."""


@dataclass(frozen=True)
class World:
    """This process among those that work together."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """True on rank 0, the only one that writes results."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait until all processes have come here."""
        if self.size > 1:
            dist.barrier()

    def agree(self, number: int, what: str) -> int:
        """Return `number` if it is the same in all processes, else raise DataError; `what` says what it counts."""
        if self.size == 1:
            return number
        extremes = torch.tensor([number, -number], device=self.device)
        dist.all_reduce(extremes, dist.ReduceOp.MAX)
        largest, smallest = int(extremes[0]), -int(extremes[1])
        if largest != smallest:
            raise DataError(
                f"processes found {what} from {smallest} to {largest}",
                allowed="one project folder for all machines",
                fix="put the project on a shared file system, then run it again on every machine",
            )
        return number


def join() -> World:
    """Join the processes that `torchrun` or `launch` started; alone, return a world of one.

    ConfigError when CGDMER_DEVICE names a device that does not exist.
    """
    size, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    device = choose_device(local)
    if size == 1:
        return World(0, 1, device)
    if not dist.is_initialized():
        on_gpu = device.type == "cuda"
        dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
        atexit.register(leave)
    return World(dist.get_rank(), size, device)


def leave() -> None:
    """Leave the process group, if this process has joined one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def choose_device(local: int = 0) -> torch.device:
    """Return the device CGDMER_DEVICE; `auto` is the GPU numbered `local` if there is any, else the CPU."""
    name = environment.read().device
    if name == "auto":
        name = f"cuda:{local}" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"CGDMER_DEVICE={name}", allowed="auto, cpu, cuda, cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"CGDMER_DEVICE={name}, but torch sees no GPU", fix="export CGDMER_DEVICE=cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


def process_count() -> int:
    """Return how many processes to use, from CGDMER_DEVICES; 1 when this process is one of several already.

    ConfigError when CGDMER_DEVICES is neither `auto` nor a positive number.
    """
    if "WORLD_SIZE" in os.environ:
        return 1
    devices = environment.read().devices
    if devices == "auto":
        on_gpu = environment.read().device in ("auto", "cuda") and torch.cuda.is_available()
        return torch.cuda.device_count() if on_gpu else 1
    if not devices.isdigit() or int(devices) < 1:
        raise ConfigError(f"CGDMER_DEVICES={devices}", allowed="auto, or a whole number from 1")
    return int(devices)


def launch(count: int, function: Callable[..., None], *arguments: Any) -> None:
    """Call a module-level function in `count` processes and wait for them.

    A SIGTERM or SIGINT of this process becomes a SIGTERM of each.

    On several machines, run `torchrun --nnodes ... -m cgdmer run pretrain` on each one instead. Raises the error class
    of the process that failed.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = start_processes(
        _enter, (count, port, function, arguments), nprocs=count, join=False, start_method="spawn"
    )
    assert isinstance(context, ProcessContext)

    def pass_on(number: int, frame: FrameType | None) -> None:
        for pid in context.pids():
            os.kill(pid, signal.SIGTERM)
        if number == signal.SIGINT:  # a second one ends this process at once
            signal.signal(number, signal.default_int_handler)

    previous_handlers = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        while not context.join(grace_period=GRACE):
            pass
    except ProcessExitedException as error:
        kinds = {kind.code: kind for kind in (Preempted, TrainingStopped, ConfigError, DataError)}
        kind = kinds.get(error.exit_code, CgdmerError)
        raise kind(f"{error}; its own message is above", fix="run it again") from error
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)


def _enter(rank: int, count: int, port: int, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run one of the launched processes; an error of this package is logged once and becomes the exit code."""
    variables: dict[str, object] = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
    variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        function(*arguments)
    except CgdmerError as error:
        logging.getLogger(__name__).error("%s", error)
        raise SystemExit(error.code) from error
    finally:
        leave()


@contextmanager
def threads(processes: int) -> Iterator[None]:
    """Give each of `processes` an equal share of the CPUs as torch threads, unless OMP_NUM_THREADS sets their number.

    On several machines, each divides its own CPUs among its own processes. Sums may differ in the last bit with the
    number of threads.
    """
    previous, processes = torch.get_num_threads(), int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // processes))
    try:
        yield
    finally:
        torch.set_num_threads(previous)


class _Gather(torch.autograd.Function):
    """Gathers all ranks' rows, of equal shape; the gradient of a rank's rows is the sum over all ranks."""

    @staticmethod
    def forward(ctx: Any, local: Tensor) -> tuple[Tensor, ...]:
        rows = [torch.empty_like(local) for _ in range(dist.get_world_size())]
        dist.all_gather(rows, local.contiguous())
        return tuple(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = torch.stack(gradients)
        dist.all_reduce(total)
        return total[dist.get_rank()]


def gather(local: Tensor, sizes: tuple[int, ...]) -> list[Tensor]:
    """Return every rank's rows (sizes[rank], ...), with gradients; ranks may hold different numbers of rows."""
    padding = max(sizes) - len(local)
    padded = torch.cat([local, local.new_zeros(padding, *local.shape[1:])]) if padding else local
    gathered = _Gather.apply(padded)  # type: ignore[no-untyped-call]
    return [rows[:size] for rows, size in zip(gathered, sizes, strict=True)]
