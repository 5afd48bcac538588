"""Running DVC from a flow: what is worth another try, waiting for locks, stopping gently. No server is needed."""

import os
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from flows import dvc


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a script named `dvc` first on the path; it gets the number of earlier calls in CALLS."""

    def write(body: str) -> Path:
        (tmp_path / "bin").mkdir(exist_ok=True)
        script = tmp_path / "bin" / "dvc"
        counter = f"n=$(cat {tmp_path}/n 2>/dev/null || echo 0); echo $((n+1)) > {tmp_path}/n\n"
        script.write_text(f"#!/bin/bash\n{counter}{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        return tmp_path

    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(dvc.time, "sleep", lambda _: None)
    return write


def test_says_each_line_and_whether_the_stage_ran(fake):
    said = []
    fake("""echo "Running stage 'index@csn':"; echo done""")
    assert dvc.reproduce("index@csn", said.append) is True
    assert said == ["Running stage 'index@csn':", "done"]
    fake("echo Data and pipelines are up to date.")
    assert dvc.reproduce("index@csn", said.append) is False


def test_a_failed_stage_is_final_and_names_its_code_and_words(fake):
    fake("""echo 'ValidationFailed: amplitude'; echo "ERROR: failed to reproduce 'x': cmd exited with 4"; exit 255""")
    with pytest.raises(dvc.StageError, match="code 4") as caught:
        dvc.reproduce("validate@csn", lambda _: None)
    assert "amplitude" in str(caught.value)


@pytest.mark.parametrize("code", [75, -15, -9, 143])
def test_an_interrupted_stage_is_worth_another_try(fake, code):
    fake(f"""echo "ERROR: failed to reproduce 'pretrain': cmd exited with {code}"; exit 255""")
    with pytest.raises(dvc.StageInterrupted):
        dvc.reproduce("pretrain", lambda _: None)


def test_waits_while_another_process_holds_the_lock(fake):
    folder = fake("""[ $n -lt 2 ] && { echo 'ERROR: Unable to acquire lock.'; exit 255; }; exit 0""")
    said = []
    assert dvc.reproduce("index@csn", said.append) is False
    assert (folder / "n").read_text().strip() == "3"
    assert sum("waiting" in line for line in said) == 2


def test_a_time_limit_ends_the_whole_process_group_with_sigterm(fake, monkeypatch):
    folder = fake("trap 'echo told; touch told; exit 143' TERM\nsleep 60 & wait")
    monkeypatch.chdir(folder)
    began = time.monotonic()
    with pytest.raises(dvc.StageInterrupted):
        dvc.reproduce("pretrain", lambda _: None, timeout=0.5)
    assert time.monotonic() - began < 30
    assert (folder / "told").exists()


def test_an_exception_in_the_flow_stops_the_stage_first(fake, monkeypatch):
    folder = fake("trap 'touch told; exit 143' TERM\necho started\nsleep 60 & wait")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(dvc, "GRACE", 20.0)

    def cancelled(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dvc.reproduce("pretrain", cancelled)
    assert (folder / "told").exists()
    assert threading.active_count() < 20
