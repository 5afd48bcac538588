"""Random draws that the layouts share: patients and their visits, random streams, codes of findings, and slips."""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import numpy as np

from cgdmer.demo_corpora.zipping import Files, Members
from cgdmer.executor import map_ordered
from cgdmer.progress import progress
from cgdmer.simulator import FINDINGS, Case, draw_cases, simulate

T = TypeVar("T")

BLOCK = 64
"""Records per block. No patient is in two blocks, so a longer corpus begins with the records of a shorter one."""
SLIP = 0.03
"""Share of label sets with one code missing or one too many. Reports have separate slips."""
GROUP = 32
"""Records that a worker process draws at a time: 4 MB, so that handing them over costs little beside drawing them."""
FS = 500.0
"""Sampling rate of all four sources in Hz."""


@dataclass(frozen=True)
class Entry:
    """One record of a corpus with patients."""

    number: int
    """Number of the record, from 0."""
    patient: int
    """Number of the patient, from 0, with gaps between blocks."""
    patient_in_block: int
    """Number of the patient in its block, from 0."""
    visit: int
    """Number of the record among those of the patient, from 0. Visits are one year apart."""
    case: Case


def stream(seed: int, number: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one record and purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, number, zlib.crc32(purpose.encode())]))


def entries(records: int, seed: int, probabilities: Sequence[float]) -> Iterator[Entry]:
    """Yield the records. `probabilities` are those that a patient has 1, 2, ... records.

    All records of a patient have the same sex, and the age grows from visit to visit.
    """
    for first in range(0, records, BLOCK):
        sizes = 1 + stream(seed, first, "patients").choice(len(probabilities), BLOCK, p=probabilities)
        patients = np.repeat(np.arange(BLOCK), sizes)[:BLOCK].tolist()
        cases = draw_cases(seed, first, min(BLOCK, records - first))
        for index, (case, patient) in enumerate(zip(cases, patients, strict=False)):
            first_visit = patients.index(patient)
            visit, earliest = index - first_visit, cases[first_visit]
            case = replace(case, sex=earliest.sex, age=earliest.age + visit)
            yield Entry(first + index, first + patient, patient, visit, case)


def signal(case: Case, seed: int, number: int, seconds: float = 10.0) -> np.ndarray:
    """Return one recording, int16 microvolt (12, T), in canonical leads."""
    recording: np.ndarray = simulate([case], seed, number, seconds, FS)[0]
    return recording


def records(draw: Callable[[T], Files], items: Iterable[T], total: int) -> Members:
    """Yield the files of each record, in order, with a progress bar; each worker process draws `GROUP` at a time."""
    pending = iter(items)
    groups = iter(lambda: list(islice(pending, GROUP)), [])
    drawn = chain.from_iterable(files for _, files in map_ordered(partial(_draw_group, draw), groups))
    for files in progress(drawn, total=total, desc="simulating", unit="record"):
        yield from files


def _draw_group(draw: Callable[[T], Files], group: list[T]) -> list[Files]:
    return [draw(item) for item in group]


def draw_time(random: np.random.Generator, first_year: int, years: int, visit: int = 0) -> datetime:
    """Draw the date and time of a visit; the first one lies within `years` years of 1 January of `first_year`."""
    day = timedelta(days=int(random.integers(365 * years)), seconds=int(random.integers(86_400)))
    return datetime(first_year, 1, 1) + day + timedelta(days=365 * visit)


def pick(random: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw one of the keys with a probability proportional to its weight."""
    edges = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(edges, random.random() * edges[-1], side="right"))]


def draw_codes(case: Case, table: Mapping[str, Mapping[str, float]], random: np.random.Generator) -> list[str]:
    """Return the codes of a case: for each finding, one entry of its row, which may hold several codes."""
    drawn = [pick(random, table[name]) for name in FINDINGS if name in case.findings and name in table]
    return list(dict.fromkeys(" ".join(drawn).split()))


def with_slips(codes: list[str], plausible: Sequence[str], normal: str, random: np.random.Generator) -> list[str]:
    """Return the codes, rarely with one dropped or a plausible one added; an added code replaces `normal`."""
    if random.random() >= SLIP:
        return codes
    if len(codes) > 1 and random.random() < 0.5:
        dropped = int(random.integers(len(codes)))
        return [code for index, code in enumerate(codes) if index != dropped]
    others = [code for code in plausible if code not in codes]
    return [*(code for code in codes if code != normal), others[int(random.integers(len(others)))]]
