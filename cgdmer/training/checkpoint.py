"""Checkpoints: safetensors and a JSON file with their sha256. A damaged one is skipped for the newest intact one."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from safetensors.torch import load_file, save_file
from torch import Tensor

from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sha256, write_json

BEST = "best.safetensors"
MAX_PENDING = 2
"""Most copies of the state that may wait in memory to be written: the best weights and a checkpoint."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class Writer:
    """Writes in a background thread, in order; training waits only for the copy to host memory.

    Leaving it waits until everything is written. An error of the thread is raised by the next call.
    """

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self.pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.pool.shutdown()
        if kind is None:
            self.wait()

    def submit(self, tensors: Mapping[str, Tensor], write: Callable[[dict[str, Tensor]], None]) -> None:
        """Copy `tensors` to host memory and let the thread call `write` with the copy."""
        while self.pending and (self.pending[0].done() or len(self.pending) >= MAX_PENDING):
            self.pending.popleft().result()
        copies = {name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}
        self.pending.append(self.pool.submit(write, copies))

    def wait(self) -> None:
        """Wait until everything submitted is written."""
        while self.pending:
            self.pending.popleft().result()


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> None:
    """Write a checkpoint and keep the newest `keep`. The JSON file comes last and completes it."""
    _write(folder / f"step-{checkpoint.step:09d}.safetensors", checkpoint)
    for old in _newest_first(folder)[keep:]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def newest(folder: Path) -> Checkpoint | None:
    """Return the newest intact checkpoint, or None; incomplete or damaged ones are skipped with a warning."""
    for path in _newest_first(folder):
        if checkpoint := _read(path):
            return checkpoint
        log.warning("checkpoint %s is skipped", path)
    return None


def save_best(folder: Path, step: int, weights: dict[str, Tensor]) -> None:
    """Write the best weights so far beside the checkpoints."""
    _write(folder / BEST, Checkpoint(step, weights, {}))


def best(folder: Path) -> dict[str, Tensor]:
    """Return the best weights; DataError when they are damaged, because no other file can replace them."""
    checkpoint = _read((folder / BEST).with_suffix(".json"))
    if checkpoint is None:
        raise DataError(
            f"the best weights in {folder} are damaged", allowed="a file that matches its sha256", fix=f"rm -r {folder}"
        )
    return checkpoint.tensors


def _write(path: Path, checkpoint: Checkpoint) -> None:
    write_tensors(path, checkpoint.tensors)
    write_json(path.with_suffix(".json"), {"step": checkpoint.step, "sha256": sha256(path), "facts": checkpoint.facts})


def _read(path: Path) -> Checkpoint | None:
    """Read the checkpoint of a JSON file; None, with a warning, when it is incomplete or damaged."""
    tensors = path.with_suffix(".safetensors")
    try:
        description = read_json(path)
        if sha256(tensors) == description["sha256"]:
            return Checkpoint(description["step"], load_file(tensors), description["facts"])
        log.warning("%s differs from its sha256", tensors)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read: %s", path, error)
    return None


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write safetensors atomically, sorted by name and from host memory: equal values give equal bytes."""
    on_host = {name: tensors[name].detach().to("cpu", copy=False).contiguous() for name in sorted(tensors)}
    with atomic(path) as temporary:
        save_file(on_host, temporary)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.json"), reverse=True)
