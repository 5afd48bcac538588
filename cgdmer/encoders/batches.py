"""Small batches side by side on the CPU, one thread each."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch

Outcome = TypeVar("Outcome")
CPU_BATCH = 8
"""Records that a CPU encodes at once: few enough that the activations stay in its cache, and that memory is not
cleared for as long as it is computed in (docs/adding_an_encoder.md)."""


GPU_BATCH = 256
"""Records that a GPU encodes at once, whatever the caller has: 4 GB for the largest model of a profile."""


def batch_size(device: torch.device) -> int:
    """Return how many records are encoded at once."""
    return CPU_BATCH if device.type == "cpu" else GPU_BATCH


@contextmanager
def exact_fp32() -> Iterator[None]:
    """Compute fp32 without TF32, which GPUs use for convolutions by default and training for all products.

    Features of a GPU and a CPU then agree to rounding, whatever ran in this process before.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]


def encode_in_batches(encode: Callable[[slice], Outcome], records: int, batch: int) -> list[Outcome]:
    """Encode `records` records in batches and return the outcomes in order; without records, one empty batch.

    Operations of a small batch are so short that splitting each over the cores leaves the cores waiting for each other.
    The numbers do not depend on the number of threads.
    """
    slices = [slice(start, start + batch) for start in range(0, max(1, records), batch)]
    cores = torch.get_num_threads()
    if cores == 1 or len(slices) == 1:
        return [encode(one) for one in slices]
    try:
        with ThreadPoolExecutor(min(cores, len(slices)), initializer=partial(torch.set_num_threads, 1)) as pool:
            return list(pool.map(torch.no_grad()(encode), slices))
    finally:
        torch.set_num_threads(cores)
