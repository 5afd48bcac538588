"""Owns what is in a recording beside the heart: baseline, mains, muscle, and electrodes that move."""

import numpy as np


def noise(samples: int, fs: float, random: np.random.Generator) -> np.ndarray:
    """Return noise in microvolt (8, samples) for I, II, V1-V6."""
    time = np.arange(samples) / fs
    out = _muscle(samples, random)
    out += _wander(time, random)
    out += _mains(time, random)
    if random.random() < 0.06:
        _shift(out, time, random)
    return out


def _muscle(samples: int, random: np.random.Generator) -> np.ndarray:
    """White noise, partly smoothed, of a strength that differs between records and leads."""
    level = float(random.gamma(3.0, 2.2)) * random.uniform(0.7, 1.3, (8, 1))
    white = random.standard_normal((8, samples), dtype=np.float32).astype(np.float64)
    white[:, 1:] = 0.6 * white[:, 1:] + 0.5 * white[:, :-1]
    return np.asarray(level * white)


def _wander(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    out = np.zeros((8, len(time)))
    depth = float(random.gamma(2.0, 18.0))
    for _ in range(3):
        phase = 2 * np.pi * random.uniform(0.05, 0.45) * time
        gains = depth * random.normal(0, 1, (2, 8))
        out += gains[0][:, None] * np.sin(phase) + gains[1][:, None] * np.cos(phase)
    return out


def _mains(time: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """50 Hz in three records of four, 60 Hz in the others, mostly weak."""
    frequency = 50.0 if random.random() < 0.75 else 60.0
    gains = float(random.gamma(0.8, 3.0)) * random.uniform(0.3, 1.3, 8)
    wave = np.sin(2 * np.pi * frequency * time + random.uniform(0, 2 * np.pi))
    return np.asarray(gains[:, None] * wave)


def _shift(out: np.ndarray, time: np.ndarray, random: np.random.Generator) -> None:
    """Move one electrode: a step that decays, in place."""
    start, height = random.uniform(0, time[-1]), random.normal(0, 260)
    after = time >= start
    out[int(random.integers(8)), after] += height * np.exp(-(time[after] - start) / random.uniform(0.2, 0.9))
