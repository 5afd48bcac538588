"""Small batches side by side on the CPU, one thread each."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch

Outcome = TypeVar("Outcome")
CPU_BATCH = 8
"""Records that a CPU encodes at once: few enough that the activations stay in its cache, and that memory is not
cleared for as long as it is computed in (docs/adding_an_encoder.md)."""


def batch_size(device: torch.device, records: int) -> int:
    """Return how many of `records` are encoded at once; a GPU takes all of them."""
    return CPU_BATCH if device.type == "cpu" else max(1, records)


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
