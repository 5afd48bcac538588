"""Inputs, weights and features of published encoders: weights are drawn from the names of the tensors."""

import importlib
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cgdmer import encoders
from cgdmer.archives import open_archive
from cgdmer.encoders.published import WEIGHTS
from cgdmer.waveforms import read_record

SMALL = {"DEPTH": 1, "HIDDEN": 64, "KERNEL": 8, "BLOCKS": (1, 1, 1, 1, 1, 1, 1)}
"""Sizes of networks in tests that need no published size; `test_published.py` runs them at full depth."""


def shrink(patch: pytest.MonkeyPatch) -> None:
    """Let all encoders build small networks."""
    for module in (importlib.import_module(f"cgdmer.encoders.{name}") for name in encoders.names()):
        for size in SMALL.keys() & vars(module).keys():
            patch.setattr(module, size, SMALL[size])


def write_weights(name: str, folder: Path) -> Path:
    """Write drawn weights of an encoder as `cgdmer convert` lays them out, and return the folder."""
    state = importlib.import_module(f"cgdmer.encoders.{name}").network().state_dict()
    folder.mkdir(parents=True)
    fixed = {key: value for key, value in state.items() if key == "pos_embed" and name == "ecg_jepa"}
    save_file({key: drawn(key, list(value.shape)) for key, value in state.items()} | fixed, folder / WEIGHTS)
    return folder


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


def recordings(real: Path, fs: float) -> np.ndarray:
    """Return the two PTB-XL recordings whose inputs and features are known, (2, 12, T) in mV, unfiltered."""
    archive, (folder, suffix) = open_archive(real / "ptbxl"), {100.0: ("100", "lr"), 500.0: ("500", "hr")}[fs]
    members = [f"records{folder}/00000/{number:05d}_{suffix}.hea" for number in (1, 9)]
    return np.stack([read_record(archive, member).signal for member in members])
