"""What each stage call cost: time, memory, bytes and GPU time, in a ledger that no result depends on.

The ledger is `.cgdmer/costs.jsonl`, one line per call, whether DVC, a flow or a person started it. It is no output of a
stage and part of no page that DVC compares, because costs differ from run to run.
"""

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from cgdmer import paths
from cgdmer.costs.usage import Meter, Usage
from cgdmer.errors import Preempted

LEDGER = paths.STATE / "costs.jsonl"
FINISHED, STOPPED, FAILED = "finished", "stopped", "failed"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """Which stage call was measured, and how it ended."""

    call: str
    """Stage and items, for example `embed cgdmer csn`."""
    settings: str
    """Digest of the settings sections that the call read."""
    ended: str
    """UTC, ISO 8601."""
    outcome: str
    """`finished`, `stopped` with its work saved, or `failed`."""

    @property
    def stage(self) -> str:
        return self.call.split()[0]


@dataclass(frozen=True)
class Cost(Usage, Call):
    """The cost of one stage call, its worker processes included, or the sum over several calls."""


@contextmanager
def measured(call: str, settings: str) -> Iterator[None]:
    """Measure a stage call and append its cost to the ledger, also if it fails or is stopped.

    A call that is killed leaves no line. A ledger that cannot be written is logged and stops nothing.
    """
    outcome = FAILED
    with Meter() as meter:
        try:
            yield
            outcome = FINISHED
        except (Preempted, KeyboardInterrupt):
            outcome = STOPPED
            raise
        finally:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            used = meter.read()
            _append(Cost(call, settings, now, outcome, **asdict(used)))


def _append(cost: Cost) -> None:
    """Add a line in one write, so that lines of parallel calls never mix."""
    line = json.dumps(asdict(cost), sort_keys=True) + "\n"
    try:
        LEDGER.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("the cost of %s is not recorded in %s: %s", cost.call, LEDGER, error)


def ledger() -> list[Cost]:
    """Return all recorded calls in the order of their end; a damaged line is skipped with a warning."""
    if not LEDGER.is_file():
        return []
    costs = []
    for number, line in enumerate(LEDGER.read_bytes().splitlines(), 1):
        try:
            costs.append(_parse(json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            log.warning("%s, line %d: not the cost of a stage; skipped", LEDGER, number)
    return costs


def _parse(content: Any) -> Cost:
    """Return a line's cost; TypeError or ValueError if it is none."""
    cost = Cost(**content)
    for field in fields(Cost):
        value = getattr(cost, field.name)
        wanted = str if field.type is str else (int, float)
        if not isinstance(value, wanted) or isinstance(value, bool) or value in ("", None):
            raise ValueError(field.name)
    return cost


def of_results(costs: Iterable[Cost], settings: Mapping[str, str]) -> list[Cost]:
    """Return what the present results cost: for each call with its settings' digest, the last that finished.

    A call that was stopped or failed, and then went on, counts with all its parts. A result that was restored from a
    cache has no cost, unless it was computed on this machine with the same settings.
    """
    parts: dict[str, list[Cost]] = {}
    finished: dict[str, Cost] = {}
    for cost in costs:
        if settings.get(cost.call) == cost.settings:
            parts.setdefault(cost.call, []).append(cost)
            if cost.outcome == FINISHED:
                finished[cost.call] = total(cost.call, parts.pop(cost.call))
    return [finished[call] for call in settings if call in finished]


def total(name: str, costs: Sequence[Cost]) -> Cost:
    """Return the sum; memory is the largest, and the end and the outcome are those of the last."""
    last = costs[-1]
    sums: dict[str, Any] = {
        key: sum(getattr(cost, key) for cost in costs)
        for key in ("wall_s", "cpu_s", "gpu_s", "read_bytes", "written_bytes")
    }
    memory = max(cost.memory_bytes for cost in costs)
    return Cost(name, last.settings, last.ended, last.outcome, memory_bytes=memory, **sums)


def by_stage(costs: Iterable[Cost]) -> dict[str, Cost]:
    """Return the sum over the calls of each stage, in the order of the calls."""
    groups: dict[str, list[Cost]] = {}
    for cost in costs:
        groups.setdefault(cost.stage, []).append(cost)
    return {stage: total(stage, group) for stage, group in groups.items()}


def numbers(costs: Sequence[Cost]) -> dict[str, float]:
    """Return `cost/<stage>/<what>` in seconds and bytes, and the sum over all calls as `cost/total/<what>`."""
    stages = by_stage(costs) | ({"total": total("total", costs)} if costs else {})
    kinds = ("wall_s", "cpu_s", "gpu_s", "memory_bytes", "read_bytes", "written_bytes")
    return {f"cost/{stage}/{kind}": float(getattr(cost, kind)) for stage, cost in stages.items() for kind in kinds}


def digest(sections: Mapping[str, Any]) -> str:
    """Return a digest of settings sections, which are JSON values."""
    return hashlib.sha256(json.dumps(sections, sort_keys=True, default=str).encode()).hexdigest()[:16]
