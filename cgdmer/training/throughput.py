"""Throughput of training: records per second, time spent waiting for data, and share of the device's peak FLOP/s."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch.utils.flop_counter import FlopCounterMode


@dataclass
class Throughput:
    """Counts what this process has trained on since it was created."""

    flops_per_record: int
    """Floating-point operations of training on one record."""
    records: int = 0
    """Records of all ranks."""
    waited: float = 0.0
    """Seconds that steps waited for their data."""
    start: float = field(default_factory=time.perf_counter)

    def rates(self) -> dict[str, float]:
        """Return records per second and the share of the time that was spent waiting for data."""
        elapsed = max(time.perf_counter() - self.start, 1e-9)
        return {"records_per_s": self.records / elapsed, "wait_share": self.waited / elapsed}

    def summary(self, device: torch.device, bf16: bool, ranks: int) -> dict[str, float]:
        """Return the rates, FLOPs per record, the measured peak of one device, and the share of it that was used."""
        rates, peak = self.rates(), measure_peak(device, bf16)
        share = rates["records_per_s"] * self.flops_per_record / peak / ranks
        return rates | {"flops_per_record": float(self.flops_per_record), "peak_flops": peak, "peak_share": share}


def count_flops(run: Callable[[], torch.Tensor]) -> int:
    """Count the floating-point operations of a forward and its backward pass (2 for a multiply-add)."""
    with FlopCounterMode(display=False) as counter:
        run().backward()
    return int(counter.get_total_flops())


def measure_peak(device: torch.device, bf16: bool) -> float:
    """Measure the best FLOP/s of a large matrix product, in the precision of training."""
    size, rounds = (8192, 20) if device.type == "cuda" else (1536, 4)
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    best = float("inf")
    for _ in range(3):
        synchronise(device)
        begin = time.perf_counter()
        for _ in range(rounds):
            matrix @ matrix
        synchronise(device)
        best = min(best, (time.perf_counter() - begin) / rounds)
    return 2 * size**3 / best


def synchronise(device: torch.device) -> None:
    """Wait until the device has finished, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
