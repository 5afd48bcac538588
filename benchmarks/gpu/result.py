"""The result of the GPU benchmark: measurements of parts, and the file of a device."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from cgdmer.files import write_json
from cgdmer.json_dataclass import Json

OK, FAILED = "ok", "failed"


@dataclass(frozen=True)
class Measurement(Json):
    """One number beside its baseline; without a `value`, `note` says why there is none."""

    name: str
    value: float | None
    unit: str
    baseline: float | None = None
    baseline_is: str | None = None
    goal: str | None = None
    reached: bool | None = None
    required: bool | None = None
    """True if the part fails unless the goal is reached: for what must be exact, not for what should be fast."""
    note: str | None = None

    def __str__(self) -> str:
        value = "-" if self.value is None else f"{self.value:.5g} {self.unit}".rstrip()
        beside = "" if self.baseline is None else f"; {self.baseline_is} {self.baseline:.5g}"
        goal = "" if self.goal is None else f"; goal {self.goal}: {'reached' if self.reached else 'not reached'}"
        return f"{self.name:>34}: {value}{beside}{goal}" + (f"; {self.note}" if self.note else "")


@dataclass(frozen=True)
class Part(Json):
    """One part of the benchmark."""

    name: str
    state: str
    """`ok` or `failed`."""
    seconds: float
    measurements: list[Measurement] = field(default_factory=list)
    error: str | None = None

    def __str__(self) -> str:
        title = f"{self.name} ({self.seconds:.0f} s): {self.state}" + (f", {self.error}" if self.error else "")
        return "\n".join([title, *map(str, self.measurements)])


@dataclass(frozen=True)
class Machine(Json):
    """The device and the software that the numbers hold for."""

    device: str
    memory_gb: float
    bf16: bool
    cores: int
    python: str
    torch: str
    cuda: str | None = None
    driver: str | None = None


@dataclass(frozen=True)
class GpuReport(Json):
    """The content of `reports/gpu/<device>.json`."""

    machine: Machine
    date: str
    commit: str
    """The commit of the code; `+` at its end if files differed from it."""
    plan: str
    """`full`, or `smoke` for the small sizes that prove the code and measure nothing."""
    seconds: float
    parts: list[Part]

    @property
    def failed(self) -> list[str]:
        """Names of the parts that failed."""
        return [part.name for part in self.parts if part.state != OK]

    def write(self, folder: Path) -> Path:
        """Write the file of the device and return its path."""
        path = folder / file_name(self.machine.device)
        write_json(path, self.to_json())
        return path


def judged(name: str, seconds: float, measurements: list[Measurement]) -> Part:
    """Return a part that has run: failed if a required goal is not reached."""
    missed = [one for one in measurements if one.required and not one.reached]
    error = "; ".join(f"{one.name}: {one.value}, required: {one.goal}" for one in missed) or None
    return Part(name, FAILED if missed else OK, seconds, measurements, error)


def file_name(device: str) -> str:
    """Return a name of letters, digits and single hyphens for the file of a device: `nvidia-a100-sxm4-80gb.json`."""
    safe = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:100]
    return f"{safe or 'device'}.json"
