"""Owns checkpoints: whole or absent, checked by sha256, the newest good one found again; never a pickle."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sha256, write_json

BEST = "best.safetensors"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> None:
    """Write tensors, then the JSON that names their sha256 and so makes them a checkpoint; keep the newest `keep`."""
    _write(folder / f"step-{checkpoint.step:09d}.safetensors", checkpoint)
    for old in _newest_first(folder)[keep:]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def newest(folder: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint; torn or changed ones are named in the log and passed over."""
    for path in _newest_first(folder):
        if found := _read(path):
            return found
        log.warning("checkpoint %s is passed over", path)
    return None


def save_best(folder: Path, step: int, weights: dict[str, Tensor]) -> None:
    """Keep the best weights so far beside the checkpoints."""
    _write(folder / BEST, Checkpoint(step, weights, {}))


def best(folder: Path) -> dict[str, Tensor]:
    """Return the best weights; DataError where they are not what was written: no other file can stand in for them."""
    found = _read((folder / BEST).with_suffix(".json"))
    if found is None:
        raise DataError(
            f"the best weights in {folder} are damaged", allowed="what their sha256 says", fix=f"rm -r {folder}"
        )
    return found.tensors


def _write(path: Path, checkpoint: Checkpoint) -> None:
    write_tensors(path, checkpoint.tensors)
    write_json(path.with_suffix(".json"), {"step": checkpoint.step, "sha256": sha256(path), "facts": checkpoint.facts})


def _read(path: Path) -> Checkpoint | None:
    """Read the checkpoint that a JSON names, or say in the log why that cannot be done."""
    tensors = path.with_suffix(".safetensors")
    try:
        said = read_json(path)
        if sha256(tensors) == said["sha256"]:
            return Checkpoint(said["step"], load_file(tensors), said["facts"])
        log.warning("%s differs from its sha256", tensors)
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s cannot be read: %s", path, error)
    return None


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write safetensors atomically: sorted names, host memory, the same bytes for the same values."""
    host = {name: tensors[name].detach().to("cpu", copy=False).contiguous() for name in sorted(tensors)}
    with atomic(path) as temporary:
        save_file(host, temporary)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.json"), reverse=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: Mapping[int, str]) -> dict[str, Tensor]:
    """Return an optimiser's state by parameter name; `names` maps a parameter's `id` to its name."""
    return {
        f"optimiser/{names[id(parameter)]}/{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: Mapping[int, str], tensors: Mapping[str, Tensor]
) -> None:
    """Put a saved state back; `step` counters stay where fused AdamW keeps them, beside their parameter."""
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            prefix = f"optimiser/{names[id(parameter)]}/"
            found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            optimiser.state[parameter] = {key: value.to(parameter.device) for key, value in found.items()}
