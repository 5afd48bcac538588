"""Onset and offset of the QRS complex, the T wave and the P wave in each lead of a median beat."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

P, QRS, T = "p", "qrs", "t"


@dataclass(frozen=True)
class Limits:
    """One wave in one lead, in samples from the start of the median beat."""

    onset: int
    peak: int
    offset: int


@dataclass(frozen=True)
class Rules:
    """How waves are delimited; times in seconds. Chosen on the odd records of LUDB (docs/measurements.md)."""

    qrs_smoothing: float = 0.004
    """Standard deviation of the Gaussian smoothing before the slope is taken."""
    qrs_reach: float = 0.1
    """Farthest onset before the steepest point of the complex; the offset is looked for one and a half times as far."""
    qrs_share: float = 0.06
    """Slope over all leads, relative to its maximum, that belongs to the complex."""
    qrs_lead_on: float = 0.01
    qrs_lead_off: float = 0.04
    """Slope in a lead, relative to its maximum, that belongs to the complex."""
    qrs_noise: float = 4.0
    """The same relative to the slope in the quiet parts of the beat."""
    qrs_margin: float = 0.008
    """How far the limits in a lead may lie outside those over all leads."""
    qrs_pause: float = 0.008
    """Longest flat part within a complex."""
    t_smoothing: float = 0.012
    t_begin: float = 0.06
    """Earliest peak after the end of the complex."""
    t_near: float = 0.08
    """How far the peak in a lead may lie from that over all leads."""
    t_reach_on: float = 0.1
    t_reach_off: float = 0.07
    """How far onset and offset may lie from the steepest point of their side."""
    t_least: float = 0.015
    """Least height in mV."""
    p_smoothing: float = 0.008
    p_reach: float = 0.32
    """Longest distance from the onset of the P wave to that of the complex."""
    p_near: float = 0.06
    p_reach_on: float = 0.055
    p_reach_off: float = 0.035
    p_least: float = 0.02
    p_errors: float = 4.0
    """Least height in standard errors of the median beat."""
    p_errors_irregular: float = 8.0
    """The same in an irregular rhythm, where fibrillation waves do not cancel out over a few beats."""
    p_leads: float = 0.4
    """Share of the leads in which a P wave must stand out."""


RULES = Rules()


def slope(leads: np.ndarray, fs: float, deviation: float) -> np.ndarray:
    """Return the slope of smoothed leads (L, W) in mV per second."""
    return np.asarray(ndimage.gaussian_filter1d(leads, deviation * fs, axis=1, order=1, mode="nearest") * fs)


def qrs(beat: np.ndarray, centre: int, fs: float, rules: Rules = RULES) -> tuple[list[Limits | None], tuple[int, int]]:
    """Return the QRS complex of each lead of a median beat (L, W), and its limits over all leads."""
    steep = np.abs(slope(beat, fs, rules.qrs_smoothing))
    low, high = centre - round(rules.qrs_reach * fs), centre + round(1.5 * rules.qrs_reach * fs)
    quiet = np.quantile(steep, 0.2, axis=1)
    total = np.sqrt(np.square(steep).mean(axis=0))
    core = slice(centre - round(0.06 * fs), centre + round(0.06 * fs))
    top = core.start + int(total[core].argmax())
    threshold = max(rules.qrs_share * total[top], rules.qrs_noise * float(np.quantile(total, 0.2)))
    pause = round(rules.qrs_pause * fs)
    first, last = run(total > threshold, top, low, high, pause)
    margin = round(rules.qrs_margin * fs)
    begin, end = max(first - margin, 0), min(last + margin, beat.shape[1] - 1)
    found: list[Limits | None] = []
    for lead, wave in enumerate(steep):
        inside = wave[begin : end + 1]
        largest = float(inside.max())
        noise = rules.qrs_noise * float(quiet[lead])
        if largest <= 2 * noise or np.ptp(beat[lead, begin : end + 1]) < 0.05:
            found.append(None)
            continue
        on = np.flatnonzero(inside > max(rules.qrs_lead_on * largest, noise))
        off = np.flatnonzero(inside > max(rules.qrs_lead_off * largest, noise))
        onset, offset = begin + int(on[0]), begin + int(off[-1])
        peak = onset + int(np.abs(beat[lead, onset : offset + 1] - beat[lead, onset]).argmax())
        found.append(Limits(onset, peak, offset))
    return found, (first, last)


def run(inside: np.ndarray, start: int, low: int, high: int, pause: int) -> tuple[int, int]:
    """Return the first and last sample of the part of `inside` (W,) around `start`, over gaps of up to `pause`."""
    set_ = np.flatnonzero(inside[low : high + 1]) + low
    before, after = set_[set_ <= start][::-1], set_[set_ >= start]
    return _end(before, start, pause), _end(after, start, pause)


def _end(samples: np.ndarray, start: int, pause: int) -> int:
    end = start
    for sample in samples.tolist():
        if abs(sample - end) > pause + 1:
            break
        end = sample
    return end


def corner(wave: np.ndarray, steepest: int, far: int) -> int:
    """Return where a flank (W,) that is steepest at `steepest` has come down, looked for up to `far`, on either side.

    That is the point of the largest trapezium with the steepest point and the far one (Vazquez-Seisdedos et al., 2011,
    doi 10.1186/1475-925X-10-43): noise moves it less than a threshold of slope.
    """
    step = 1 if far > steepest else -1
    samples = np.arange(steepest, far + step, step)
    area = np.abs((wave[steepest] - wave[samples]) * (2 * far - samples - steepest))
    return int(samples[area.argmax()])


def t(beat: np.ndarray, after: int, end: int, fs: float, rules: Rules = RULES) -> list[Limits | None]:
    """Return the T wave of each lead of a median beat (L, W) between the end of the complex and sample `end`."""
    begin = after + round(rules.t_begin * fs)
    return _waves(beat, (begin, end), (after, end), fs, rules.t_smoothing, rules.t_near,
                  (rules.t_reach_on, rules.t_reach_off), rules.t_least)  # fmt: skip


def p(
    beat: np.ndarray,
    error: np.ndarray,
    begin: int,
    before: int,
    fs: float,
    rules: Rules = RULES,
    irregular: bool = False,
) -> list[Limits | None]:
    """Return the P wave of each lead of a median beat (L, W) between `begin` and the complex; none without evidence."""
    begin = max(begin, before - round(rules.p_reach * fs), 0)
    end = before - round(0.012 * fs)
    found = _waves(beat, (begin, end), (begin, end), fs, rules.p_smoothing, rules.p_near,
                   (rules.p_reach_on, rules.p_reach_off), rules.p_least)  # fmt: skip
    errors = rules.p_errors_irregular if irregular else rules.p_errors
    clear = [
        wave is not None and height(beat[lead], wave) > errors * float(error[lead, wave.peak])
        for lead, wave in enumerate(found)
    ]
    if sum(clear) < max(1, rules.p_leads * len(found)):
        return [None] * len(found)
    return [wave if seen else None for wave, seen in zip(found, clear, strict=True)]


def height(lead: np.ndarray, wave: Limits) -> float:
    """Return the distance in mV of a wave's peak from the line between its onset and its offset."""
    line = np.interp(wave.peak, [wave.onset, wave.offset], [lead[wave.onset], lead[wave.offset]])
    return float(abs(lead[wave.peak] - line))


def _waves(
    beat: np.ndarray, window: tuple[int, int], bounds: tuple[int, int], fs: float, smoothing: float, near: float,
    reach: tuple[float, float], least: float,
) -> list[Limits | None]:  # fmt: skip
    begin, end = window
    if end - begin < round(0.04 * fs):
        return [None] * len(beat)
    smooth = ndimage.gaussian_filter1d(beat, smoothing * fs, axis=1, mode="nearest")
    steep = np.gradient(smooth, axis=1)
    part = smooth[:, begin : end + 1]
    line = part[:, :1] + (part[:, -1:] - part[:, :1]) * np.linspace(0, 1, part.shape[1])
    raised = np.abs(part - line)
    total = np.sqrt(np.square(raised).mean(axis=0))
    middle = int(total.argmax())
    low, high = max(0, middle - round(near * fs)), min(part.shape[1], middle + round(near * fs) + 1)
    found: list[Limits | None] = []
    for lead in range(len(beat)):
        peak = begin + low + int(raised[lead, low:high].argmax())
        sign = np.sign(part[lead, peak - begin] - line[lead, peak - begin])
        left = max(bounds[0], peak - round(reach[0] * fs))
        right = min(bounds[1], peak + round(reach[1] * fs))
        if right - peak < 3 or peak - left < 3 or not sign:
            found.append(None)
            continue
        up = left + int((sign * steep[lead, left : peak + 1]).argmax())
        down = peak + int((sign * steep[lead, peak : right + 1]).argmin())
        onset = corner(smooth[lead], up, max(bounds[0], up - round(reach[0] * fs)))
        offset = corner(smooth[lead], down, min(bounds[1], down + round(reach[1] * fs)))
        wave = Limits(onset, peak, offset)
        found.append(wave if onset < peak < offset and height(smooth[lead], wave) >= least else None)
    return found
