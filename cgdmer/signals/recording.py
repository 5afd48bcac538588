"""Owns the canonical form of a recording: 12 leads, one rate, one length, int16 microvolt, whatever the corpus."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.settings import Signal
from cgdmer.signals.filters import band_pass
from cgdmer.signals.leads import HEXAXIAL, LEADS, LIMB, SUSPECT_UV, canonical_leads, exchanged, identity_residual

FULL_SCALE = 32767
"""Largest int16 magnitude in use, microvolt; larger values saturate and count as clipped."""

FLAT_UV = 10.0
"""A lead that spans less than this before filtering is flat, microvolt."""

MIN_SECONDS = 1.0
"""A shorter record holds no whole heart beat at 60 a minute and is refused."""


class Quality(TypedDict):
    """What a person or an expectation asks of a record; columns of `rows.parquet`."""

    missing: int
    """Bit k: lead k is neither recorded nor derived, and zero throughout."""
    flat: int
    """Bit k: lead k was recorded and spans less than `FLAT_UV`."""
    clipped: float
    """Largest share, over the leads, of samples in a run at the lead's own extremes, or beyond full scale."""
    amplitude_uv: int
    """Largest magnitude after filtering, before saturation, microvolt."""
    identity_uv: float | None
    """Root-mean-square residual of the limb lead identities, microvolt; None with fewer than two limb leads."""
    bridged: int
    """Samples that were missing and are interpolated, over all leads."""
    signal_digest: str
    """Start of the sha256 of the used seconds before filtering, in whole microvolt: equal for identical recordings."""


@dataclass(frozen=True)
class Canonical:
    """One row of a shard."""

    signal: np.ndarray
    """int16 microvolt (12, settings.samples), exactly zero after `valid` samples and in missing leads."""
    valid: int
    quality: Quality


def canonical(signal: np.ndarray, fs: float, leads: Sequence[str], settings: Signal, seconds: float) -> Canonical:
    """Bring a recording `(L, T)` in mV at `fs` Hz into the canonical form; RecordError says why it cannot be used.

    The first `seconds` are cut out before filtering, so that nothing outside of them leaks in; padding comes after,
    so that it is exactly zero. Limb leads that are absent are derived where two others are there (Einthoven,
    Goldberger); other absent leads stay zero and are marked missing.
    """
    raw, places = _ordered(signal, fs, leads, min(seconds, settings.seconds))
    raw, bridged = bridge(raw, fs, settings.max_gap)
    whole = _int16(raw * np.float32(1000))
    low, high = whole.min(axis=1), whole.max(axis=1)
    present, flat = np.zeros((2, len(LEADS)), dtype=bool)
    present[places] = True
    flat[places] = high.astype(np.int32) - low < FLAT_UV
    if flat.sum() > settings.max_flat_leads:
        raise RecordError(f"{flat.sum()} flat leads, at most {settings.max_flat_leads} are allowed")
    filtered = band_pass(raw, fs, settings)[:, : settings.samples]
    valid = filtered.shape[1]
    microvolt = np.zeros((len(LEADS), valid), dtype=np.float32)
    microvolt[places] = filtered * 1000
    identity = _limb(microvolt[:LIMB], present[:LIMB], flat[:LIMB])
    amplitude = float(np.abs(microvolt).max())
    quality = Quality(
        missing=_mask(~present),
        flat=_mask(flat),
        clipped=round(max(_at_extreme(whole, low, high, flat[places]), _saturated(microvolt, amplitude)), 6),
        amplitude_uv=round(amplitude),
        identity_uv=None if identity is None else round(identity, 2),
        bridged=bridged,
        signal_digest=hashlib.sha256(whole.data).hexdigest()[:16],
    )
    row = np.zeros((len(LEADS), settings.samples), dtype=np.int16)
    row[:, :valid] = _int16(microvolt)
    return Canonical(row, valid, quality)


def bridge(signal: np.ndarray, fs: float, max_gap: float) -> tuple[np.ndarray, int]:
    """Interpolate missing samples (NaN) linearly and count them; RecordError for Inf or a gap over `max_gap` seconds.

    A gap at an end takes the nearest value.
    """
    if np.isfinite(signal).all():
        return signal, 0
    if np.isinf(signal).any():
        raise RecordError("the signal holds infinite values")
    bridged, missing = signal.copy(), np.isnan(signal)
    for lead, gaps in zip(bridged, missing, strict=True):
        edges = np.flatnonzero(np.diff(gaps.astype(np.int8), prepend=0, append=0))
        longest = (edges[1::2] - edges[::2]).max(initial=0)
        if longest > max_gap * fs:
            raise RecordError(f"{longest / fs:.2f} s of signal are missing in a row, at most {max_gap:g} s are bridged")
        lead[gaps] = np.interp(np.flatnonzero(gaps), np.flatnonzero(~gaps), lead[~gaps])
    return bridged, int(missing.sum())


def _ordered(signal: np.ndarray, fs: float, leads: Sequence[str], seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the first `seconds` of the leads in canonical order, float32, and their places among the twelve."""
    order, places = _order(tuple(leads))
    if signal.ndim != 2 or len(signal) != len(order) or not len(order):
        raise RecordError(f"signal of shape {signal.shape} for {len(order)} leads")
    if not np.isfinite(fs) or fs <= 0 or signal.shape[1] < MIN_SECONDS * fs:
        raise RecordError(f"{signal.shape[1]} samples at {fs:g} Hz, at least {MIN_SECONDS:g} s are needed")
    used = signal[:, : round(seconds * fs)]
    if (np.diff(order) != 1).any():
        used = used[order]
    return np.ascontiguousarray(used, dtype=np.float32), places


@lru_cache(maxsize=64)
def _order(leads: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return which row comes first, second, ... in canonical order, and the leads' places in ascending order."""
    places = np.array([LEADS.index(name) for name in canonical_leads(leads)], dtype=np.int64)
    return np.argsort(places), np.sort(places)


def _limb(limb: np.ndarray, present: np.ndarray, flat: np.ndarray) -> float | None:
    """Derive absent limb leads in place, marking them present, and return the residual of the identities.

    RecordError when two limb leads fit the identities only under each other's names.
    """
    known, absent = present & ~flat, ~present
    if absent.any() and known.sum() >= 2:
        limb[absent] = HEXAXIAL[absent] @ (np.linalg.pinv(HEXAXIAL[known]) @ limb[known])
        present[absent] = True
    if not present.all():
        return None
    residual = identity_residual(limb)
    if residual > SUSPECT_UV and known.all() and (pair := exchanged(limb)):
        raise RecordError(f"leads contradict their names: {pair[0]} and {pair[1]} fit the identities when exchanged")
    return residual


def _at_extreme(whole: np.ndarray, low: np.ndarray, high: np.ndarray, flat: np.ndarray) -> float:
    """Return the largest share of samples, over leads that are not flat, in a run at the lead's own extremes."""
    leads, samples = whole.shape
    at = np.flatnonzero((whole == low[:, None]) | (whole == high[:, None]))
    repeated = at[1:][np.diff(at) == 1]
    runs = np.bincount(repeated // samples, minlength=leads)
    return float(runs[~flat].max(initial=0) / samples)


def _saturated(microvolt: np.ndarray, amplitude: float) -> float:
    """Return the largest share of samples of a lead beyond full scale."""
    return float((np.abs(microvolt) > FULL_SCALE).mean(axis=1).max()) if amplitude > FULL_SCALE else 0.0


def _int16(microvolt: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.rint(microvolt)
    np.clip(rounded, -FULL_SCALE, FULL_SCALE, out=rounded)
    return rounded.astype(np.int16)


def _mask(leads: np.ndarray) -> int:
    return sum(1 << int(place) for place in np.flatnonzero(leads))
