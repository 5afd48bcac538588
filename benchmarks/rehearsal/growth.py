"""Growth of time and memory per stage over several rehearsals, and the extrapolation to the published corpora."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from benchmarks.rehearsal.corpora import REAL
from cgdmer.report.rehearsal import Call, Growth, Rehearsal, Run

SPREAD = 2.0
"""Smallest ratio of the largest to the smallest size from which an exponent is computed."""
MIMIC = "mimic_iv_ecg"
ALL, BENCHMARKS = ("report", "dvc"), ("measurements",)
"""Calls that read all corpora, and those that read the benchmarks; others read one corpus, or MIMIC-IV-ECG."""


def merged(rehearsal: Rehearsal, run: Run) -> Rehearsal:
    """Return the rehearsal with a run added, or in place of the one with as many records, and all growth anew."""
    others = [one for one in rehearsal.runs if one.records != run.records]
    runs = sorted([*others, run], key=lambda one: one.records)
    return Rehearsal(runs, growth(runs))


def growth(runs: Sequence[Run]) -> list[Growth]:
    """Return the growth of each call that was measured with different numbers of records, slowest first.

    A call that was killed began twice, so it is left out.
    """
    calls: dict[str, dict[int, Call]] = defaultdict(dict)
    for run in runs:
        killed = {kill.name for kill in run.kills}
        for call in run.calls:
            if call.name not in killed:
                calls[call.name][call.records] = call
    rows = [_growth(name, [by_size[size] for size in sorted(by_size)]) for name, by_size in calls.items()]
    return sorted((row for row in rows if row), key=lambda row: -row.hours)


def _growth(name: str, calls: list[Call]) -> Growth | None:
    sizes = [call.records for call in calls]
    if not sizes[0] or sizes[-1] < SPREAD * sizes[0]:
        return None
    wall, cpu = [call.wall_s for call in calls], [call.cpu_s for call in calls]
    memory = [call.memory_mb for call in calls]
    real = records_of(name, REAL)
    return Growth(
        name, sizes[0], sizes[-1],
        wall=round(exponent(sizes, wall), 3),
        cpu=round(exponent(sizes, cpu), 3),
        memory=round(exponent(sizes, memory), 3),
        last_wall=round(exponent(sizes[-2:], wall[-2:]), 3),
        real=real,
        hours=round(extrapolated(sizes, wall, real) / 3600, 3),
        cpu_hours=round(extrapolated(sizes, cpu, real) / 3600, 3),
        memory_mb=round(extrapolated(sizes, memory, real)),
    )  # fmt: skip


def records_of(name: str, corpora: Mapping[str, int]) -> int:
    """Return the number of records that a call reads; `corpora` holds the records of each corpus."""
    if name in ALL:
        return sum(corpora.values())
    if name in BENCHMARKS:
        return sum(corpora.values()) - corpora[MIMIC]
    return corpora.get(name.split()[-1], corpora[MIMIC])


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope of the least-squares line through log(value) over log(size)."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(values, 1e-9)), 1)[0])


def extrapolated(sizes: Sequence[float], values: Sequence[float], real: float) -> float:
    """Return the value at size `real`.

    The two largest sizes decide: a straight line through both, which holds for a fixed start and a cost per record, or
    a power of the size if they grow faster than that. Never less than the largest measured value.
    """
    (small, low), (large, high) = list(pairwise(zip(sizes, values, strict=True)))[-1]
    power = exponent([small, large], [low, high])
    if power > 1:
        return float(high * (real / large) ** power)
    return float(max(high, high + (high - low) / (large - small) * (real - large)))
