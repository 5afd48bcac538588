"""Disturb test records on purpose: noise, exchanged electrodes, lost leads.

Noise is added at the electrodes, so the identities between limb leads hold as in a real recording, and it passes the
same filter as every record. The random draw of a record depends on its id and the seed alone.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from cgdmer.settings import Drop, Exchange, Noise, Signal
from cgdmer.signals.electrodes import exchanged_leads
from cgdmer.signals.filters import band_pass
from cgdmer.signals.leads import ELECTRODES, LEADS_OF_ELECTRODES

Disturbance = Noise | Exchange | Drop

MUSCLE_FROM = 20.0
"""Hz; muscle noise has little power below."""
BURST = 0.5
"""Seconds over which muscle noise swells and fades."""
WANDER_HZ = (0.05, 0.5)
"""Range of the frequencies of breathing and slow movement."""
TREMOR_HZ, SWELL_HZ = (4.0, 7.0), (0.1, 0.4)
"""Ranges of the frequency of a tremor at rest, one for the whole body, and of how fast it swells and fades."""
LIMB_ELECTRODES = 3
"""The first of `ELECTRODES` are those on the limbs."""
ON_CHEST, HARMONIC = 0.3, 0.4
"""Amplitude of tremor at the chest electrodes, and of its second harmonic, relative to that on the limbs."""


def name_of(disturbance: Disturbance) -> str:
    """Return the display name of a disturbance."""
    if isinstance(disturbance, Exchange):
        return " and ".join(disturbance.electrodes) + " exchanged"
    if isinstance(disturbance, Drop):
        return f"{disturbance.leads} lead{'' if disturbance.leads == 1 else 's'} lost"
    words = {"white": "white noise", "muscle": "muscle noise", "wander": "baseline wander", "tremor": "tremor"}
    return f"{words[disturbance.kind]} {disturbance.mv:g} mV"


def disturb(
    signal: np.ndarray, valid: np.ndarray, ids: Sequence[str], disturbance: Disturbance, form: Signal, seed: int
) -> np.ndarray:
    """Return a disturbed copy of records (B, 12, T) in mV; the first `valid` (B,) samples are not padding.

    A lead that is zero throughout was not recorded and stays zero.
    """
    if isinstance(disturbance, Exchange):
        sources, signs = exchanged_leads(disturbance.electrodes)
        return np.ascontiguousarray(signal[:, sources] * signs[:, None])
    out = signal.astype(np.float32, copy=True)
    for record, count, name in zip(out, valid, ids, strict=True):
        draw = generator(name, disturbance, seed)
        recorded = record.any(axis=1)
        if isinstance(disturbance, Drop):
            record[draw.choice(np.flatnonzero(recorded), min(disturbance.leads, recorded.sum() - 1), False)] = 0
        else:
            added = band_pass(noise(disturbance, int(count), form.fs, draw), form.fs, form)
            record[recorded, :count] += (LEADS_OF_ELECTRODES @ added[:, :count])[recorded]
    return out


def generator(name: str, disturbance: Disturbance, seed: int) -> np.random.Generator:
    """Return the random generator of a record, the same in every batch, order and process."""
    digest = hashlib.sha256(f"{seed}:{name_of(disturbance)}:{name}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def noise(disturbance: Noise, samples: int, fs: float, draw: np.random.Generator) -> np.ndarray:
    """Return noise at the nine electrodes, float32 mV (9, samples), before the filter."""
    shape = (len(ELECTRODES), samples)
    if disturbance.kind == "wander":
        time = np.arange(samples) / fs
        phase = 2 * np.pi * (draw.uniform(*WANDER_HZ, (len(ELECTRODES), 1)) * time + draw.random((len(ELECTRODES), 1)))
        return (disturbance.mv * np.sin(phase)).astype(np.float32)
    if disturbance.kind == "tremor":
        return (disturbance.mv * tremor(samples, fs, draw)).astype(np.float32)
    white = draw.standard_normal(shape)
    if disturbance.kind == "muscle":
        white = bursts(white, fs, draw)
    return (disturbance.mv * white).astype(np.float32)


def tremor(samples: int, fs: float, draw: np.random.Generator) -> np.ndarray:
    """Return tremor at the nine electrodes (9, samples), at most `1 + HARMONIC` in size: one frequency, many phases."""
    time, each = np.arange(samples) / fs, (len(ELECTRODES), 1)
    turns = draw.uniform(*TREMOR_HZ) * time + draw.random(each)
    shaken = np.sin(2 * np.pi * turns) + HARMONIC * np.sin(4 * np.pi * turns + 2 * np.pi * draw.random(each))
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * (draw.uniform(*SWELL_HZ) * time + draw.random()))
    size = draw.uniform(0.3, 1.0, each)
    size[LIMB_ELECTRODES:] *= ON_CHEST
    out: np.ndarray = size * swell * shaken
    return out


def bursts(white: np.ndarray, fs: float, draw: np.random.Generator) -> np.ndarray:
    """Remove frequencies below `MUSCLE_FROM`, modulate the amplitude per electrode, and scale to unit RMS."""
    samples = white.shape[1]
    spectrum = np.fft.rfft(white, axis=1)
    spectrum[:, np.fft.rfftfreq(samples, 1 / fs) < MUSCLE_FROM] = 0
    knots = np.arange(0, samples + BURST * fs, BURST * fs)
    heights = draw.random((len(white), len(knots))) ** 2
    swell = np.stack([np.interp(np.arange(samples), knots, row) for row in heights])
    shaped = np.fft.irfft(spectrum, n=samples, axis=1) * swell
    unit: np.ndarray = shaped / np.maximum(np.sqrt(np.square(shaped).mean(axis=1, keepdims=True)), 1e-12)
    return unit
