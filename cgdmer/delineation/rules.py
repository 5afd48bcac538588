"""The thresholds of the delineation, and the limits of one wave."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """One wave in one lead, in samples."""

    onset: int
    peak: int
    offset: int


@dataclass(frozen=True)
class Rules:
    """How waves are delimited; times in seconds. Chosen on the records of LUDB with odd numbers."""

    qrs_smoothing: float = 0.004
    """Standard deviation of the Gaussian smoothing before the slope is taken."""
    qrs_reach: float = 0.10
    """How far the onset may lie before the centre; the offset may lie half as far again after it."""
    qrs_wide: float = 0.16
    """The same for a complex that is steep up to the limit of `qrs_reach`."""
    qrs_share: float = 0.06
    """Slope over all leads, relative to its maximum, that belongs to the complex."""
    qrs_lead_on: float = 0.01
    """Slope in a lead, relative to its maximum, at the onset."""
    qrs_lead_off: float = 0.04
    """Slope in a lead, relative to its maximum, at the offset."""
    qrs_noise: float = 4.0
    """Least slope that belongs to the complex, relative to the slope in the quietest fifth of the beat."""
    qrs_margin: float = 0.008
    """How far the limits in a lead may lie outside those over all leads."""
    qrs_pause: float = 0.008
    """Longest flat part within a complex."""
    qrs_least: float = 0.05
    """Least span of a complex in mV; a lead below it has none."""
    t_smoothing: float = 0.012
    """Standard deviation of the Gaussian smoothing of T waves."""
    t_begin: float = 0.06
    """Earliest peak after the end of the complex."""
    t_longest: float = 0.56
    """Latest end after the end of the complex."""
    t_near: float = 0.08
    """How far the peak in a lead may lie from that over all leads."""
    t_reach_on: float = 0.10
    """How far the steepest point may lie before the peak, and the onset before that point."""
    t_reach_off: float = 0.07
    """How far the steepest point may lie after the peak, and the offset after that point."""
    t_least: float = 0.015
    """Least height in mV."""
    p_smoothing: float = 0.008
    """Standard deviation of the Gaussian smoothing of P waves."""
    p_reach: float = 0.32
    """Longest time from the onset of the P wave to that of the complex."""
    p_far: float = 0.40
    """The same for a P wave that begins before `p_reach`; one that begins still earlier does not count."""
    p_pause: float = 0.012
    """Shortest time from the end of the P wave to the onset of the complex."""
    p_near: float = 0.06
    """How far the peak in a lead may lie from that over all leads."""
    p_reach_on: float = 0.055
    """As for the T wave."""
    p_reach_off: float = 0.035
    """As for the T wave."""
    p_least: float = 0.02
    """Least height in mV."""
    p_errors: float = 4.0
    """Least height of a P wave in standard errors of the median beat."""
    p_errors_irregular: float = 8.0
    """The same in an irregular rhythm, because fibrillation waves do not cancel out over a few beats."""
    irregular: float = 0.1
    """Standard deviation of the RR intervals relative to their mean, above which a rhythm counts as irregular."""
    p_leads: float = 0.4
    """Share of the leads in which a P wave must stand out, or else there is none in any."""
    pause: float = 0.14
    """A T wave ends at least so long before the centre of the next beat."""


RULES = Rules()
