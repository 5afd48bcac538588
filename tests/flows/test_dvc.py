"""Running DVC from a flow: what is retried, waiting for locks, stopping so that work is saved. No server is needed."""

import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from cgdmer.stages import STAGES
from flows import dvc


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a script named `dvc` first on the path; `$n` in its body is the number of earlier calls."""

    def write(body: str) -> Path:
        (tmp_path / "bin").mkdir(exist_ok=True)
        script = tmp_path / "bin" / "dvc"
        counter = f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n+1)) > {tmp_path}/n\n"
        script.write_text(f"#!/bin/bash\n{counter}{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        return tmp_path

    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(dvc.services, "process_environment", lambda: dict(os.environ))
    return write


def test_says_each_line_and_whether_the_stage_ran(fake):
    lines = []
    fake("""echo "Running stage 'index@csn':"; echo done""")
    assert dvc.reproduce("index@csn", lines.append) is True
    assert lines == ["Running stage 'index@csn':", "done"]
    fake("echo Data and pipelines are up to date.")
    assert dvc.reproduce("index@csn", lines.append) is False


def test_a_line_that_is_no_utf8_ends_no_stage(fake):
    lines = []
    fake(r"""printf 'caf\351\n'; echo "Running stage 'index@csn':" """)
    assert dvc.reproduce("index@csn", lines.append) is True
    assert lines[0] == "caf\N{REPLACEMENT CHARACTER}"


def test_a_process_is_not_forgotten_while_all_are_being_stopped(fake):
    fake("exit 0")
    with dvc.running.lock:
        thread = threading.Thread(target=dvc.running.forget, args=(None,))
        dvc.running.processes.add(None)
        thread.start()
        thread.join(0.2)
        assert None in dvc.running.processes
    thread.join()
    assert None not in dvc.running.processes


def test_dvc_is_asked_once_which_stages_have_changed(fake):
    fake("""echo '{"pretrain": [{"changed deps": {"a": "modified"}}]}'""")
    assert dvc.changed_stages() == {"pretrain"}
    fake("echo '{}'")
    assert dvc.changed_stages() == set()


@pytest.mark.parametrize("body", ["exit 255", "echo no JSON", "echo 7", "echo"])
def test_without_an_answer_nothing_is_known_to_be_unchanged(fake, body):
    fake(body)
    assert dvc.changed_stages() is None


def test_a_failed_stage_is_final_and_names_its_code_and_words(fake):
    fake("""echo 'ValidationFailed: amplitude'; echo "ERROR: failed to reproduce 'x': cmd exited with 4"; exit 255""")
    with pytest.raises(dvc.StageError, match="code 4") as caught:
        dvc.reproduce("validate@csn", lambda _: None)
    assert "amplitude" in str(caught.value)


@pytest.mark.parametrize("code", [69, 75, -15, -9, 143])
def test_an_interrupted_stage_is_worth_another_try(fake, code):
    fake(f"""echo "ERROR: failed to reproduce 'pretrain': cmd exited with {code}"; exit 255""")
    with pytest.raises(dvc.StageInterrupted):
        dvc.reproduce("pretrain", lambda _: None)


def test_waits_while_another_process_holds_the_lock(fake, monkeypatch):
    monkeypatch.setattr(dvc, "PAUSE", 0.0)
    folder = fake("""[ $n -lt 2 ] && { echo "data is busy, it is being blocked by:"; exit 255; }; exit 0""")
    lines = []
    assert dvc.reproduce("index@csn", lines.append) is False
    assert (folder / "n").read_text().strip() == "3"
    assert sum("waiting" in line for line in lines) == 2


STAGE = "trap '' INT; python3 -c '\nimport signal, sys, time\n" + (
    'def stop(*_):\n    open("stopped", "w").close(); sys.exit(75)\n'
    'signal.signal(signal.SIGTERM, stop)\nprint("started", flush=True)\ntime.sleep(60)\n\'; code=$?; '
    "touch locks-put-away; echo \"ERROR: failed to reproduce 'pretrain': cmd exited with $code\"; exit 255"
)
"""What DVC does while a stage runs: ignore SIGINT, wait for the stage, remove its locks, and print how it ended."""


def test_a_stage_ends_by_itself_and_dvc_puts_its_locks_away(fake, monkeypatch):
    folder = fake(STAGE)
    monkeypatch.chdir(folder)

    def cancelled(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dvc.reproduce("pretrain", cancelled)
    assert (folder / "stopped").exists()
    assert (folder / "locks-put-away").exists()
    assert not dvc.running.processes


def test_a_time_limit_stops_the_stage_and_is_no_reason_to_try_again(fake, monkeypatch):
    monkeypatch.chdir(fake(STAGE))
    with pytest.raises(dvc.StageError, match="time limit"):
        dvc.reproduce("pretrain", lambda _: None, timeout=0.5)


def test_a_stage_that_will_not_stop_is_killed(fake, monkeypatch):
    monkeypatch.setattr(dvc, "GRACE", 0.5)
    fake("trap '' TERM INT\necho started\nsleep 60 & wait; sleep 60")
    with pytest.raises(dvc.StageInterrupted, match="137"):
        dvc.reproduce("pretrain", lambda line: dvc.running.stop())
    dvc.running.stopped = False


def test_what_is_stopped_begins_nothing_and_is_not_tried_again(fake):
    folder = fake("exit 0")
    with pytest.raises(RuntimeError, match="cancelled"), dvc.stopping():
        raise RuntimeError("cancelled")
    with pytest.raises(dvc.StageInterrupted, match="being stopped"):
        dvc.reproduce("index@csn", lambda _: None)
    assert not (folder / "n").exists()
    with dvc.stopping():
        assert dvc.reproduce("index@csn", lambda _: None) is False


def test_a_stage_does_not_outlive_a_flow_run_that_is_killed(fake, monkeypatch):
    """SIGKILL leaves no time to stop the stage: the guard notices that its standard input was closed."""
    folder = fake(STAGE)
    monkeypatch.chdir(folder)
    victim = os.fork()
    if victim == 0:
        dvc.reproduce("pretrain", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(victim, 0)[1]) == signal.SIGKILL
    wait_for(lambda: (folder / "locks-put-away").exists())
    assert (folder / "stopped").exists()


@pytest.mark.parametrize(("stage", "most"), [("index", 2), ("probe@cgdmer", 1)])
def test_stages_of_one_run_do_not_all_work_at_once(fake, monkeypatch, stage, most):
    monkeypatch.setattr(dvc.running, "data_slots", threading.BoundedSemaphore(2))
    monkeypatch.setattr(dvc.running, "compute_slots", threading.BoundedSemaphore(1))
    folder = fake("mkdir $$.now; ls -d *.now | wc -l; sleep 0.3; rmdir $$.now")
    monkeypatch.chdir(folder)
    counts: list[str] = []
    threads = [threading.Thread(target=dvc.reproduce, args=(f"{stage}@{n}", counts.append)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(counts) == 5
    assert max(int(count) for count in counts) <= most


def test_every_stage_is_of_one_kind():
    assert set(dvc.DATA_STAGES) < set(STAGES)
    assert set(dvc.GPU_STAGES) - {"control"} < set(STAGES)  # DVC's stage `control` runs `embed`
    assert not set(dvc.GPU_STAGES) & set(dvc.DATA_STAGES)


@pytest.mark.parametrize(("gpus", "slots"), [(0, 1), (1, 2), (8, 2)])
def test_one_stage_computes_and_one_more_on_all_gpus_together(monkeypatch, gpus, slots):
    monkeypatch.setattr(dvc.glob, "glob", lambda pattern: [f"/dev/nvidia{n}" for n in range(gpus)])
    assert dvc.compute_slots() == slots
    running = dvc.Running()
    on_gpus = {running.slots(f"{kind}@x") for kind in dvc.GPU_STAGES}
    assert len(on_gpus | {running.slots("report")}) == slots
    for semaphore in on_gpus:
        assert semaphore.acquire(blocking=False)
        assert not semaphore.acquire(blocking=False)


def wait_for(condition, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
