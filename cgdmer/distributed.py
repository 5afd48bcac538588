"""Data parallelism: ranks, gathering with gradients, and starting one process per device."""

import atexit
import logging
import os
import signal
import socket
import sys
import threading
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
LEAVE = 60.0
"""Seconds that a process with NCCL waits for the others when its interpreter exits."""
log = logging.getLogger(__name__)


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

    ConfigError when CGDMER_DEVICE names a device that does not exist, or one GPU for several processes.
    """
    size, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    device = choose_device(local)
    if size == 1:
        return World(0, 1, device)
    if not dist.is_initialized():
        on_gpu = device.type == "cuda"
        dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device if on_gpu else None)
        atexit.register(_leave_at_exit)
    return World(dist.get_rank(), size, device)


def leave() -> None:
    """Leave the process group, if this process has joined one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def abort(error: BaseException) -> None:
    """End this process at once, with the error's exit code, if it works with others through NCCL; else do nothing.

    `leave` would wait for the other ranks, which may be stuck in a collective that needs this one. Once the process is
    gone, `launch` or `torchrun` ends them. torch's `_abort_process_group` is no substitute: it may block too, and the
    watchdog thread of NCCL may answer it with SIGABRT, which would replace the exit code. All ranks raise Preempted
    together, so they can leave in good order.
    """
    if isinstance(error, Preempted) or not _uses_nccl():
        return
    if not isinstance(error, CgdmerError):
        log.error("this process failed", exc_info=error)
    try:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(error.code if isinstance(error, CgdmerError) else 1)


def _leave_at_exit() -> None:
    """Leave the process group when the interpreter exits, as under `torchrun`; with NCCL, wait at most LEAVE seconds.

    If this process has failed, which cannot be seen here, the others may be stuck in a collective that needs it.
    """
    if not _uses_nccl():
        leave()
        return
    thread = threading.Thread(target=leave, daemon=True)
    thread.start()
    thread.join(LEAVE)


def _uses_nccl() -> bool:
    return dist.is_initialized() and dist.get_backend() == "nccl"


def choose_device(local: int = 0) -> torch.device:
    """Return the device that CGDMER_DEVICE names, and make a GPU the current one.

    `auto` and `cuda` are the GPU numbered `local`; without any GPU, `auto` is the CPU. ConfigError when there is no
    such GPU, or when several processes would share the one that is named.
    """
    name = environment.read().device
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    number = name.partition(":")[2]
    check_gpus(name, int(os.environ.get("WORLD_SIZE", "1")), int(number or local) + 1)
    device = torch.device("cuda", int(number or local))
    torch.cuda.set_device(device)
    return device


def check_gpus(name: str, processes: int, needed: int) -> None:
    """Raise ConfigError if there are fewer than `needed` GPUs, or if several processes would share GPU `name`."""
    asked, present = f"CGDMER_DEVICE={name}", torch.cuda.device_count()
    if not torch.cuda.is_available():
        raise ConfigError(f"{asked}, but torch sees no GPU", allowed="auto, cpu", fix="export CGDMER_DEVICE=cpu")
    if ":" in name and processes > 1:
        problem = f"{asked} with {processes} processes, but each needs a GPU of its own"
        raise ConfigError(problem, allowed="auto, cpu, cuda", fix="export CGDMER_DEVICE=cuda")
    if needed <= present:
        return
    if ":" in name:
        numbers = ", ".join(f"cuda:{number}" for number in range(present))
        problem = f"{asked}, but torch sees {present} GPUs"
        raise ConfigError(problem, allowed=f"auto, cpu, cuda, {numbers}", fix="export CGDMER_DEVICE=auto")
    raise ConfigError(
        f"{asked} with {needed} processes or more on this machine, but torch sees {present} GPUs",
        allowed=f"one process per GPU, so at most {present}",
        fix=f"export CGDMER_DEVICES={present}; with torchrun, --nproc-per-node {present}",
    )


def process_count() -> int:
    """Return how many processes to use, from CGDMER_DEVICES; 1 when this process is one of several already.

    ConfigError when CGDMER_DEVICES is neither `auto` nor a positive number, or more than CGDMER_DEVICE allows.
    """
    if "WORLD_SIZE" in os.environ:
        return 1
    variables = environment.read()
    on_gpu = variables.device != "cpu" and torch.cuda.is_available()
    if variables.devices == "auto":
        return torch.cuda.device_count() if on_gpu and variables.device in ("auto", "cuda") else 1
    count = int(variables.devices)
    if count > 1 and (on_gpu or variables.device.startswith("cuda")):
        check_gpus(variables.device, count, count)
    return count


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
    except BaseException as error:
        if isinstance(error, CgdmerError):
            log.error("%s", error)
        abort(error)
        leave()
        if isinstance(error, CgdmerError):
            raise SystemExit(error.code) from error
        raise
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
