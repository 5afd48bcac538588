"""The rehearsal at size, as `python -m benchmarks.rehearsal` measured it, and its section of the benchmark page."""

from dataclasses import dataclass, field

from cgdmer.json_dataclass import Json


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
