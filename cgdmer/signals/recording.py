"""Owns the canonical form of a recording: 12 leads, one rate, one length, int16 microvolt, whatever the corpus."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from cgdmer.errors import RecordError
from cgdmer.settings import Signal
from cgdmer.signals.filters import band_pass
from cgdmer.signals.leads import HEXAXIAL, LEADS, LIMB, canonical_leads, exchanged, identity_residual

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
    """Largest share, over the leads, of samples in a run at the lead's own extreme value, or beyond full scale."""
    amplitude_uv: int
    """Largest magnitude after filtering, before saturation, microvolt."""
    identity_uv: float | None
    """Root-mean-square residual of the limb lead identities, microvolt; None with fewer than two limb leads."""
    bridged: int
    """Samples that were missing and are interpolated, over all leads."""
    signal_digest: str
    """16 hex digits of the used seconds before filtering, in whole microvolt: equal for identical recordings."""


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
    low, high = raw.min(axis=1), raw.max(axis=1)
    flat = (high - low) * 1000 < FLAT_UV
    if flat.sum() > settings.max_flat_leads:
        raise RecordError(f"{flat.sum()} flat leads, at most {settings.max_flat_leads} are allowed")
    filtered = band_pass(raw, fs, settings)[:, : settings.samples] * np.float32(1000)
    present = np.zeros(len(LEADS), dtype=bool)
    present[places] = True
    microvolt = np.zeros((len(LEADS), filtered.shape[1]), dtype=np.float32)
    microvolt[places] = filtered
    identity = _limb(microvolt, present, places[flat])
    row = np.zeros((len(LEADS), settings.samples), dtype=np.int16)
    row[:, : filtered.shape[1]] = _int16(microvolt)
    quality = Quality(
        missing=_mask(np.flatnonzero(~present)),
        flat=_mask(places[flat]),
        clipped=_clipped(raw[~flat], low[~flat], high[~flat], microvolt),
        amplitude_uv=round(float(np.abs(microvolt).max())),
        identity_uv=None if identity is None else round(identity, 2),
        bridged=bridged,
        signal_digest=hashlib.blake2b(_int16(raw * np.float32(1000)).data, digest_size=8).hexdigest(),
    )
    return Canonical(row, filtered.shape[1], quality)


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
    names = canonical_leads(leads)
    if signal.ndim != 2 or len(signal) != len(names) or not names:
        raise RecordError(f"signal of shape {signal.shape} for {len(names)} leads")
    if not np.isfinite(fs) or fs <= 0 or signal.shape[1] < MIN_SECONDS * fs:
        raise RecordError(f"{signal.shape[1]} samples at {fs:g} Hz, at least {MIN_SECONDS:g} s are needed")
    places = np.array([LEADS.index(name) for name in names])
    order = np.argsort(places)
    return np.ascontiguousarray(signal[order, : round(seconds * fs)], dtype=np.float32), places[order]


def _limb(microvolt: np.ndarray, present: np.ndarray, flat: np.ndarray) -> float | None:
    """Derive absent limb leads in place, marking them present, and return the residual of the identities.

    RecordError when two limb leads fit the identities only under each other's names.
    """
    limb = microvolt[:LIMB]
    known = np.setdiff1d(np.flatnonzero(present[:LIMB]), flat)
    absent = np.flatnonzero(~present[:LIMB])
    if len(known) >= 2 and len(absent):
        limb[absent] = HEXAXIAL[absent] @ (np.linalg.pinv(HEXAXIAL[known]) @ limb[known])
        present[absent] = True
    if not present[:LIMB].all():
        return None
    residual = identity_residual(limb)
    if len(known) == LIMB and (pair := exchanged(limb)):
        raise RecordError(f"leads contradict their names: {pair[0]} and {pair[1]} fit the identities when exchanged")
    return residual


def _clipped(raw: np.ndarray, low: np.ndarray, high: np.ndarray, microvolt: np.ndarray) -> float:
    """Return the share that `Quality.clipped` describes; two equal neighbours make a run."""
    share = float((np.abs(microvolt) > FULL_SCALE).mean(axis=1).max())
    for extreme in (low, high):
        at = raw == extreme[:, None]
        runs = np.count_nonzero(at[:, 1:] & at[:, :-1], axis=1)
        share = max(share, int(runs.max(initial=0)) / raw.shape[1])
    return round(share, 6)


def _int16(microvolt: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.rint(np.clip(microvolt, -FULL_SCALE, FULL_SCALE)).astype(np.int16)
    return rounded


def _mask(places: np.ndarray) -> int:
    return sum(1 << int(place) for place in places)
