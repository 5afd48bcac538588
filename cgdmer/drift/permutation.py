"""A permutation test of many variables at once, with the error rate of the whole family controlled.

The rows of both samples are divided anew at random, for all variables in the same way. A variable's p value is the
share of divisions in which its statistic is at least as large. For the adjusted one, statistics are standardised over
the divisions, and it is the share in which the largest of all variables is at least as large as this one (the method
maxT of Westfall and Young, Resampling-Based Multiple Testing, 1993). So an alarm at `adjusted <= alpha` is false with
probability alpha at most, however many variables are compared and however they depend on each other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""Maps divisions (P, N) to a statistic of each (P,)."""
PERMUTATIONS = 1999


@dataclass(frozen=True)
class Compared:
    """A variable's statistic, what random divisions give, and how unlikely it is."""

    statistic: float
    expected: float
    """Mean over random divisions: the statistic of samples that do not differ is not 0."""
    lower: float
    upper: float
    """The 2.5 % and 97.5 % quantiles over random divisions."""
    p: float
    adjusted: float

    @property
    def excess(self) -> float:
        """The statistic without what chance gives."""
        return self.statistic - self.expected


def compare(
    statistics: Mapping[str, Statistic],
    incoming: int,
    reference: int,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> dict[str, Compared]:
    """Test each statistic of the rows of both samples, the `incoming` ones first, then the `reference` ones."""
    members = divisions(incoming, reference, permutations, seed)
    values = np.stack([statistic(members) for statistic in statistics.values()], axis=1)  # (P + 1, V)
    values = np.round(values, 12)  # sums in another order must not decide between equal statistics
    spread = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(spread, spread, 1.0)
    largest = standard.max(axis=1)
    results = {}
    for column, name in enumerate(statistics):
        own, random = values[0, column], values[1:, column]
        lower, upper = np.quantile(random, [0.025, 0.975])
        p, adjusted = float(np.mean(values[:, column] >= own)), float(np.mean(largest >= standard[0, column]))
        results[name] = Compared(float(own), float(random.mean()), float(lower), float(upper), p, adjusted)
    return results


def divisions(incoming: int, reference: int, permutations: int, seed: int) -> np.ndarray:
    """Return the true division and `permutations` random ones, float64 (P + 1, N)."""
    draw = np.random.default_rng(seed)
    members = np.zeros((permutations + 1, incoming + reference))
    members[0, :incoming] = 1
    for row in members[1:]:
        row[draw.permutation(incoming + reference)[:incoming]] = 1
    return members
