"""Many comparisons: adjusted p-values, and the smallest difference that a comparison can show."""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

ALPHA, POWER = 0.05, 0.8


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values, in the order given.

    Rejecting those at or below alpha makes a wrong rejection in the whole family at most as likely as alpha, whatever
    depends on what.
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def p_value(difference: float, se: float, df: float) -> float:
    """Return the two-sided p-value of a difference with a standard error.

    Student's t, or the normal distribution where `df` is infinite. Counting replicates beyond zero would end at
    1 / replicates, too coarse to be adjusted for dozens of comparisons.
    """
    if se == 0:
        return float(difference == 0)
    size = -abs(difference) / se
    return float(2 * (stdtr(df, size) if np.isfinite(df) else ndtr(size)))


def detectable(se: float, df: float) -> float:
    """Return the smallest true difference that is found with a power of 80 % at a two-sided alpha of 0.05.

    The standard error is taken as known from the comparison itself, and the comparison as the only one.
    """
    quantiles = [stdtrit(df, share) if np.isfinite(df) else ndtri(share) for share in (1 - ALPHA / 2, POWER)]
    return float(sum(quantiles) * se)
