"""Owns samples of the machine, under the names that MLflow's page of system metrics shows."""

import contextlib
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

PREFIX = "system/"


class Sampler:
    """Measures processor, memory, disk, network and, where NVML answers, each GPU."""

    def __init__(self) -> None:
        self.psutil = import_module("psutil")
        self.psutil.cpu_percent()
        self.begin = self.psutil.net_io_counters()
        self.gpus = _gpus()

    def __call__(self) -> dict[str, float]:
        """Return the metrics as they are now, megabytes and percent."""
        memory, disk, net = self.psutil.virtual_memory(), self.psutil.disk_usage("."), self.psutil.net_io_counters()
        found = {
            "cpu_utilization_percentage": self.psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / 1e6,
            "system_memory_usage_percentage": 100 * memory.used / memory.total,
            "disk_usage_percentage": disk.percent,
            "disk_available_megabytes": disk.free / 1e6,
            "network_receive_megabytes": (net.bytes_recv - self.begin.bytes_recv) / 1e6,
            "network_transmit_megabytes": (net.bytes_sent - self.begin.bytes_sent) / 1e6,
        }
        for number, read in enumerate(self.gpus):
            found |= {f"gpu_{number}_{name}": value for name, value in read().items()}
        return {f"{PREFIX}{name}": round(float(value), 1) for name, value in found.items()}


def _gpus() -> list[Callable[[], dict[str, float]]]:
    """Return a reader for each GPU; none where no driver is."""
    try:
        nvml = import_module("pynvml")
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(number) for number in range(nvml.nvmlDeviceGetCount())]
    except Exception:  # NVML's errors are made at run time; without it there is nothing to sample
        return []
    return [lambda handle=handle: _gpu(nvml, handle) for handle in handles]  # type: ignore[misc]


def _gpu(nvml: Any, handle: Any) -> dict[str, float]:
    """Return what this GPU tells; a part of a shared one keeps load and power to itself."""
    readers: dict[str, Callable[[], float]] = {
        "memory_usage_megabytes": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used / 1e6,
        "memory_usage_percentage": lambda: 100 * _share(nvml.nvmlDeviceGetMemoryInfo(handle)),
        "utilization_percentage": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
        "power_usage_watts": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
    }
    found = {}
    for name, read in readers.items():
        with contextlib.suppress(nvml.NVMLError):
            found[name] = read()
    return found


def _share(memory: Any) -> float:
    return float(memory.used / memory.total)


def next_step(path: Path) -> int:
    """Return the number of samples a journal holds already."""
    key = f"{PREFIX}cpu_utilization_percentage"
    lines = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return sum(key in json.loads(line).get("metrics", {}) for line in lines)
