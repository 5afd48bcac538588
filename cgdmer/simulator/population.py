"""The populations of simulated patients, and drawing cases from them."""

from cgdmer.errors import ConfigError
from cgdmer.simulator.clinical_population import draw_clinical
from cgdmer.simulator.findings import Case, draw_textbook, stream

POPULATIONS = ("textbook", "clinical")
"""`textbook`: clear findings on an average heart. `clinical`: shapes, degrees and intervals as in real recordings."""
_CLINICAL = 3
"""Purpose of the random stream of a clinical case."""


def draw_cases(seed: int, first: int, count: int, population: str = "textbook") -> list[Case]:
    """Draw the cases of `count` records from number `first` on; ConfigError for an unknown population."""
    numbers = range(first, first + count)
    if population == "textbook":
        return [draw_textbook(stream(seed, number, 0)) for number in numbers]
    if population == "clinical":
        return [draw_clinical(stream(seed, number, _CLINICAL)) for number in numbers]
    raise ConfigError(f"there is no population {population!r}", allowed=", ".join(POPULATIONS))
