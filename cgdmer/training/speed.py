"""Owns how well the device is used: counted FLOPs of a step over the device's measured peak."""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode


def count_flops(run: Callable[[], torch.Tensor]) -> int:
    """Count the floating-point operations of a forward pass and its backward pass (2 for a multiply-add)."""
    with FlopCounterMode(display=False) as counter:
        run().backward()
    return int(counter.get_total_flops())


def peak(device: torch.device, bf16: bool) -> float:
    """Measure the best FLOP/s of a large matrix product, in the precision that is trained in."""
    size, rounds = (8192, 20) if device.type == "cuda" else (1536, 4)
    matrix = torch.randn(size, size, device=device, dtype=torch.bfloat16 if bf16 else torch.float32)
    best = float("inf")
    for _ in range(3):
        wait(device)
        begin = time.perf_counter()
        for _ in range(rounds):
            matrix @ matrix
        wait(device)
        best = min(best, (time.perf_counter() - begin) / rounds)
    return 2 * size**3 / best


def wait(device: torch.device) -> None:
    """Let the device finish, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
