"""The canonical form of a recording, the same for every corpus: 12 leads, one rate, one length, int16 microvolt."""

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
"""Largest magnitude that is stored, in microvolt; larger values saturate and count as clipped."""

FLAT_UV = 10.0
"""A lead that spans less than this before filtering is flat, in microvolt."""

MIN_SECONDS = 1.0
"""Shorter records are refused: they hold no whole heart beat at 60 beats per minute."""


class Quality(TypedDict):
    """Measurements of a record's quality, for data validation; columns of `rows.parquet`."""

    missing: int
    """Bit k: lead k is neither recorded nor derived, and all zeros."""
    flat: int
    """Bit k: lead k was recorded but spans less than `FLAT_UV`."""
    clipped: float
    """Largest share, over the leads, of samples in a run at the lead's own extremes or beyond full scale."""
    amplitude_uv: int
    """Largest magnitude after filtering and before saturation, in microvolt."""
    identity_uv: float | None
    """Root-mean-square residual of the limb lead identities, in microvolt; None with fewer than two limb leads."""
    bridged: int
    """Missing samples that were interpolated, over all leads."""
    signal_digest: str
    """Start of the sha256 of the used seconds before filtering, in whole microvolt; equal for identical recordings."""


@dataclass(frozen=True)
class Canonical:
    """One row of a shard."""

    signal: np.ndarray
    """int16 microvolt (12, settings.samples), exactly zero after `valid` samples and in missing leads."""
    valid: int
    """Samples before the zero padding."""
    quality: Quality


def canonical(signal: np.ndarray, fs: float, leads: Sequence[str], settings: Signal, seconds: float) -> Canonical:
    """Convert a recording `(L, T)` in mV at `fs` Hz to the canonical form; RecordError when it cannot be used.

    The first `seconds` are cut out before filtering, so that nothing after them leaks in. Padding follows filtering, so
    that it is exactly zero. Absent limb leads are derived from two others where possible (Einthoven, Goldberger); other
    absent leads stay zero and are marked missing.
    """
    raw, lead_rows = _in_canonical_order(signal, fs, leads, min(seconds, settings.seconds))
    raw, bridged = bridge(raw, fs, settings.max_gap)
    unfiltered = _int16(raw * np.float32(1000))
    low, high = unfiltered.min(axis=1), unfiltered.max(axis=1)
    present, flat = np.zeros((2, len(LEADS)), dtype=bool)
    present[lead_rows] = True
    flat[lead_rows] = high.astype(np.int32) - low < FLAT_UV
    if flat.sum() > settings.max_flat_leads:
        raise RecordError(f"{flat.sum()} flat leads, at most {settings.max_flat_leads} are allowed")
    filtered = band_pass(raw, fs, settings)[:, : settings.samples]
    valid = filtered.shape[1]
    microvolt = np.zeros((len(LEADS), valid), dtype=np.float32)
    microvolt[lead_rows] = filtered * 1000
    identity = _derive_limb_leads(microvolt[:LIMB], present[:LIMB], flat[:LIMB])
    amplitude = float(np.abs(microvolt).max())
    quality = Quality(
        missing=_mask(~present),
        flat=_mask(flat),
        clipped=round(max(_at_extreme(unfiltered, low, high, flat[lead_rows]), _saturated(microvolt, amplitude)), 6),
        amplitude_uv=round(amplitude),
        identity_uv=None if identity is None else round(identity, 2),
        bridged=bridged,
        signal_digest=hashlib.sha256(unfiltered.data).hexdigest()[:16],
    )
    row = np.zeros((len(LEADS), settings.samples), dtype=np.int16)
    row[:, :valid] = _int16(microvolt)
    return Canonical(row, valid, quality)


def bridge(signal: np.ndarray, fs: float, max_gap: float) -> tuple[np.ndarray, int]:
    """Interpolate missing samples (NaN) of `(L, T)` linearly and count them; a gap at an end takes the nearest value.

    RecordError for infinite values or a gap longer than `max_gap` seconds.
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


def _in_canonical_order(
    signal: np.ndarray, fs: float, leads: Sequence[str], seconds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first `seconds` of the leads in canonical order, float32, and their rows among the twelve."""
    order, lead_rows = _order(tuple(leads))
    if signal.ndim != 2 or len(signal) != len(order) or not len(order):
        raise RecordError(f"signal of shape {signal.shape} for {len(order)} leads")
    if not np.isfinite(fs) or fs <= 0 or signal.shape[1] < MIN_SECONDS * fs:
        raise RecordError(f"{signal.shape[1]} samples at {fs:g} Hz, at least {MIN_SECONDS:g} s are needed")
    used = signal[:, : round(seconds * fs)]
    if (np.diff(order) != 1).any():
        used = used[order]
    return np.ascontiguousarray(used, dtype=np.float32), lead_rows


@lru_cache(maxsize=64)
def _order(leads: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return the permutation that sorts the leads canonically, and their rows among the twelve, ascending."""
    lead_rows = np.array([LEADS.index(name) for name in canonical_leads(leads)], dtype=np.int64)
    return np.argsort(lead_rows), np.sort(lead_rows)


def _derive_limb_leads(limb: np.ndarray, present: np.ndarray, flat: np.ndarray) -> float | None:
    """Derive absent limb leads in place, mark them present, and return the residual of the identities in microvolt.

    `limb` is `(6, T)`, `present` and `flat` are bool (6,). RecordError when the names of two limb leads are exchanged.
    """
    usable, absent = present & ~flat, ~present
    if absent.any() and usable.sum() >= 2:
        limb[absent] = HEXAXIAL[absent] @ (np.linalg.pinv(HEXAXIAL[usable]) @ limb[usable])
        present[absent] = True
    if not present.all():
        return None
    residual = identity_residual(limb)
    if residual > SUSPECT_UV and usable.all() and (pair := exchanged(limb)):
        raise RecordError(f"leads contradict their names: {pair[0]} and {pair[1]} fit the identities when exchanged")
    return residual


def _at_extreme(microvolt: np.ndarray, low: np.ndarray, high: np.ndarray, flat: np.ndarray) -> float:
    """Return the largest share of samples, over leads that are not flat, in a run at the lead's own extremes."""
    leads, samples = microvolt.shape
    extreme = np.flatnonzero((microvolt == low[:, None]) | (microvolt == high[:, None]))
    repeated = extreme[1:][np.diff(extreme) == 1]
    runs = np.bincount(repeated // samples, minlength=leads)
    return float(runs[~flat].max(initial=0) / samples)


def _saturated(microvolt: np.ndarray, amplitude: float) -> float:
    """Return the largest share, over the leads, of samples beyond full scale."""
    return float((np.abs(microvolt) > FULL_SCALE).mean(axis=1).max()) if amplitude > FULL_SCALE else 0.0


def _int16(microvolt: np.ndarray) -> np.ndarray:
    """Round to int16, saturating at full scale."""
    rounded: np.ndarray = np.rint(microvolt)
    np.clip(rounded, -FULL_SCALE, FULL_SCALE, out=rounded)
    return rounded.astype(np.int16)


def _mask(leads: np.ndarray) -> int:
    """Return a bit mask in which bit k is set when `leads[k]` is True."""
    return sum(1 << int(lead) for lead in np.flatnonzero(leads))
