"""Owns who the simulated records belong to, the random streams of the writers, and turning findings into codes."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np

from cgdmer.progress import progress
from cgdmer.simulator import FINDINGS, Case, draw_cases, simulate

T = TypeVar("T")

BLOCK = 64
"""Records that are drawn together; no patient reaches into the next block, so a longer corpus begins like a shorter."""
SLIP = 0.03
"""Share of label sets with a code too few or too many. Reports have slips of their own."""
FS = 500.0
"""Hz, the rate of all four sources."""


@dataclass(frozen=True)
class Entry:
    """One record of a corpus with patients."""

    number: int
    """From 0."""
    patient: int
    """From 0, with gaps between blocks."""
    place: int
    """Which patient of the block, from 0."""
    visit: int
    """Which record of the patient, from 0: a year lies between two."""
    case: Case


def stream(seed: int, number: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one record and purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, number, zlib.crc32(purpose.encode())]))


def entries(records: int, seed: int, odds: Sequence[float]) -> Iterator[Entry]:
    """Yield the records; `odds` are those of a patient with 1, 2, ... of them, who keeps sex and grows older."""
    for first in range(0, records, BLOCK):
        sizes = 1 + stream(seed, first, "patients").choice(len(odds), BLOCK, p=odds)
        places = np.repeat(np.arange(BLOCK), sizes)[:BLOCK].tolist()
        cases = draw_cases(seed, first, min(BLOCK, records - first))
        for index, (case, place) in enumerate(zip(cases, places, strict=False)):
            start = places.index(place)
            visit, known = index - start, cases[start]
            own = replace(case, sex=known.sex, age=known.age + visit)
            yield Entry(first + index, first + place, place, visit, own)


def signal(case: Case, seed: int, number: int, seconds: float = 10.0) -> np.ndarray:
    """Return one recording, int16 microvolt (12, T), canonical leads."""
    recording: np.ndarray = simulate([case], seed, number, seconds, FS)[0]
    return recording


def shown(items: Iterable[T], total: int) -> Iterable[T]:
    """Pass items on and show how many."""
    return progress(items, total=total, desc="simulating", unit="record")


def moment(random: np.random.Generator, first_year: int, years: int, visit: int = 0) -> datetime:
    """Draw a date and time."""
    day = timedelta(days=int(random.integers(365 * years)), seconds=int(random.integers(86_400)))
    return datetime(first_year, 1, 1) + day + timedelta(days=365 * visit)


def pick(random: np.random.Generator, odds: Mapping[str, float]) -> str:
    """Draw one of the keys."""
    edges = np.cumsum(list(odds.values()))
    return list(odds)[int(np.searchsorted(edges, random.random() * edges[-1], side="right"))]


def coded(case: Case, table: Mapping[str, Mapping[str, float]], random: np.random.Generator) -> list[str]:
    """Return the codes of a case: for each finding one drawn wording of its row, which may hold several codes."""
    drawn = [pick(random, table[name]) for name in FINDINGS if name in case.findings and name in table]
    return list(dict.fromkeys(" ".join(drawn).split()))


def slipped(codes: list[str], plausible: Sequence[str], normal: str, random: np.random.Generator) -> list[str]:
    """Now and then drop one code or add a plausible one; what is added takes the place of `normal`."""
    if random.random() >= SLIP:
        return codes
    if len(codes) > 1 and random.random() < 0.5:
        dropped = int(random.integers(len(codes)))
        return [code for place, code in enumerate(codes) if place != dropped]
    others = [code for code in plausible if code not in codes]
    return [*(code for code in codes if code != normal), others[int(random.integers(len(others)))]]
