"""What is done to signals before a published network reads them, as data: resampling, filters, scales.

Each step maps float `(B, L, T)` at `fs` Hz to an array of the same shape (resampling aside), each record by itself.
Steps compute in float64, as the published code does.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy import ndimage
from scipy import signal as scipy_signal

from cgdmer.settings import Signal
from cgdmer.signals.filters import band_pass

Over = Literal["record", "lead"]
AXES: dict[Over, tuple[int, ...]] = {"record": (1, 2), "lead": (2,)}
FLAT_MV = 1e-5
"""Signals that vary by less are constant, in mV: resampling leaves ripples, and steps of 1e-3 mV are stored."""
EPSILON = 1e-8
"""What the published code adds to a divisor."""


class Filter(Protocol):
    def __call__(self, signal: np.ndarray, fs: float) -> np.ndarray: ...


class Scale(Protocol):
    def __call__(self, signal: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Notch:
    """Removes a narrow band around `hz`, forwards and backwards."""

    hz: float
    q: float

    def __call__(self, signal: np.ndarray, fs: float) -> np.ndarray:
        """Filter `(B, L, T)`."""
        b, a = scipy_signal.iirnotch(self.hz, self.q, fs)
        return _forwards_and_backwards(b, a, signal)


@dataclass(frozen=True)
class BandPass:
    """A Butterworth band-pass between two corners in Hz, forwards and backwards."""

    low: float
    high: float
    order: int

    def __call__(self, signal: np.ndarray, fs: float) -> np.ndarray:
        """Filter `(B, L, T)`."""
        b, a = scipy_signal.butter(self.order, (self.low, self.high), "band", fs=fs)
        return _forwards_and_backwards(b, a, signal)


@dataclass(frozen=True)
class WithoutRunningMedian:
    """Subtracts the running median of an odd number of samples, with zeros beyond the ends."""

    samples: int

    def __call__(self, signal: np.ndarray, fs: float) -> np.ndarray:
        """Filter `(B, L, T)`; the window does not depend on the rate, so the form of the network fixes it."""
        flat = signal.reshape(-1, signal.shape[-1])
        medians = [ndimage.median_filter(lead, self.samples, mode="constant", cval=0.0) for lead in flat]
        filtered: np.ndarray = signal - np.reshape(medians, signal.shape)
        return filtered


@dataclass(frozen=True)
class MinMax:
    """Maps the minimum to 0 and the maximum to 1, over a whole record or over each lead; constant ones become zero."""

    over: Over

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """Scale `(B, L, T)`."""
        low = signal.min(axis=AXES[self.over], keepdims=True)
        span = signal.max(axis=AXES[self.over], keepdims=True) - low
        return _divided(signal - low, span)


@dataclass(frozen=True)
class ZScore:
    """Brings a whole record, or each lead, to mean 0 and standard deviation 1; constant ones become zero."""

    over: Over

    def __call__(self, signal: np.ndarray) -> np.ndarray:
        """Scale `(B, L, T)`."""
        centred = signal - signal.mean(axis=AXES[self.over], keepdims=True)
        return _divided(centred, centred.std(axis=AXES[self.over], keepdims=True))


def resample_mirrored(signal: np.ndarray, before: float, after: float) -> np.ndarray:
    """Resample `(B, L, T)` from one rate in Hz to another, as if the record were mirrored at its ends."""
    return band_pass(signal.astype(np.float32), before, Signal(fs=after, low=None, high=None))


def resample_fourier(signal: np.ndarray, before: float, after: float) -> np.ndarray:
    """Resample `(B, L, T)` from one rate in Hz to another, as if the record were repeated without end."""
    samples = max(1, round(signal.shape[-1] * after / before))
    resampled: np.ndarray = scipy_signal.resample(signal, samples, axis=-1)
    return resampled


def _forwards_and_backwards(b: np.ndarray, a: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Filter along the last axis; records too short for the usual continuation get a shorter one."""
    usual = 3 * max(len(a), len(b))
    filtered: np.ndarray = scipy_signal.filtfilt(b, a, signal, padlen=max(0, min(usual, signal.shape[-1] - 1)))
    return filtered


def _divided(signal: np.ndarray, spread: np.ndarray) -> np.ndarray:
    divided: np.ndarray = np.where(spread > FLAT_MV, signal / (spread + EPSILON), 0.0)
    return divided
