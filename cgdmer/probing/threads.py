"""Independent probes side by side: one thread each, in which BLAS does not split its products.

Products of a probe are small, so that splitting each of them over the cores leaves the cores waiting for each other.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from cgdmer import environment
from cgdmer.probing import logistic

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


def side_by_side(work: Callable[[Job], Outcome], jobs: Sequence[Job], cost: Callable[[Job], float]) -> list[Outcome]:
    """Return the outcome of each job, in order; costly ones begin first, and a GPU does one after the other.

    The results do not depend on the number of threads. The first error is raised once the running jobs have ended.
    """
    workers = 1 if logistic.accelerator() != logistic.NUMPY else environment.read().workers
    first = sorted(range(len(jobs)), key=lambda number: -cost(jobs[number]))
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(max(1, min(workers, len(jobs)))) as pool:
        futures = {number: pool.submit(work, jobs[number]) for number in first}
        try:
            return [futures[number].result() for number in range(len(jobs))]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
