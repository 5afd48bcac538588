"""Random draws and curves of the simulator, computed from integers with + - * / only.

IEEE 754 specifies these operations to the last bit, and NumPy guarantees the integer stream of PCG64, so the same seed
gives the same bytes on every machine. Elementary functions of a maths library and BLAS products are not used, because
their last digits differ between processors.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]

_DEVIATION = 65536 / math.sqrt(3)
"""Standard deviation of the sum of four 16-bit numbers; IEEE 754 specifies the square root too."""
_CENTRE = 4 * 32767.5
"""Mean of that sum."""


class Draws:
    """A stream of random numbers that depends on its key only."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def random(self) -> float:
        """Return a uniform number in [0, 1)."""
        return (int(self._bits.random_raw()) >> 11) * 2.0**-53

    def uniform(self, low: float, high: float) -> float:
        """Return a uniform number in [low, high)."""
        return low + (high - low) * self.random()

    def uniforms(self, low: float, high: float, *shape: int) -> Array:
        """Return uniform numbers in [low, high)."""
        return low + (high - low) * ((self._raw(shape) >> np.uint64(11)) * 2.0**-53)

    def normal(self, mean: float, deviation: float) -> float:
        """Return an approximately normal number: the sum of four uniform ones, within 3.5 deviations of the mean."""
        raw = int(self._bits.random_raw())
        total = (raw & 0xFFFF) + (raw >> 16 & 0xFFFF) + (raw >> 32 & 0xFFFF) + (raw >> 48)
        return mean + deviation * ((total - _CENTRE) / _DEVIATION)

    def normals(self, *shape: int) -> Array:
        """Return approximately normal numbers with mean 0 and standard deviation 1."""
        four = self._raw(shape).astype("<u8", copy=False).view("<u2").reshape(*shape, 4).astype(np.int64)
        return np.asarray((four[..., 0] + four[..., 1] + four[..., 2] + four[..., 3] - _CENTRE) / _DEVIATION)

    def log_normal(self, median: float, deviation: float) -> float:
        """Return an approximately log-normal number; `deviation` is the standard deviation of its logarithm."""
        return median * approximate_exp(self.normal(0.0, deviation))

    def integer(self, low: int, high: int) -> int:
        """Return a uniform integer in [low, high)."""
        return low + int(self.random() * (high - low))

    def choice(self, items: Sequence[str]) -> str:
        """Return one of the items, each with equal probability."""
        return items[self.integer(0, len(items))]

    def at_most_one(self, items: Sequence[str], probabilities: Sequence[float]) -> set[str]:
        """Return a set of one item, drawn by its probability, or an empty set with the remaining probability."""
        drawn = self.random()
        for item, probability in zip(items, probabilities, strict=True):
            drawn -= probability
            if drawn < 0:
                return {item}
        return set()

    def white(self, rows: int, samples: int) -> Array:
        """Return uniform numbers (rows, samples) with mean 0 and standard deviation 1, four per 64-bit draw."""
        count = rows * samples
        numbers = self._raw((-(-count // 4),)).astype("<u8", copy=False).view("<i2")[:count]
        return ((numbers.astype(np.float64) + 0.5) * (math.sqrt(12) / 65536)).reshape(rows, samples)

    def _raw(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint64]:
        size = 1
        for length in shape:
            size *= length
        return self._bits.random_raw(size).reshape(shape)


def approximate_exp(x: float) -> float:
    """Return (1 + x / 16) ** 16, which is close to exp(x) for small `x`."""
    y = 1 + x / 16
    y *= y
    y *= y
    y *= y
    return y * y


def bump(x: Array) -> Array:
    """Return (1 - x² / 32) ** 16 between its zeros and 0 outside: close to the Gaussian exp(-x² / 2)."""
    y = 1 - x * x / 32
    y = np.where(y > 0, y, 0.0)
    y *= y
    y *= y
    y *= y
    y *= y
    return y


def step(x: Array) -> Array:
    """Return a smooth step that rises from 0 at -1.5 to 1 at 1.5."""
    y = np.clip((x + 1.5) / 3, 0.0, 1.0)
    return y * y * (3 - 2 * y)


def sine(turns: Array) -> Array:
    """Return the sine of a phase in turns, approximated by parabolas to 0.1 %."""
    x = 2 * (turns - np.floor(turns + 0.5))
    y = 4 * x * (1 - np.abs(x))
    return np.asarray(y * (0.775 + 0.225 * np.abs(y)))


def cosine(turns: Array) -> Array:
    """Return the cosine of a phase in turns, approximated as in `sine`."""
    return sine(turns + 0.25)
