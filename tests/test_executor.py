"""Every executor gives the same results, bounds the submitted jobs, and explains what to do when a worker dies."""

import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cgdmer import executor, stages
from cgdmer.errors import CgdmerError, ConfigError, DataError


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=2, protocol="tcp://", dashboard_address=None) as running:
        yield running.scheduler_address.replace("tcp://", "dask://")


@pytest.mark.parametrize(("kind", "workers"), [("serial", 4), ("processes", 1), ("processes", 2)])
def test_results_are_those_of_the_function(monkeypatch, kind, workers):
    monkeypatch.setenv("CGDMER_EXECUTOR", kind)
    monkeypatch.setenv("CGDMER_WORKERS", str(workers))
    assert dict(executor.map_unordered(operator.neg, range(20))) == {job: -job for job in range(20)}


@pytest.mark.server
def test_a_dask_cluster_gives_the_same(monkeypatch, cluster):
    monkeypatch.setenv("CGDMER_EXECUTOR", cluster)
    assert dict(executor.map_unordered(operator.neg, range(20))) == {job: -job for job in range(20)}
    with executor.open_executor() as opened:
        assert opened.submit(pow, 2, 5).result(timeout=20) == 32


@pytest.mark.server
def test_a_job_that_fails_on_a_dask_cluster_brings_its_own_error(monkeypatch, cluster):
    monkeypatch.setenv("CGDMER_EXECUTOR", cluster)
    with pytest.raises(FileNotFoundError):
        list(executor.map_unordered(os.stat, ["/no/such/file"]))


def test_few_jobs_are_under_way(monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    pulled = []
    jobs = (pulled.append(job) or job for job in range(30))
    done = 0
    for _ in executor.map_unordered(operator.neg, jobs):
        done += 1
        assert len(pulled) - done <= 2
    assert done == 30


def test_the_first_failure_ends_the_rest(monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    seen = []

    def fail(job: int) -> int:
        seen.append(job)
        if job == 2:
            raise DataError("the third is bad")
        return job

    with pytest.raises(DataError, match="the third is bad"):
        list(executor.map_unordered(fail, range(10)))
    assert seen == [0, 1, 2]


def test_errors_of_a_worker_process_come_home_whole(monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    with pytest.raises(ConfigError) as caught:
        list(executor.map_unordered(stages.find, ["no_such_stage"]))
    assert caught.value.allowed.startswith("code, protocol, acquire")


def test_a_killed_worker_is_reported_with_the_remedy(monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    with pytest.raises(CgdmerError, match=r"worker process was killed.*\n.*\n.*CGDMER_WORKERS=1"):
        list(executor.map_unordered(os._exit, [9]))


INTERRUPTED = """
import sys, time
from pathlib import Path
from cgdmer import executor

if __name__ != "__main__" and sys.argv[1] == "importing":
    Path("ready").touch()
    time.sleep(1)

def work(job):
    if sys.argv[1] == "working" or job == 1:
        Path("ready").touch()
    if sys.argv[1] == "working":
        time.sleep(60)

if __name__ == "__main__":
    try:
        for _ in executor.map_ordered(work, range(9)):
            if Path("ready").exists():
                time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.parametrize("moment", ["importing", "working", "idle"])
def test_ctrl_c_ends_the_workers_without_their_tracebacks(tmp_path, moment):
    (tmp_path / "program.py").write_text(INTERRUPTED)
    environment = {**os.environ, "CGDMER_EXECUTOR": "processes", "CGDMER_WORKERS": "2"}
    program = subprocess.Popen(
        [sys.executable, "program.py", moment], cwd=tmp_path, env=environment, start_new_session=True,
        stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # it may be ignored here
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "ready").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)
        os.killpg(program.pid, signal.SIGINT)
        assert program.communicate(timeout=30)[1] == ""
        assert program.returncode == 130
    finally:
        if program.poll() is None:
            os.killpg(program.pid, signal.SIGKILL)
            program.communicate()


@pytest.mark.parametrize("kind", ["dusk://here:1", "threads", ""])
def test_an_unknown_executor_is_refused_with_the_choices(monkeypatch, kind):
    monkeypatch.setenv("CGDMER_EXECUTOR", kind)
    with pytest.raises(ConfigError, match="processes, serial, dask://host:port"):
        list(executor.map_unordered(operator.neg, [1]))


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "dask://127.0.0.1:1")
    monkeypatch.setattr(executor, "DASK_TIMEOUT", 0.5)
    with pytest.raises(ConfigError, match=r"dask://127\.0\.0\.1:1: no scheduler answers"):
        list(executor.map_unordered(operator.neg, [1]))


def test_background_processes_give_way_and_end_with_their_parent():
    with executor.background_processes(1) as pool:
        assert pool.submit(os.nice, 0).result() == min(19, os.nice(0) + executor.BACKGROUND)
    program = (
        "import os, signal, sys\n"
        "from cgdmer.executor import background_processes\n"
        "if __name__ == '__main__':\n"
        "    with background_processes(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    worker = Path(f"/proc/{int(killed.stdout)}")
    deadline = time.monotonic() + 30
    while worker.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.exists()
