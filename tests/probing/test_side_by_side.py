"""Probes side by side: order of outcomes, costly jobs first, errors, the same numbers on any number of processes."""

import os
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from cgdmer import settings
from cgdmer.executor import WorkerDied
from cgdmer.probing import linear_probe, logistic
from cgdmer.probing.cohort import cohort
from cgdmer.probing.side_by_side import Mapped, opened, shareable, side_by_side


def test_outcomes_are_in_the_order_of_the_jobs_and_costly_ones_begin_first(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "1")
    begun = []
    done = side_by_side(lambda job: begun.append(job) or 10 * job, [2, 3, 1], cost=float)
    assert (done, begun) == ([20, 30, 10], [3, 2, 1])
    assert side_by_side(str, [], cost=float) == []


def describe(job):
    """Say which process does a job, and how many threads BLAS has there, once another process does one too."""
    folder, _ = job
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return os.getpid(), [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_jobs_run_in_processes_of_their_own_and_blas_has_one_thread_in_each(monkeypatch, tmp_path):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    monkeypatch.setenv("CGDMER_DEVICE", "cpu")
    done = side_by_side(describe, [(tmp_path, 0), (tmp_path, 1)], cost=lambda job: job[1])
    assert len({process for process, _ in done} - {os.getpid()}) == 2
    assert {threads for _, each in done for threads in each} == {1}


def test_a_gpu_makes_the_probes_one_after_the_other_in_this_process(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    monkeypatch.setattr(logistic, "accelerator", lambda: "cuda")
    begun = []
    side_by_side(lambda job: begun.append((job, os.getpid())), range(4), cost=lambda job: -job)
    assert begun == [(job, os.getpid()) for job in range(4)]


def test_the_first_error_is_raised_and_jobs_that_wait_are_dropped(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "1")
    begun = []

    def work(job):
        begun.append(job)
        raise ValueError(f"job {job}")

    with pytest.raises(ValueError, match="job 0"):
        side_by_side(work, range(50), cost=lambda job: -job)
    assert len(begun) < 50


def test_a_killed_process_is_told_with_what_to_do(monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    monkeypatch.setenv("CGDMER_DEVICE", "cpu")
    with pytest.raises(WorkerDied, match="CGDMER_WORKERS=1"):
        side_by_side(os._exit, [9, 9], cost=float)


def test_a_whole_file_is_mapped_again_and_other_matrices_are_sent(tmp_path, features):
    np.save(tmp_path / "pooled.npy", features)
    stored = np.load(tmp_path / "pooled.npy", mmap_mode="r")
    place = shareable(stored)
    assert isinstance(place, Mapped)
    np.testing.assert_array_equal(opened(place), features)
    for part in (features, stored[3:], stored[:, :2], stored.T):
        assert shareable(part) is part
        assert opened(part) is part


def test_results_do_not_depend_on_the_number_of_processes(index, features, monkeypatch, tmp_path):
    joined = cohort("cpsc2018", index, index["id"].to_list())
    probe = settings.Probe(fractions=[0.1, 1.0], seeds=3, C=[0.01, 1.0], bootstrap=20)
    np.save(tmp_path / "pooled.npy", features)
    sets = {"pooled": np.load(tmp_path / "pooled.npy", mmap_mode="r"), "shared": features[:, :6]}
    outcomes = []
    for workers in ("1", "3"):
        monkeypatch.setenv("CGDMER_WORKERS", workers)
        outcomes.append(linear_probe.evaluate(joined, sets, probe))
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[0][1].equals(outcomes[1][1])
