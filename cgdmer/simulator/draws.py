"""Owns the random draws and the curves of the simulator, made of whole numbers and + - * / alone.

IEEE 754 fixes these operations to the last bit and NumPy guarantees the integer stream of PCG64, so the same seed gives
the same bytes on every machine. No elementary function of a mathematics library and no BLAS product is used, because
their last digits differ between processors.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]

_DEVIATION = 65536 / math.sqrt(3)
"""Standard deviation of the sum of four 16-bit numbers; IEEE 754 fixes the square root too."""
_CENTRE = 4 * 32767.5


class Draws:
    """A stream of random numbers that depends on its key alone."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def random(self) -> float:
        """Return a number from 0 to below 1."""
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def uniforms(self, low: float, high: float, *shape: int) -> Array:
        return low + (high - low) * ((self._raw(shape) >> np.uint64(11)) * 2.0**-53)

    def normal(self, mean: float, deviation: float) -> float:
        """Return a nearly normal number: four uniform ones summed, so never beyond 3.5 deviations."""
        raw = int(self._bits.random_raw())
        total = (raw & 0xFFFF) + (raw >> 16 & 0xFFFF) + (raw >> 32 & 0xFFFF) + (raw >> 48)
        return mean + deviation * ((total - _CENTRE) / _DEVIATION)

    def normals(self, *shape: int) -> Array:
        """Return nearly normal numbers of mean 0 and deviation 1."""
        parts = self._raw(shape).astype("<u8", copy=False).view("<u2").reshape(*shape, 4).astype(np.int64)
        return np.asarray((parts[..., 0] + parts[..., 1] + parts[..., 2] + parts[..., 3] - _CENTRE) / _DEVIATION)

    def skewed(self, median: float, deviation: float) -> float:
        """Return a positive number, nearly log-normal; `deviation` is that of the logarithm."""
        return median * about_exp(self.normal(0.0, deviation))

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from `low` to below `high`."""
        return low + int(self.random() * (high - low))

    def choice(self, items: Sequence[str]) -> str:
        """Return one of the items, all alike."""
        return items[self.integer(0, len(items))]

    def some(self, items: Sequence[str], odds: Sequence[float]) -> set[str]:
        """Return one of the items by its odds, or nothing where the odds leave room."""
        drawn = self.random()
        for item, share in zip(items, odds, strict=True):
            drawn -= share
            if drawn < 0:
                return {item}
        return set()

    def white(self, rows: int, samples: int) -> Array:
        """Return (rows, samples) of uniform numbers of mean 0 and deviation 1, four from one draw."""
        count = rows * samples
        numbers = self._raw((-(-count // 4),)).astype("<u8", copy=False).view("<i2")[:count]
        return ((numbers.astype(np.float64) + 0.5) * (math.sqrt(12) / 65536)).reshape(rows, samples)

    def _raw(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint64]:
        size = 1
        for length in shape:
            size *= length
        return self._bits.random_raw(size).reshape(shape)


def about_exp(x: float) -> float:
    """Return (1 + x / 16) ** 16, close to exp(x) for the small `x` met here."""
    y = 1 + x / 16
    y *= y
    y *= y
    y *= y
    return y * y


def bump(x: Array) -> Array:
    """Return (1 - x² / 32) ** 16 within its zeros, close to the Gaussian exp(-x² / 2) and zero outside."""
    y = 1 - x * x / 32
    y = np.where(y > 0, y, 0.0)
    y *= y
    y *= y
    y *= y
    y *= y
    return y


def step(x: Array) -> Array:
    """Return a smooth rise from 0 at -1.5 to 1 at 1.5."""
    y = np.clip((x + 1.5) / 3, 0.0, 1.0)
    return y * y * (3 - 2 * y)


def sine(turns: Array) -> Array:
    """Return the sine of a phase in whole turns to 0.1 %, from parabolas."""
    x = 2 * (turns - np.floor(turns + 0.5))
    y = 4 * x * (1 - np.abs(x))
    return np.asarray(y * (0.775 + 0.225 * np.abs(y)))


def cosine(turns: Array) -> Array:
    return sine(turns + 0.25)
