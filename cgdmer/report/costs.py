"""Tables of what stage calls cost. They stand on no page that DVC compares: costs differ from run to run."""

from collections.abc import Sequence

from cgdmer import costs
from cgdmer.costs import Cost
from cgdmer.report.table import Content, Table

HEAD = ("", "calls", "wall", "CPU", "GPU", "memory", "read", "written")
CAPTION = "What the present results cost on this machine, workers included; memory is the largest at one time"


def by_stage(present: Sequence[Cost]) -> Table:
    """Return a row per stage, and the sum."""
    groups: dict[str, list[Cost]] = {}
    for cost in present:
        groups.setdefault(cost.stage, []).append(cost)
    return Table(CAPTION, HEAD, [*(_row(stage, group) for stage, group in groups.items()), _row("total", present)])


def by_call(present: Sequence[Cost]) -> Table:
    """Return a row per call, and the sum."""
    return Table(CAPTION, HEAD, [*(_row(cost.call, [cost]) for cost in present), _row("total", present)])


def of_every_call(known: Sequence[Cost]) -> Table:
    """Return a row for each recorded call, with when and how it ended."""
    rows = [[*_row(cost.call, [cost]), cost.ended, cost.outcome] for cost in known]
    return Table("Every stage call on this machine", (*HEAD, "ended", "outcome"), rows)


def _row(name: str, group: Sequence[Cost]) -> list[Content]:
    cost = costs.total(name, group)
    times = [_seconds(value) for value in (cost.wall_s, cost.cpu_s, cost.gpu_s)]
    sizes = [_size(value) for value in (cost.memory_bytes, cost.read_bytes, cost.written_bytes)]
    return [name, str(len(group)), *times, *sizes]


def _seconds(value: float) -> str:
    """Write a duration: `4.2 s`, `12 min`, `3.4 h`."""
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def _size(value: float) -> str:
    """Write a number of bytes: `50 kB`, `12 MB`, `3.4 GB`."""
    if value < 1e6:
        return f"{value / 1e3:.0f} kB"
    return f"{value / 1e6:.0f} MB" if value < 1e9 else f"{value / 1e9:.1f} GB"
