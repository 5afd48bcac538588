"""What the pages show: the recordings with quality, scores and measurements, and which of them resemble each other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cgdmer.errors import DataError
from cgdmer.similarity import Nearest

SIMILAR = 5
"""Recordings that a page names as similar."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One recording."""

    name: str
    """Its path below the folder that holds all of them; any characters."""
    seconds: float
    missing: tuple[str, ...]
    quality: str
    scores: Mapping[str, float]
    """By column, as `cgdmer score` names them."""
    measurements: Mapping[str, float | None]
    """By name; empty if the recording could not be measured."""
    features: np.ndarray
    """The representation by which recordings are compared (D,)."""
    percentiles: Mapping[str, float] = field(default_factory=dict)
    """By column of probabilities, for those that have reference recordings."""


@dataclass(frozen=True)
class Refused:
    """A file that could not be used, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class Title:
    """What a column of scores is called on a page."""

    group: str
    """The probe, or the prompts."""
    name: str
    """The class, readable."""
    short: str
    """The class, as its corpus abbreviates it."""
    is_probability: bool = True
    is_listed: bool = False
    """Whether the list of recordings shows it."""


@dataclass(frozen=True)
class Likely:
    """A class of a recording with its probability, and its percentile among reference recordings."""

    title: Title
    probability: float
    percentile: float | None


@dataclass(frozen=True)
class About:
    """What all recordings of a catalogue share."""

    encoder: str
    titles: Mapping[str, Title] = field(default_factory=dict)
    """By column of the scores, in their order."""
    warnings: tuple[str, ...] = ()
    """What to know of the scores, each a sentence."""
    start: float = 0.0
    """Second of each file at which the used part begins."""
    compared: tuple[str, ...] = ()
    """Columns of the probabilities that have percentiles."""


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The recordings of a folder."""

    about: About
    entries: Sequence[Entry]
    refused: Sequence[Refused] = ()

    def similar(self, entry: Entry, without: int | None = None) -> list[tuple[int, float]]:
        """Return numbers and cosines of the most similar recordings, leaving out number `without`."""
        if len(self.entries) - (without is not None) < 1:
            return []
        try:
            nearest = Nearest(entry.features, SIMILAR, without)
            nearest.add(np.stack([each.features for each in self.entries]))
        except DataError:  # a vector without a direction resembles none
            return []
        return list(zip(nearest.rows.tolist(), nearest.similarity.tolist(), strict=True))

    def likeliest(self, entry: Entry, count: int) -> list[Likely]:
        """Return the likeliest classes of a recording; of several probes for one class, the highest probability."""
        titles = {column: title for column, title in self.about.titles.items() if title.is_probability}
        found: dict[str, Likely] = {}
        for column in sorted(titles, key=lambda column: -entry.scores[column]):
            likely = Likely(titles[column], entry.scores[column], entry.percentiles.get(column))
            found.setdefault(likely.title.name, likely)
        return list(found.values())[:count]


Link = Callable[[int], str]
"""Returns the address of the page of a recording, by its number."""
