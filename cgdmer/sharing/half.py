"""A model in half precision: the same folder with float16 weights, which `weights.load` reads into fp32.

Small tensors stay in fp32: norms scale whole features, so their rounding counts most, and they are 1 % of the values.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sha256, with_digest, without_digest, write_json
from cgdmer.models import tokens, weights

MAX_BYTES = 12_000_000
"""Bytes of the largest weights that are shipped in a wheel."""
SMALL = 2_000
"""Tensors with fewer values stay in fp32."""
TOLERANCE = 0.02
"""Largest difference of a feature from fp32, in standard deviations of that representation over the records."""


@dataclass(frozen=True)
class Parity:
    """How far the features of two encoders are apart."""

    worst: float
    """Largest difference, in standard deviations of the representation."""
    correlation: float
    """Lowest correlation of a representation."""


def save(model: Path, folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Write the model in `model` with its large tensors in float16 into `folder`.

    DataError if `model` is incomplete, a weight exceeds the range of float16, or the file exceeds `max_bytes`.
    """
    weights.load(model)  # nothing incomplete or damaged is packaged
    state = {name: _half(name, tensor) for name, tensor in sorted(load_file(model / weights.WEIGHTS).items())}
    with atomic(folder / weights.WEIGHTS) as temporary:
        save_file(state, temporary)
    if (size := (folder / weights.WEIGHTS).stat().st_size) > max_bytes:
        raise DataError(
            f"the weights of {model} have {size:,} bytes in half precision", allowed=f"at most {max_bytes:,}",
            fix="train a smaller model: set model.width or model.depth",
        )  # fmt: skip
    files = [weights.WEIGHTS]
    if (model / tokens.FILE).is_file():
        shutil.copyfile(model / tokens.FILE, folder / tokens.FILE)
        files.append(tokens.FILE)
    config = read_json(model / weights.CONFIG)
    config = without_digest(config) if config["format"] == weights.FORMAT else config
    changed = {"files": {name: sha256(folder / name) for name in files}, "format": weights.FORMAT}
    write_json(folder / weights.CONFIG, with_digest(config | changed))


def _half(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return a large tensor of floats as float16, others unchanged; DataError if a value becomes infinite."""
    if not tensor.is_floating_point() or tensor.numel() < SMALL:
        return tensor
    half = tensor.to(torch.float16)
    if not bool(torch.isfinite(half).all()):
        largest = float(tensor.abs().max())
        raise DataError(f"weight {name} holds {largest:.3g}", allowed=f"at most {torch.finfo(torch.float16).max:g}")
    return half


def parity(first: Pretrained, second: Pretrained, signal: np.ndarray, valid: np.ndarray) -> Parity:
    """Compare the features of two encoders on float32 mV (B, 12, T) with at least two different records."""
    one, other = first.encode(signal, valid=valid), second.encode(signal, valid=valid)
    gaps, correlations = [], []
    for name, expected in one.items():
        spread = float((expected - expected.mean(axis=0)).std())
        gaps.append(float(np.abs(expected - other[name]).max()) / max(spread, 1e-12))
        correlations.append(float(np.corrcoef(expected.ravel(), other[name].ravel())[0, 1]))
    return Parity(max(gaps), min(correlations))


def check(model: Path, folder: Path, signal: np.ndarray, valid: np.ndarray) -> Parity:
    """Compare a model with its half-precision copy; DataError if a feature differs by more than `TOLERANCE`."""
    measured = parity(open_folder(model), open_folder(folder), signal, valid)
    if not measured.worst <= TOLERANCE:
        raise DataError(
            f"in half precision a feature of {model} changes by {measured.worst:.2g} standard deviations",
            allowed=f"at most {TOLERANCE:g}",
            fix="retrain with more weight decay, or name the model itself: --model FOLDER",
        )
    return measured
