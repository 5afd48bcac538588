"""Sharing results over a DVC remote: taken from it first, pushed to it after, and what happens while it is away."""

import os
import stat
import sys
from pathlib import Path

import pytest
import yaml

from cgdmer.errors import Unavailable
from flows import dvc, remote

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Put a script named `dvc` first on the path that writes its arguments to a file."""

    def write(body: str) -> Path:
        (tmp_path / "bin").mkdir(exist_ok=True)
        script = tmp_path / "bin" / "dvc"
        script.write_text(f'#!/bin/bash\necho "$*" >> {tmp_path}/calls\n{body}\n')
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        return tmp_path / "calls"

    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    module = f'[ "$1" = -m ] && shift && exec {tmp_path}/bin/dvc "$@"'  # calls of flows.remote are written down as well
    python.write_text(f'#!/bin/sh\n{module}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(remote.time, "sleep", lambda _: None)
    monkeypatch.setattr(remote, "_defaults", set())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_DVC_REMOTE", "shared")
    return write


RAN = """case "$*" in *repro*) echo "Running stage 'index@csn':";; esac"""


def words(calls: Path) -> list[str]:
    return [line.removeprefix("--wait-for-lock ") for line in calls.read_text().splitlines()]


def test_a_result_made_here_is_committed_and_pushed_with_its_run_cache(fake):
    calls = fake(RAN)
    assert remote.reproduce("index@csn", lambda _: None) is True
    assert words(calls) == [
        "remote default --local shared",
        "repro --pull --single-item index@csn",
        "flows.remote shared index@csn",
    ]
    assert not list(Path(".cgdmer/unshared").iterdir())


def test_a_result_is_pushed_after_a_kill_between_its_stage_and_its_push(fake, monkeypatch):
    calls = fake(RAN)
    reproduce = dvc.reproduce

    def then_killed(*arguments):
        reproduce(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dvc, "reproduce", then_killed)
        with pytest.raises(KeyboardInterrupt):
            remote.reproduce("index@csn", lambda _: None)
    assert words(calls)[-1] == "repro --pull --single-item index@csn"
    assert not remote.is_shared("index@csn")
    fake("")
    assert remote.reproduce("index@csn", lambda _: None) is False
    assert words(calls)[-1] == "flows.remote shared index@csn"
    assert remote.is_shared("index@csn")


def test_two_flow_runs_in_one_clone_share_the_same_result(fake):
    calls = fake(RAN.replace("echo", "rm .cgdmer/unshared/index@csn; echo"))  # the other one pushed it meanwhile
    assert remote.reproduce("index@csn", lambda _: None) is True
    assert words(calls)[-1] == "flows.remote shared index@csn"


def test_what_had_not_changed_is_not_pushed(fake):
    calls = fake("")
    assert remote.reproduce("index@csn", lambda _: None) is False
    assert remote.reproduce("pretraining_set", lambda _: None) is False
    assert words(calls) == [
        "remote default --local shared",
        "repro --pull --single-item index@csn",
        "repro --pull --single-item pretraining_set",
    ]


def test_without_the_variable_nothing_is_shared(fake, monkeypatch):
    calls = fake(RAN)
    monkeypatch.delenv("CGDMER_DVC_REMOTE")
    assert remote.reproduce("index@csn", lambda _: None) is True
    assert words(calls) == ["repro --single-item index@csn"]


def test_a_push_that_failed_is_tried_again_and_then_by_the_next_try_of_the_task(fake):
    calls = fake(
        RAN + """\ncase "$*" in *flows.remote*) echo 'ERROR: Could not connect to the endpoint URL'; exit 1;; esac"""
    )
    with pytest.raises(Unavailable, match="connect"):
        remote.reproduce("index@csn", lambda _: None)
    assert sum("flows.remote" in line for line in words(calls)) == remote.TRIES
    calls = fake("")
    calls.unlink()
    assert remote.reproduce("index@csn", lambda _: None) is False
    assert words(calls)[-1] == "flows.remote shared index@csn"


def test_a_remote_that_is_away_is_told_from_a_stage_that_failed(fake):
    fake("""case "$*" in *repro*) echo 'ERROR: Could not connect to the endpoint URL'; exit 255;; esac""")
    with pytest.raises(Unavailable, match="'shared' does not answer"):
        remote.reproduce("index@csn", lambda _: None)
    fake("""case "$*" in *repro*) echo 'no connection. failed to reproduce: cmd exited with 4'; exit 255;; esac""")
    with pytest.raises(dvc.StageError, match="code 4"):
        remote.reproduce("index@csn", lambda _: None)


def test_a_wrong_key_is_no_passing_trouble(fake):
    fake(RAN + """\ncase "$*" in *flows.remote*) echo 'ERROR: Forbidden: access denied'; exit 1;; esac""")
    with pytest.raises(dvc.StageError, match="Forbidden"):
        remote.reproduce("index@csn", lambda _: None)


def test_a_flow_run_starts_in_the_clone_of_its_worker(monkeypatch):
    monkeypatch.delenv("CGDMER_PROJECT", raising=False)
    recorded = remote.here()["folder"]
    assert remote.enter(recorded) == {"directory": str(Path.cwd())}
    monkeypatch.setenv("CGDMER_PROJECT", "/srv/cgdmer")
    assert remote.enter(recorded) == {"directory": "/srv/cgdmer"}


def test_the_deployments_use_both_steps():
    content = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    assert content["build"] == [{"flows.remote.here": {"id": "clone"}}]
    assert content["pull"] == [{"flows.remote.enter": {"folder": "{{ clone.folder }}"}}]
