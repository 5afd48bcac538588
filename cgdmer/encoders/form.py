"""The form of the signals that a network was trained on, as data, and the one function that brings records into it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cgdmer.encoders.beat_tokens import BeatTokens
from cgdmer.encoders.steps import Filter, Scale, resample_fourier, resample_mirrored
from cgdmer.signals.leads import HEXAXIAL, LEADS, LIMB

MIMIC_LEADS = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
"""The order of MIMIC-IV-ECG, in which aVF comes before aVL."""
ALL = range(len(LEADS))
RESAMPLING = {"mirrored": resample_mirrored, "fourier": resample_fourier}


@dataclass(frozen=True)
class Form:
    """The form of the signals that a network was trained on. Steps apply in the order of the fields."""

    fs: float
    """Hz."""
    seconds: float
    """Length of what the network reads at once."""
    leads: tuple[str, ...]
    """Canonical names in the order of the network's input channels."""
    width: int
    """Width of the features that the network returns."""
    absent: Literal["zero", "omitted"] = "zero"
    """What an absent lead is. Where it is omitted, the network also reads the numbers of the leads that are there."""
    resampling: Literal["mirrored", "fourier"] = "mirrored"
    """How a record is continued beyond its ends when it is brought to `fs`."""
    filters: tuple[Filter, ...] = ()
    scale: Scale | None = None
    """None leaves the signals in mV."""
    scaled: Literal["whole", "cut"] = "whole"
    """Whether the whole record is scaled before it is cut and padded with zeros, or what is left of it afterwards."""
    windows: bool = False
    """Whether a longer record is cut into as many whole windows as it holds, whose features are averaged. Otherwise the
    network reads the first."""
    tokens: BeatTokens | None = None
    """How signals become heartbeat tokens, for networks that read these."""

    @property
    def samples(self) -> int:
        """Return the length of what the network reads at once."""
        return round(self.fs * self.seconds)


@dataclass(frozen=True)
class Inputs:
    """What a network reads for a batch of records."""

    arrays: tuple[np.ndarray, ...]
    """The arguments of the network, each with R rows: float32 signals `(R, L, T)`, and their leads `(R, L)` if absent
    ones are omitted; or tokens and their places."""
    record: np.ndarray
    """int64 (R,): the record that a row was cut from, ascending."""

    def averaged(self, features: np.ndarray) -> np.ndarray:
        """Return the mean features `(B, D)` of each record, from those of the rows `(R, D)`."""
        starts = np.flatnonzero(np.diff(self.record, prepend=-1))
        counts = np.diff(starts, append=len(self.record))
        mean: np.ndarray = np.add.reduceat(features, starts) / counts[:, None].astype(features.dtype)
        return mean


def all_leads(signal: np.ndarray, numbers: Sequence[int]) -> tuple[np.ndarray, list[int]]:
    """Return mV `(B, 12, T)` from the leads `numbers` of `(B, L, T)`, and the numbers of the leads that are there.

    Absent limb leads follow from two others, as in stored records; all other absent leads are zero.
    """
    full = np.zeros((len(signal), len(LEADS), signal.shape[2]), np.float32)
    full[:, numbers] = signal
    limb = [number for number in numbers if number < LIMB]
    derived = [number for number in range(LIMB) if number not in limb] if len(limb) >= 2 else []
    if derived:
        full[:, derived] = np.einsum("dl,blt->bdt", HEXAXIAL[derived] @ np.linalg.pinv(HEXAXIAL[limb]), full[:, limb])
    return full, [*numbers, *derived]


def inputs(form: Form, signal: np.ndarray, fs: float, valid: np.ndarray, present: Collection[int] = ALL) -> Inputs:
    """Bring records `(B, 12, T)` in mV at `fs` Hz, of which `valid` (B,) samples count, into a network's form.

    Padding is cut off first, so that no filter and no scale sees it. Records of one length are prepared together.
    `present` are the numbers of the leads that are there.
    """
    wanted = np.array([LEADS.index(lead) for lead in form.leads])
    kept = np.flatnonzero(np.isin(wanted, list(present))) if form.absent == "omitted" else np.arange(len(wanted))
    kept = kept if len(kept) else np.arange(len(wanted))
    lengths = np.clip(valid, 1, signal.shape[-1])
    parts, records = [], []
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        windows = _windows(form, signal[np.ix_(chosen, wanted[kept])][..., :length].astype(np.float64), fs)
        parts.append(windows.reshape(-1, *windows.shape[2:]))
        records.append(np.repeat(chosen, windows.shape[1]))
    record = np.concatenate(records)
    order = np.argsort(record, kind="stable")
    return Inputs(tuple(array[order] for array in _arguments(form, parts, kept)), record[order])


def _arguments(form: Form, parts: list[np.ndarray], kept: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what the network reads for windows float32 `(n, L, T)`, all of one length."""
    if form.tokens is not None:
        tokens = [form.tokens(window, form.fs) for part in parts for window in part]
        return tuple(np.stack(kind) for kind in zip(*tokens, strict=True))
    windows = np.concatenate(parts)
    return (windows, np.tile(kept, (len(windows), 1))) if form.absent == "omitted" else (windows,)


def _windows(form: Form, signal: np.ndarray, fs: float) -> np.ndarray:
    """Return float32 (B, windows, L, samples) of records `(B, L, T)` without padding."""
    if fs != form.fs:
        signal = RESAMPLING[form.resampling](signal, fs, form.fs)
    for step in form.filters:
        signal = step(signal, form.fs)
    if form.scale is not None and form.scaled == "whole":
        signal = form.scale(signal)
    count = max(1, signal.shape[-1] // form.samples) if form.windows else 1
    signal = _cut(signal, form.samples * count, pad=form.tokens is None)
    if form.scale is not None and form.scaled == "cut":
        signal = form.scale(signal)
    windows = signal.reshape(*signal.shape[:2], count, -1).swapaxes(1, 2)
    return np.ascontiguousarray(windows, dtype=np.float32)


def _cut(signal: np.ndarray, samples: int, pad: bool) -> np.ndarray:
    """Return the first `samples`, with zeros behind what is shorter; beats are looked for in the record alone."""
    cut = signal[..., :samples]
    return np.pad(cut, ((0, 0), (0, 0), (0, samples - cut.shape[-1]))) if pad else cut
