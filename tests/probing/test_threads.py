"""Probes side by side: outcomes in order, costly jobs first, errors, and the same numbers on any number of threads."""

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from cgdmer import settings
from cgdmer.probing import linear_probe, logistic
from cgdmer.probing.cohort import cohort
from cgdmer.probing.threads import side_by_side


def test_outcomes_are_in_the_order_of_the_jobs_and_costly_ones_begin_first(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "1")
    begun = []
    done = side_by_side(lambda job: begun.append(job) or 10 * job, [2, 3, 1], cost=float)
    assert (done, begun) == ([20, 30, 10], [3, 2, 1])
    assert side_by_side(str, [], cost=float) == []


def test_jobs_overlap_and_blas_has_one_thread_in_each(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    monkeypatch.setenv("CGDMER_DEVICE", "cpu")
    both = threading.Barrier(2, timeout=30)

    def work(_):
        both.wait()
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    assert {threads for each in side_by_side(work, [0, 1], cost=float) for threads in each} == {1}


def test_a_gpu_makes_one_probe_after_the_other(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    monkeypatch.setattr(logistic, "accelerator", lambda: "cuda")
    running, most = [], []

    def work(job):
        running.append(job)
        most.append(len(running))
        time.sleep(0.01)
        running.remove(job)

    side_by_side(work, range(4), cost=float)
    assert max(most) == 1


def test_the_first_error_is_raised_and_jobs_that_wait_are_dropped(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "1")
    begun = []

    def work(job):
        begun.append(job)
        raise ValueError(f"job {job}")

    with pytest.raises(ValueError, match="job 0"):
        side_by_side(work, range(50), cost=lambda job: -job)
    assert len(begun) < 50


def test_results_do_not_depend_on_the_number_of_threads(index, features, monkeypatch):
    joined = cohort("cpsc2018", index, index["id"].to_list())
    probe = settings.Probe(fractions=[0.1, 1.0], seeds=3, C=[0.01, 1.0], bootstrap=20)
    sets = {"pooled": features, "shared": np.ascontiguousarray(features[:, :6])}
    outcomes = []
    for workers in ("1", "3"):
        monkeypatch.setenv("CGDMER_WORKERS", workers)
        outcomes.append(linear_probe.evaluate(joined, sets, probe))
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[0][1].equals(outcomes[1][1])
