"""The rehearsal at size, as `python -m benchmarks.rehearsal` measured it, and its section of the benchmark page."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from cgdmer.json_dataclass import Json
from cgdmer.page import Html, el, figure, number, section
from cgdmer.page.charts import Series, key, lines
from cgdmer.report import table
from cgdmer.report.table import Content, Table

LEAD = (
    "The whole pipeline, from raw files in PhysioNet's layout to this page, on simulated corpora of growing size, with "
    "the paper profile and a small model. Where the cost per record does not rise, time grows no faster than records."
)
DRAWN = ("acquire mimic_iv_ecg", "index mimic_iv_ecg", "shards mimic_iv_ecg", "validate mimic_iv_ecg")
"""Stages whose time depends on the largest corpus and not on the model; the page has styles for four lines."""


@dataclass(frozen=True)
class Call(Json):
    """One call of a stage by `dvc repro`, with all its processes; `dvc` is what DVC itself needs between the stages."""

    name: str
    """Stage and items, for example `embed cgdmer csn`."""
    records: int
    """Records of the corpus that the call reads."""
    wall_s: float
    cpu_s: float
    memory_mb: float
    """Largest resident memory of all processes together; pages that they share count once per process."""
    process_mb: float
    """Largest resident memory of one process."""
    read_mb: float
    """Read by system calls, from the disk or the page cache."""
    written_mb: float


@dataclass(frozen=True)
class Kill(Json):
    """One SIGKILL of the whole process group in the middle of a stage."""

    name: str
    """Stage and items that were running."""
    after_s: float
    """Seconds since that stage began."""


@dataclass(frozen=True)
class Fault(Json):
    """A planted fault and the reason for which the pipeline quarantined the record; '' if it did not."""

    kind: str
    id: str
    reason: str = ""


@dataclass(frozen=True)
class Run(Json):
    """One rehearsal."""

    records: int
    """Records of MIMIC-IV-ECG."""
    corpora: dict[str, int]
    """Records of each corpus."""
    date: str
    commit: str
    machine: str
    versions: dict[str, str]
    changes: list[str]
    """Settings that differ from the paper profile."""
    raw_gb: float
    write_s: float
    """Seconds to simulate and write the corpora."""
    repro_s: float
    """Wall time of `dvc repro` from nothing."""
    again_s: float
    """Wall time of `dvc repro` without a change."""
    until: str = ""
    """The last stage that ran; all ran if empty."""
    calls: list[Call] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True)
class Growth(Json):
    """How a stage grows with its records, and what follows for the published corpus."""

    name: str
    smallest: int
    largest: int
    """Fewest and most records that were measured."""
    wall: float
    """Exponent of wall time: the slope of a line through log(time) over log(records)."""
    cpu: float
    memory: float
    last_wall: float
    """Exponent between the two largest rehearsals only, where the start of the process counts least."""
    real: int
    """Records of the published corpus."""
    hours: float
    """Wall time expected for them on the same machine."""
    cpu_hours: float
    """CPU time expected for them, which other work on the machine does not raise."""
    memory_mb: float


@dataclass(frozen=True)
class Rehearsal(Json):
    """Content of `reports/rehearsal.json`."""

    runs: list[Run] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)


def latest(rehearsal: Rehearsal) -> Run:
    """Return the run with the most records."""
    return max(rehearsal.runs, key=lambda run: run.records)


def growth_table(rehearsal: Rehearsal) -> Table:
    """Return one row per stage that was measured at several sizes: exponents, and what follows for the real corpora."""
    rows: list[list[Content]] = [
        [
            one.name, f"{number(one.smallest)} to {number(one.largest)}", f"{one.cpu:.2f}", f"{one.wall:.2f}",
            f"{one.memory:.2f}", number(one.real), number(one.hours, 2), number(one.cpu_hours, 2),
            number(one.memory_mb),
        ]
        for one in rehearsal.growth
    ]  # fmt: skip
    head = ("Stage", "Measured records", "CPU exponent", "Wall exponent", "Memory exponent", "Real records",
            "Wall hours", "CPU hours", "Memory, MB")  # fmt: skip
    caption = (
        "Exponents are slopes in log-log scale; the last four columns hold for the published corpora on the "
        "machine of the rehearsals, by a line through the two largest rehearsals, or a power if growth is faster. The "
        "model is small, so hours of stages that run it say nothing about a GPU. Other work ran beside the largest, so "
        "CPU hours are the firmer number."
    )
    return Table(caption, head, rows)


def run_table(rehearsal: Rehearsal) -> Table:
    """Return one row per rehearsal."""
    rows: list[list[Content]] = [
        [
            number(run.records), number(sum(run.corpora.values())), number(run.raw_gb, 1), run.until or "report",
            number(run.repro_s / 60, 1),
            number(sum(call.cpu_s for call in run.calls) / 60, 1), number(run.again_s, 1),
            number(max(call.memory_mb for call in run.calls)), str(len(run.kills)), faults_of(run),
        ]
        for run in rehearsal.runs
    ]  # fmt: skip
    head = ("MIMIC-IV-ECG records", "All records", "Raw, GB", "Last stage", "dvc repro, min", "CPU, min",
            "Without a change, s", "Most memory, MB", "Kills", "Faults in quarantine")  # fmt: skip
    versions = ", ".join(f"{name} {version}" for name, version in latest(rehearsal).versions.items())
    made = "; ".join(
        f"{number(run.records)} records: {run.machine}, {run.date}, commit {run.commit}" for run in rehearsal.runs
    )
    return Table(f"{made}; {versions}.", head, rows)


def faults_of(run: Run) -> str:
    """Return how many planted faults were quarantined, for example `7 of 7`."""
    return f"{sum(bool(fault.reason) for fault in run.faults)} of {len(run.faults)}" if run.faults else "–"


def fault_table(rehearsal: Rehearsal) -> Table:
    """Return one row per kind of planted fault, over all runs, with the reason of the last one as an example."""
    planted = [fault for run in rehearsal.runs for fault in run.faults][::-1]
    rows: list[list[Content]] = []
    for kind, group in groupby(sorted(planted, key=lambda one: one.kind), key=lambda one: one.kind):
        same = list(group)
        rows.append([kind, f"{sum(bool(one.reason) for one in same)} of {len(same)}", same[0].reason or "none"])
    return Table("Planted faults, of all rehearsals.", ("Fault", "In quarantine", "Reason, for example"), rows, (0, 2))


def rehearsal_section(rehearsal: Rehearsal | None) -> Html | None:
    """Draw cost per record and memory over the number of records, and the tables; None without a rehearsal."""
    if rehearsal is None or not rehearsal.runs:
        return None
    drawn = [name for name in DRAWN if any(call.name == name for run in rehearsal.runs for call in run.calls)]
    cost = _chart("CPU milliseconds per record", rehearsal.runs, drawn, lambda call: 1000 * call.cpu_s / call.records)
    memory = _chart("Memory in MB", rehearsal.runs, drawn, lambda call: call.memory_mb)
    tables = [run_table(rehearsal), growth_table(rehearsal), fault_table(rehearsal)]
    names = key([(name, style) for style, name in enumerate(drawn)])
    blocks = [names, el("div", cost, memory, class_="grid"), [table.html(one) for one in tables if one.rows]]
    return section("rehearsal", "Rehearsal at size", blocks, lead=LEAD)


def _chart(label: str, runs: Sequence[Run], names: Sequence[str], value: Callable[[Call], float]) -> Html:
    """Draw one line per stage; records are on a logarithmic axis."""
    series = []
    for style, name in enumerate(names):
        calls = [call for run in runs for call in run.calls if call.name == name]
        series.append(
            Series(name, [math.log10(call.records) for call in calls], [value(c) for c in calls], style=style)
        )
    ticks = [(math.log10(run.records), number(run.records)) for run in runs]
    largest = max((max(one.y) for one in series), default=1.0)
    return figure(lines(label, series, x_ticks=ticks, y=(0.0, largest)), f"{label}, by records of MIMIC-IV-ECG.")
