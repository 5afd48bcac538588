"""The list of parts, in the order in which they run: the most valuable first."""

import os
import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import exactness, training, use
from benchmarks.gpu.plan import Bench
from benchmarks.gpu.result import Machine
from benchmarks.gpu.runner import Work
from benchmarks.measuring import processor
from cgdmer.distributed import choose_device

WORKS = [
    Work("pretrain", training.pretrain, 70),
    Work("memory", training.memory, 45),
    Work("compiled", training.compiled, 140),
    Work("accumulation", exactness.accumulation, 35),
    Work("precision", exactness.precision, 40),
    Work("resume", exactness.resume, 35),
    Work("checkpoint", use.stall, 45),
    Work("embed", use.embed, 20),
    Work("probe", use.probe, 45),
]
"""Each part with its limit in seconds."""


def machine(_: Bench) -> list[Any]:
    """Return the description of the device, as a list of one, because parts return lists."""
    device = choose_device()
    cores = len(os.sched_getaffinity(0))
    versions: dict[str, Any] = {"cores": cores, "python": platform.python_version(), "torch": torch.__version__}
    if device.type == "cpu":
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return [Machine(f"{processor()}, {cores} cores", memory / 1e9, bf16=False, **versions)]
    properties = torch.cuda.get_device_properties(device)
    return [
        Machine(
            properties.name, properties.total_memory / 1e9, bf16=torch.cuda.is_bf16_supported(),
            cuda=torch.version.cuda, driver=driver(), **versions,
        )
    ]  # fmt: skip


def driver() -> str | None:
    """Return the first line of the description of the GPU's driver, if the kernel has one."""
    path = Path("/proc/driver/nvidia/version")
    return path.read_text(encoding="utf-8").splitlines()[0].strip() if path.is_file() else None
