"""Onset and offset of the P and the T wave in each lead of a median beat; no P wave without evidence."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from cgdmer.delineation.rules import Limits, Rules

SHORTEST = 0.04
"""Seconds of the shortest window in which a wave is looked for."""


@dataclass(frozen=True)
class Search:
    """Where a wave is looked for, in samples, and what it must be like."""

    begin: int
    """First sample of its peak."""
    end: int
    """Last sample of the wave."""
    earliest: int
    """First sample of the wave."""
    smoothing: float
    """Standard deviation of the Gaussian smoothing, in samples."""
    near: int
    """How far the peak in a lead may lie from that over all leads."""
    before: int
    after: int
    """How far the steepest point may lie from the peak, and the onset or offset from that point."""
    least: float
    """Least height in mV."""


def t_waves(beat: np.ndarray, after: int, end: int, fs: float, rules: Rules) -> list[Limits | None]:
    """Return the T wave in each lead of a median beat (L, W), between the last sample of the complex and `end`."""
    search = Search(
        after + round(rules.t_begin * fs), min(end, after + round(rules.t_longest * fs)), after,
        rules.t_smoothing * fs, round(rules.t_near * fs), round(rules.t_reach_on * fs), round(rules.t_reach_off * fs),
        rules.t_least,
    )  # fmt: skip
    return _waves(beat, search)


def p_waves(
    beat: np.ndarray, error: np.ndarray, begin: int, before: int, fs: float, rules: Rules, irregular: bool
) -> list[Limits | None]:
    """Return the P wave in each lead of a median beat (L, W), between `begin` and the first sample of the complex.

    `error` (L, W) is the standard error of the median beat. A wave that does not exceed it clearly is none, and if too
    few leads have one, none has.
    """
    first = max(begin, before - round(rules.p_reach * fs), 0)
    search = Search(
        first, before - round(rules.p_pause * fs), first, rules.p_smoothing * fs, round(rules.p_near * fs),
        round(rules.p_reach_on * fs), round(rules.p_reach_off * fs), rules.p_least,
    )  # fmt: skip
    errors = rules.p_errors_irregular if irregular else rules.p_errors
    found = [
        wave if wave and height(beat[lead], wave) > errors * float(error[lead, wave.peak]) else None
        for lead, wave in enumerate(_waves(beat, search))
    ]
    live = int((np.ptp(beat, axis=1) > 0).sum())
    enough = sum(wave is not None for wave in found) >= max(1, rules.p_leads * live)
    return found if enough else [None] * len(found)


def height(lead: np.ndarray, wave: Limits) -> float:
    """Return the distance in mV of a wave's peak from the line between its onset and its offset."""
    line = np.interp(wave.peak, [wave.onset, wave.offset], [lead[wave.onset], lead[wave.offset]])
    return float(abs(lead[wave.peak] - line))


def _waves(beat: np.ndarray, search: Search) -> list[Limits | None]:
    if search.end - search.begin < max(3, search.near // 2):
        return [None] * len(beat)
    smooth = ndimage.gaussian_filter1d(beat, search.smoothing, axis=1, mode="nearest")
    part = smooth[:, search.begin : search.end + 1]
    line = part[:, :1] + (part[:, -1:] - part[:, :1]) * np.linspace(0, 1, part.shape[1])
    raised = part - line
    middle = int(np.square(raised).sum(axis=0).argmax())
    low = max(0, middle - search.near)
    peaks = low + np.abs(raised[:, low : middle + search.near + 1]).argmax(axis=1)
    signs = np.sign(raised[np.arange(len(beat)), peaks])
    return [_delimit(smooth[lead], search.begin + int(peaks[lead]), signs[lead], search) for lead in range(len(beat))]


def _delimit(wave: np.ndarray, peak: int, sign: float, search: Search) -> Limits | None:
    left, right = max(search.earliest, peak - search.before), min(search.end, peak + search.after)
    if min(peak - left, right - peak) < 3 or not sign:
        return None
    slope = sign * np.gradient(wave[left : right + 1])
    up, down = left + int(slope[: peak - left + 1].argmax()), peak + int(slope[peak - left :].argmin())
    onset = corner(wave, up, max(search.earliest, up - search.before))
    offset = corner(wave, down, min(search.end, down + search.after))
    limits = Limits(onset, peak, offset)
    return limits if onset < peak < offset and height(wave, limits) >= search.least else None


def corner(wave: np.ndarray, steepest: int, far: int) -> int:
    """Return where a flank of a wave (W,) that is steepest at `steepest` ends, looked for up to `far` on either side.

    That is the corner of the largest trapezium with the steepest point and the far one (Vazquez-Seisdedos et al. 2011,
    doi 10.1186/1475-925X-10-43); noise moves it less than it moves the crossing of a threshold.
    """
    step = 1 if far > steepest else -1
    samples = np.arange(steepest, far + step, step)
    area = np.abs((wave[steepest] - wave[samples]) * (2 * far - samples - steepest))
    return int(samples[area.argmax()])
