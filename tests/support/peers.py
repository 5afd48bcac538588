"""Inputs, weights and features of published encoders: weights are drawn from the names of the tensors."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch


def card(folder: Path) -> dict:
    return json.loads((folder / "card.json").read_text())


def drawn(name: str, shape: list[int]) -> torch.Tensor:
    """Return the value of one tensor, as the README beside the folders defines it."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    n = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    n = torch.from_numpy(np.asarray(n))
    if name.endswith(("running_var", "original0", "weight_g")):
        return 1 + 0.1 * n.abs()
    if len(shape) > 1:
        return n / np.sqrt(np.prod(shape[1:], dtype=np.float64)).astype(np.float32)
    return 1 + 0.1 * n if name.endswith("weight") else 0.1 * n


def published_state(folder: Path) -> dict[str, torch.Tensor]:
    """Return the state dict of the whole network under its published names."""
    told = card(folder)["full"]
    state = {name: drawn(name, shape) for name, shape in told["tensors"].items() if name not in told["fixed"]}
    return state | {name: torch.from_numpy(np.load(folder / f"{name}.npy")) for name in told["fixed"]}


def network_inputs(folder: Path) -> tuple[torch.Tensor, ...]:
    """Return the arguments of the network, two records each."""
    files = [folder / "input.npy", *(folder / f"input_in_{kind}.npy" for kind in ("chans", "times"))]
    arrays = [np.load(file) for file in files if file.is_file()]
    return tuple(torch.from_numpy(array if array.dtype == np.float32 else array.astype(np.int64)) for array in arrays)
