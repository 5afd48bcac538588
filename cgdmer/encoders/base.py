"""The interface that every encoder implements, and the settings it is built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from cgdmer import paths
from cgdmer.errors import ConfigError
from cgdmer.settings import Embed, Model, Signal, WeightsFile
from cgdmer.signals.leads import LEADS, canonical_leads


class Encoder(Protocol):
    """Maps signals in mV to features; `dims` gives the width of each representation that the encoder has.

    `pooled` always exists: it is what a probe of the encoder reads. `shared` and `specific` exist if the method
    separates them. `aligned`, if it exists, is the unit vector that is compared with reports.
    """

    name: str
    fs: float
    """Hz."""
    seconds: float
    """Length of the longest signal."""
    leads: tuple[str, ...]
    """The leads that it can read, in any subset and order."""
    unit: str
    digest: str
    """Hex sha256 of the weights it was loaded from; '' without weights."""
    dims: dict[str, int]

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T) at `fs` as features float32 (B, dims[name]) by name.

        `leads` names the L rows (all twelve leads if None); `valid` (B,) counts the samples before the padding.
        """
        ...


@dataclass(frozen=True)
class Setup:
    """Everything an encoder may be built from; each encoder uses what it needs."""

    signal: Signal
    model: Model
    seed: int = 0
    folder: Path = paths.MODEL
    weights_files: Mapping[str, WeightsFile] = field(default_factory=dict)
    """Weights of encoders that others trained, by encoder name."""
    crops: int = 1
    """Crops of each record whose features are averaged; 1 reads the record as a whole."""
    crop_seconds: float = 5.0

    @classmethod
    def of(cls, signal: Signal, model: Model, embed: Embed, seed: int) -> "Setup":
        """Return what the settings say, for one set of weights."""
        return cls(signal, model, seed, weights_files=embed.outside, crops=embed.crops, crop_seconds=embed.crop_seconds)


def check_signal(
    signal: ArrayLike, leads: Sequence[str] | None, valid: np.ndarray | None, samples: int
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Return the signal in float32, canonical lead numbers and valid samples.

    ConfigError if the shapes do not fit, or if the signal is no array of numbers and cannot be made one.
    """
    names = canonical_leads(LEADS if leads is None else leads)
    signal = _as_array(signal)
    if signal.ndim != 3 or signal.shape[1] != len(names):
        raise ConfigError(
            f"signal of shape {signal.shape} for {len(names)} leads",
            allowed="(records, leads, samples), with leads= naming the rows if they are not all twelve",
        )
    if signal.shape[2] > samples:
        raise ConfigError(f"{signal.shape[2]} samples", allowed=f"at most {samples}", fix="cut the signal")
    full = np.full(len(signal), signal.shape[2], dtype=np.int32)
    numbers = [LEADS.index(name) for name in names]
    return np.asarray(signal, np.float32), numbers, full if valid is None else _checked(valid, signal)


def _as_array(signal: ArrayLike) -> np.ndarray:
    """Return an array of real numbers from what NumPy can read, such as nested lists; ConfigError for anything else."""
    allowed = "an array or nested lists of numbers, (records, leads, samples)"
    fix = "np.asarray(signal, np.float32); pad shorter records with zeros at the end, and state their lengths as valid"
    try:
        array = np.asarray(signal)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of unequal length, or a tensor of PyTorch on a GPU
        raise ConfigError(f"the signal is no array: {str(error)[:200]}", allowed=allowed, fix=fix) from error
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"the signal has the type {array.dtype}", allowed=allowed, fix=fix)
    return array


def _checked(valid: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Return the valid samples as int32; ConfigError unless they are one count per record of a signal (B, L, T)."""
    counts = np.asarray(valid)
    if counts.shape != (len(signal),) or not np.all((counts >= 0) & (counts <= signal.shape[2])):
        raise ConfigError(
            f"valid of shape {counts.shape}" + (f", {counts.min()} to {counts.max()}" if counts.size else ""),
            allowed=f"one count from 0 to {signal.shape[2]} for each of {len(signal)} records",
        )
    return np.array(counts, np.int32)
