"""Independent probes side by side, each in a process of its own in which BLAS does not split its products.

Products of a probe are small, so that splitting each of them over the cores leaves the cores waiting for each other.
Threads of one process would do as well, but are not used: with several of them inside NumPy, SciPy and OpenBLAS at
once, memory was damaged now and then (ARCHITECTURE.md, section "Decisions").
"""

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from cgdmer import executor
from cgdmer.probing import logistic

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

IMPORTED_ONCE = ["cgdmer.probing.linear_probe", "scipy.sparse"]
"""Modules that the processes share with the one that starts them, so that each starts in milliseconds."""


def side_by_side(work: Callable[[Job], Outcome], jobs: Sequence[Job], cost: Callable[[Job], float]) -> list[Outcome]:
    """Return the outcome of each job, in order; costly ones begin first, and a GPU does one after the other.

    `work`, jobs and outcomes must be picklable. The outcomes do not depend on the number of processes. The first error
    is raised and ends the rest; WorkerDied if a process is killed.
    """
    if logistic.accelerator() != logistic.NUMPY:
        return [work(job) for job in jobs]
    get_context("forkserver").set_forkserver_preload(IMPORTED_ONCE)
    first = sorted(range(len(jobs)), key=lambda number: -cost(jobs[number]))
    done = executor.map_ordered(partial(_alone, work), [jobs[number] for number in first])
    outcomes = dict(zip(first, (outcome for _, outcome in done), strict=True))
    return [outcomes[number] for number in range(len(jobs))]


def _alone(work: Callable[[Job], Outcome], job: Job) -> Outcome:
    with threadpool_limits(1, user_api="blas"):
        return work(job)


@dataclass(frozen=True)
class Mapped:
    """A matrix in a file, which each process maps instead of receiving a copy."""

    path: Path
    dtype: np.dtype
    offset: int
    """Bytes before the first number."""
    shape: tuple[int, ...]

    def open(self) -> np.ndarray:
        """Map the file, read only."""
        return np.memmap(self.path, self.dtype, "r", self.offset, self.shape)


def shareable(matrix: np.ndarray) -> np.ndarray | Mapped:
    """Return what a job should hold of a matrix (N, D): its place if it is a whole file in C order, else the matrix."""
    owner: object = matrix.base
    if isinstance(matrix, np.memmap) and isinstance(owner, mmap.mmap) and matrix.flags.c_contiguous and matrix.filename:
        return Mapped(Path(matrix.filename), matrix.dtype, matrix.offset, matrix.shape)
    return matrix


def opened(matrix: np.ndarray | Mapped) -> np.ndarray:
    """Return the matrix that a job holds."""
    return matrix.open() if isinstance(matrix, Mapped) else matrix
