"""Owns what every encoder promises, and what it is built from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from cgdmer import paths
from cgdmer.errors import ConfigError
from cgdmer.settings import Model, Outside, Signal
from cgdmer.signals.leads import LEADS, canonical_leads


class Encoder(Protocol):
    """Maps signals in mV to features; `dims` says which representations it has and how wide they are.

    `shared` and `specific` exist where a method separates them; `pooled` always exists and is what a probe of "the
    encoder" reads; `aligned`, where it exists, is the unit vector that is compared with reports.
    """

    name: str
    fs: float
    """Hz."""
    seconds: float
    """Longest signal."""
    leads: tuple[str, ...]
    """The leads it knows; any of them may be given."""
    unit: str
    digest: str
    """Hex sha256 of the weights it was loaded from; '' where there are none."""
    dims: dict[str, int]

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Map float mV (B, L, T) at `fs` to float32 (B, dims[name]) by name.

        `leads` names the rows of L (all twelve where it is left out); `valid` counts the samples before padding.
        """
        ...


@dataclass(frozen=True)
class Setup:
    """What encoders may be built from; each takes what it needs."""

    signal: Signal
    model: Model
    seed: int = 0
    folder: Path = paths.MODEL
    outside: Mapping[str, Outside] = field(default_factory=dict)
    """Weights of encoders that others trained, by name."""


def checked(
    signal: np.ndarray, leads: Sequence[str] | None, valid: np.ndarray | None, samples: int
) -> tuple[np.ndarray, list[int], np.ndarray]:
    """Return signal float32, canonical lead numbers and valid samples; ConfigError when the shapes do not fit."""
    chosen = canonical_leads(LEADS if leads is None else leads)
    if signal.ndim != 3 or signal.shape[1] != len(chosen):
        raise ConfigError(
            f"signal of shape {signal.shape} for {len(chosen)} leads",
            allowed="(records, leads, samples), with leads= naming the rows when they are not all twelve",
        )
    if signal.shape[2] > samples:
        raise ConfigError(f"{signal.shape[2]} samples", allowed=f"at most {samples}", fix="cut the signal")
    full = np.full(len(signal), signal.shape[2], dtype=np.int32)
    numbers = [LEADS.index(name) for name in chosen]
    return np.asarray(signal, np.float32), numbers, full if valid is None else np.array(valid, np.int32)
