"""Owns checkpoints: whole or absent, checked by sha256, the newest good one found again; never a pickle."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cgdmer.files import atomic, read_json, sha256, write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The state after `step` steps."""

    step: int
    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> None:
    """Write tensors, then the JSON that names their sha256 and so makes them a checkpoint; keep the newest `keep`."""
    path = folder / f"step-{checkpoint.step:09d}.safetensors"
    write_tensors(path, checkpoint.tensors)
    write_json(path.with_suffix(".json"), {"step": checkpoint.step, "sha256": sha256(path), "facts": checkpoint.facts})
    for old in _newest_first(folder)[keep:]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)


def newest(folder: Path) -> Checkpoint | None:
    """Return the newest whole checkpoint; torn or changed ones are named in the log and passed over."""
    for path in _newest_first(folder):
        tensors = path.with_suffix(".safetensors")
        try:
            said = read_json(path)
            if sha256(tensors) == said["sha256"]:
                return Checkpoint(said["step"], load_file(tensors), said["facts"])
            log.warning("checkpoint %s differs from its sha256 and is passed over", tensors)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("checkpoint %s cannot be read and is passed over: %s", path, error)
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
