"""Onset and offset of the QRS complex in each lead of a median beat: where its slope leaves and reaches the noise."""

import numpy as np
from scipy import ndimage

from cgdmer.delineation.rules import Limits, Rules

CORE = 0.06
"""The complex is steepest within so many seconds of the centre of a beat."""
QUIET = 0.2
"""Share of a beat that is quiet; the slope there is noise."""


def delimit(beat: np.ndarray, centre: int, fs: float, rules: Rules) -> tuple[list[Limits | None], tuple[int, int]]:
    """Return the complex in each lead of a median beat (L, W) in mV, and its first and last sample over all leads.

    A lead has none if nothing in it stands out. Within the limits over all leads, widened by a margin, a lead's own
    slope decides.
    """
    steep = _steepness(beat, fs, rules)
    first, last = _over_all_leads(steep, centre, fs, rules)
    noise = rules.qrs_noise * np.quantile(steep, QUIET, axis=1)
    margin = round(rules.qrs_margin * fs)
    begin, end = max(first - margin, 0), min(last + margin, beat.shape[1] - 1)
    return _in_leads(beat[:, begin : end + 1], steep[:, begin : end + 1], noise, begin, rules), (first, last)


def first_steep(beat: np.ndarray, centre: int, fs: float, rules: Rules) -> int:
    """Return the first steep sample of the complex over all leads of a median beat (L, W) in mV."""
    return _over_all_leads(_steepness(beat, fs, rules), centre, fs, rules)[0]


def _steepness(beat: np.ndarray, fs: float, rules: Rules) -> np.ndarray:
    """Return the size of the slope of a beat (L, W) in mV, per sample."""
    slopes = ndimage.gaussian_filter1d(beat, rules.qrs_smoothing * fs, axis=1, order=1, mode="nearest")
    return np.asarray(np.abs(slopes))


def _over_all_leads(steep: np.ndarray, centre: int, fs: float, rules: Rules) -> tuple[int, int]:
    """Return the first and last sample of the steep part around the centre, over pauses."""
    total = np.sqrt(np.square(steep).mean(axis=0))
    core = centre - round(CORE * fs)
    top = core + int(total[core : centre + round(CORE * fs)].argmax())
    threshold = max(rules.qrs_share * total[top], rules.qrs_noise * float(np.quantile(total, QUIET)))
    inside, pause = np.flatnonzero(total > threshold), round(rules.qrs_pause * fs)
    reaches = [round(seconds * fs) for seconds in (rules.qrs_reach, rules.qrs_wide)]
    before = [max(centre - reach, 0) for reach in reaches]
    after = [min(centre + round(1.5 * reach), len(total) - 1) for reach in reaches]
    return _end(inside[inside <= top][::-1], top, pause, before), _end(inside[inside >= top], top, pause, after)


def _end(samples: np.ndarray, start: int, pause: int, limits: list[int]) -> int:
    """Return how far the samples lead away from `start`: up to the first limit, or the second if they reach that."""
    end = start
    for limit in limits:
        end = _reached(samples, start, pause, limit)
        if end != limit:
            break
    return end


def _reached(samples: np.ndarray, start: int, pause: int, limit: int) -> int:
    """Return the last of the samples, which lead from `start` to `limit`, before a gap that is longer than a pause."""
    end = start
    for sample in samples.tolist():
        if abs(sample - end) > pause + 1 or abs(sample - start) > abs(limit - start):
            break
        end = sample
    return end


def _in_leads(waves: np.ndarray, steep: np.ndarray, noise: np.ndarray, begin: int, rules: Rules) -> list[Limits | None]:
    """Return the complex in each lead from waves and slopes (L, W), which start at sample `begin`, and noise (L,)."""
    largest = steep.max(axis=1)
    stands_out = (largest > 2 * noise) & (np.ptp(waves, axis=1) >= rules.qrs_least)
    onsets = (steep > np.maximum(rules.qrs_lead_on * largest, noise)[:, None]).argmax(axis=1)
    above = steep > np.maximum(rules.qrs_lead_off * largest, noise)[:, None]
    offsets = waves.shape[1] - 1 - above[:, ::-1].argmax(axis=1)
    columns, rows = np.arange(waves.shape[1]), np.arange(len(waves))
    inside = (columns >= onsets[:, None]) & (columns <= offsets[:, None])
    peaks = np.where(inside, np.abs(waves - waves[rows, onsets][:, None]), -1.0).argmax(axis=1)
    each = zip(stands_out.tolist(), (np.array([onsets, peaks, offsets]) + begin).T.tolist(), strict=True)
    return [Limits(*limits) if usable else None for usable, limits in each]
