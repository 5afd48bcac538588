"""P, QRS and T waves of every beat of a recording, from the median beat of each shape."""

from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from cgdmer.delineation import beats, p_and_t, pacing, qrs
from cgdmer.delineation.rules import RULES, Limits, Rules

P, QRS, T = "p", "qrs", "t"
WAVES = (P, QRS, T)


@dataclass(frozen=True, eq=False)
class DelineatedShape:
    """The beats of one shape, and the waves of their median beat."""

    shape: beats.Shape
    """Its median beat is without a pacing spike."""
    waves: dict[str, list[Limits | None]]
    """Each wave in each lead, in samples from the start of the median beat."""


@dataclass(frozen=True, eq=False)
class Delineation:
    """The beats of a recording."""

    centres: np.ndarray
    """Samples of all beats, ascending (n,)."""
    shapes: list[DelineatedShape]
    """The most frequent first."""
    fs: float
    samples: int

    def waves(self, lead: int, kind: str) -> list[Limits]:
        """Return a wave of every beat in one lead, in samples of the recording, in order."""
        placed = []
        for each in self.shapes:
            if wave := each.waves[kind][lead]:
                begins = each.shape.centres - round(beats.BEFORE * self.fs)
                placed += [Limits(wave.onset + at, wave.peak + at, wave.offset + at) for at in begins.tolist()]
        return sorted(
            (wave for wave in placed if wave.onset >= 0 and wave.offset < self.samples), key=lambda wave: wave.peak
        )


def delineate(leads: np.ndarray, fs: float, rules: Rules = RULES, *, most: int | None = None) -> Delineation:
    """Delineate leads (L, T) in mV; an absent lead is zero. Without beats, the result has no shapes.

    `most` is how many of the most frequent shapes are delineated: all if None; measurements need one.
    """
    centres = beats.find(leads, fs)
    shapes = beats.shapes(leads, centres, fs)
    return Delineation(centres, [_delineated(one, centres, fs, rules) for one in shapes[:most]], fs, leads.shape[1])


def _delineated(shape: beats.Shape, centres: np.ndarray, fs: float, rules: Rules) -> DelineatedShape:
    centre, rr = round(beats.BEFORE * fs), np.diff(centres)
    beat = pacing.without_spike(shape.beat, qrs.first_steep(shape.beat, centre, fs, rules), fs)
    complexes, (first, last) = qrs.delimit(beat, centre, fs, rules)
    to_next = centre + round(_distance(shape.centres, centres, fs, 1) - rules.pause * fs)
    t = p_and_t.t_waves(beat, last, min(beat.shape[1] - 1, to_next), fs, rules)
    ends = [wave.offset for wave in t if wave]
    p: list[Limits | None] = [None] * len(beat)
    if ends and median(ends) < to_next - round(p_and_t.CUT * fs):  # otherwise, the T wave before may look like a P wave
        begin = round(median(ends) - _distance(shape.centres, centres, fs, -1))
        irregular = len(rr) > 1 and bool(rr.std() > rules.irregular * rr.mean())
        p = p_and_t.p_waves(beat, shape.error, begin, first, fs, rules, irregular)
    return DelineatedShape(replace(shape, beat=beat), {P: p, QRS: complexes, T: t})


def _distance(own: np.ndarray, centres: np.ndarray, fs: float, side: int) -> float:
    """Return the median distance in samples from the beats of a shape to the next beat (1) or the one before (-1)."""
    least = 0.1 * fs  # beats of a shape were moved a little to fit each other
    gaps = side * (centres[None] - own[:, None])
    nearest = np.where(gaps > least, gaps, np.inf).min(axis=1)
    known = nearest[np.isfinite(nearest)]
    if len(known):
        return float(median(known.tolist()))
    return float(median(np.diff(centres).tolist())) if len(centres) > 1 else fs
