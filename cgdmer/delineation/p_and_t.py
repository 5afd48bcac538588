"""Onset and offset of the P and the T wave in each lead of a median beat; no P wave without evidence."""

from dataclasses import dataclass
from statistics import median

import numpy as np
from scipy import ndimage

from cgdmer.delineation.rules import Limits, Rules

SHORTEST = 0.04
"""Seconds of the shortest window in which a wave is looked for."""
NEAR = 0.03
"""A P wave whose onset is found within so many seconds of the usual reach may begin before it."""
CUT = 0.004
"""A wave that begins or ends within so many seconds of a limit may be cut by it."""


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
    few leads have one, none has. Where the usual reach may have cut a wave, the far one decides, unless it cuts it too.
    """
    least = (rules.p_errors_irregular if irregular else rules.p_errors) * error
    usual, far = (before - round(reach * fs) for reach in (rules.p_reach, rules.p_far))
    waves = _p_waves(beat, least, max(begin, usual, 0), before, fs, rules)
    onsets = [wave.onset for wave in waves if wave]
    if begin < usual and (not onsets or median(onsets) < usual + round(NEAR * fs)):
        first, last = max(begin, far, 0), before - round(rules.p_pause * fs)
        farther = _p_waves(beat, least, first, before, fs, rules)
        onsets = [wave.onset for wave in farther if wave]
        if onsets and median(onsets) < usual:
            waves = farther if first == begin else _whole(beat, farther, (first, last), fs, rules)
    return waves


def _p_waves(
    beat: np.ndarray, least: np.ndarray, first: int, before: int, fs: float, rules: Rules
) -> list[Limits | None]:
    """Return P waves from `first` on that are higher than `least` (L, W) at the peak, if enough leads have one."""
    search = Search(
        first, before - round(rules.p_pause * fs), first, rules.p_smoothing * fs, round(rules.p_near * fs),
        round(rules.p_reach_on * fs), round(rules.p_reach_off * fs), rules.p_least,
    )  # fmt: skip
    waves = [
        wave if wave and height(beat[lead], wave) > float(least[lead, wave.peak]) else None
        for lead, wave in enumerate(_waves(beat, search))
    ]
    return _if_enough(beat, waves, rules)


def _whole(
    beat: np.ndarray, waves: list[Limits | None], search: tuple[int, int], fs: float, rules: Rules
) -> list[Limits | None]:
    """Return the waves that are not cut by the begin of the search, if enough leads have one.

    A cut wave begins with the search, or is lower than the step between the levels at the two ends of the search.
    """
    first, last = search
    steps = np.abs(beat[:, first] - beat[:, last]).tolist()
    whole = [
        wave if wave and wave.onset > first + round(CUT * fs) and height(lead, wave) >= step else None
        for lead, wave, step in zip(beat, waves, steps, strict=True)
    ]
    return _if_enough(beat, whole, rules)


def _if_enough(beat: np.ndarray, waves: list[Limits | None], rules: Rules) -> list[Limits | None]:
    """Return the waves if enough leads of the beat (L, W) have one, otherwise none."""
    live = int((np.ptp(beat, axis=1) > 0).sum())
    enough = sum(wave is not None for wave in waves) >= max(1, rules.p_leads * live)
    return waves if enough else [None] * len(waves)


def height(lead: np.ndarray, wave: Limits) -> float:
    """Return the distance in mV of a wave's peak from the line between its onset and its offset."""
    first, last = float(lead[wave.onset]), float(lead[wave.offset])
    line = (last - first) / (wave.offset - wave.onset) * (wave.peak - wave.onset) + first
    return abs(float(lead[wave.peak]) - line)


def _waves(beat: np.ndarray, search: Search) -> list[Limits | None]:
    """Return the wave in each lead of a median beat (L, W)."""
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
    return _delimit(smooth, search.begin + peaks, signs, search)


def _delimit(waves: np.ndarray, peaks: np.ndarray, signs: np.ndarray, search: Search) -> list[Limits | None]:
    """Return the limits of the wave in each lead (L, W) around its peak (L,); `signs` (L,) is 1, -1 or, for none, 0."""
    left, right = np.maximum(search.earliest, peaks - search.before), np.minimum(search.end, peaks + search.after)
    wide = (np.minimum(peaks - left, right - peaks) >= 3) & (signs != 0)
    left, right = np.where(wide, left, peaks - 1), np.where(wide, right, peaks + 1)
    slopes = signs[:, None] * _gradients(waves, left, right)
    up = _largest(slopes, left, peaks)
    down = _largest(-slopes, peaks, right)
    onsets = corners(waves, up, np.maximum(search.earliest, up - search.before))
    offsets = corners(waves, down, np.minimum(search.end, down + search.after))
    each = zip(waves, wide.tolist(), onsets.tolist(), peaks.tolist(), offsets.tolist(), strict=True)
    return [
        limits
        if usable and onset < peak < offset and height(wave, limits := Limits(onset, peak, offset)) >= search.least
        else None
        for wave, usable, onset, peak, offset in each
    ]


def _gradients(waves: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the central differences of waves (L, W), one-sided at the limits `left` and `right` (L,) of each."""
    slopes = np.zeros_like(waves)
    slopes[:, 1:-1] = (waves[:, 2:] - waves[:, :-2]) / 2
    rows = np.arange(len(waves))
    slopes[rows, left] = waves[rows, left + 1] - waves[rows, left]
    slopes[rows, right] = waves[rows, right] - waves[rows, right - 1]
    return slopes


def _largest(values: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the position of the largest of values (L, W) between `first` and `last` (L,), the first of equals."""
    columns = np.arange(values.shape[1])
    inside = (columns >= first[:, None]) & (columns <= last[:, None])
    return np.asarray(np.where(inside, values, -np.inf).argmax(axis=1))


def corners(waves: np.ndarray, steepest: np.ndarray, far: np.ndarray) -> np.ndarray:
    """Return where a flank of each wave (L, W) that is steepest at `steepest` (L,) ends, looked for up to `far` (L,).

    That is the corner of the largest trapezium with the steepest point and the far one (Vazquez-Seisdedos et al. 2011,
    doi 10.1186/1475-925X-10-43); noise moves it less than it moves the crossing of a threshold. Of equal corners, the
    one closest to the steepest point counts. All far points lie on one side.
    """
    columns, rows = np.arange(waves.shape[1]), np.arange(len(waves))
    heights = waves[rows, steepest][:, None] - waves
    areas = np.abs(heights * (2 * far[:, None] - columns - steepest[:, None]))
    if (far <= steepest).all():
        last = waves.shape[1] - 1
        return np.asarray(last - _largest(areas[:, ::-1], last - steepest, last - far))
    return _largest(areas, steepest, far)
