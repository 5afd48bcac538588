"""The populations of simulated patients, and drawing cases from them."""

from cgdmer.errors import ConfigError
from cgdmer.simulator.clinical_population import draw_clinical
from cgdmer.simulator.findings import Case, draw_textbook, stream

POPULATIONS = ("textbook", "clinical", "mixed")
"""`textbook`: clear findings on an average heart. `clinical`: shapes, degrees and intervals as in real recordings.
`mixed`: every fourth record textbook, the others clinical."""
_CLINICAL = 3
"""Purpose of the random stream of a clinical case."""


def draw_cases(seed: int, first: int, count: int, population: str = "textbook") -> list[Case]:
    """Draw the cases of `count` records from number `first` on; ConfigError for an unknown population."""
    if population not in POPULATIONS:
        raise ConfigError(f"there is no population {population!r}", allowed=", ".join(POPULATIONS))
    return [_draw(seed, number, population) for number in range(first, first + count)]


def _draw(seed: int, number: int, population: str) -> Case:
    if population == "textbook" or (population == "mixed" and number % 4 == 0):
        return draw_textbook(stream(seed, number, 0))
    return draw_clinical(stream(seed, number, _CLINICAL))
