"""Stages side by side: each on one core, in order, after a failure no other, and stopped with their work saved."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cgdmer.commands import pipeline
from cgdmer.errors import ConfigError
from cgdmer.pipeline.graph import Graph

WRITE = "import os, pathlib; pathlib.Path('{0}').write_text(' '.join(map(str, os.sched_getaffinity(0))))"
SAVE = """import pathlib, signal, sys, time
def save(*_):
    pathlib.Path('saved').touch()
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
pathlib.Path('started').touch()
time.sleep(600)
"""


class Recorder:
    """Workers that write down what they are told, and end stages at once."""

    def __init__(self, fails: str = "") -> None:
        self.fails, self.stage, self.started = fails, None, []

    def start(self, stage: str) -> None:
        self.stage = stage
        self.started.append(stage)

    def outcome(self) -> tuple[str, int]:
        stage, self.stage = self.stage, None
        return stage, int(stage == self.fails)


@pytest.fixture
def first_busy(monkeypatch):
    monkeypatch.setattr(
        pipeline.workers, "first_ended", lambda opened: next(worker for worker in opened if worker.stage)
    )


CHAIN = Graph({"a": frozenset(), "b": frozenset("a"), "c": frozenset(), "d": frozenset("bc")})


def test_every_stage_is_started_once_and_in_order(first_busy):
    first, second = Recorder(), Recorder()
    pipeline.run(CHAIN, [first, second])
    assert sorted(first.started + second.started) == ["a", "b", "c", "d"]
    assert first.started[0] == "a"
    assert second.started[0] == "c"


def test_after_a_failure_no_other_stage_starts(first_busy):
    workers = [Recorder(fails="a"), Recorder()]
    with pytest.raises(pipeline.StageFailed) as caught:
        pipeline.run(CHAIN, workers)
    assert workers[0].started + workers[1].started == ["a", "c"]
    assert "dvc repro --single-item a" in caught.value.fix


@pytest.mark.parametrize("jobs", [0, -1, 4096])
def test_a_wrong_number_of_jobs_names_what_is_allowed(jobs):
    with pytest.raises(ConfigError, match=f"allowed: 1 to {len(os.sched_getaffinity(0))}, one per CPU core"):
        pipeline.reproduce(jobs)


def project(folder: Path, commands: dict[str, str]) -> None:
    """Write a DVC project whose stages run Python code, each with a file of its name as output."""
    stages = {}
    for name, code in commands.items():
        (folder / f"{name}.py").write_text(code)
        stages[name] = {"cmd": f"{sys.executable} {name}.py", "outs": [{name: {"cache": False}}]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    subprocess.run([Path(sys.executable).with_name("dvc"), "init", "--no-scm", "-q"], cwd=folder, check=True)


def call(folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "DVC_NO_ANALYTICS": "1"}
    words = [sys.executable, "-m", "cgdmer", "pipeline"]
    return subprocess.Popen(words, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip


def test_a_stage_has_one_core_and_a_failed_one_is_named(tmp_path):
    project(tmp_path, {name: WRITE.format(name) for name in ("one", "two")} | {"bad": "raise SystemExit(3)"})
    process = call(tmp_path)
    output = process.communicate(timeout=120)[0]
    assert process.returncode == pipeline.StageFailed.code, output
    assert "bad failed: the reason was printed above" in output
    assert "exited with 3" in output
    ran = [tmp_path / name for name in ("one", "two") if (tmp_path / name).is_file()]
    assert ran
    assert all(len(path.read_text().split()) == 1 for path in ran)
    (tmp_path / "bad.py").write_text(WRITE.format("bad"))
    output = call(tmp_path).communicate(timeout=120)[0]
    assert "3 stages are up to date" in output
    assert "Running stage 'bad'" in output
    assert "Updating lock file" not in output, "DVC says so after every stage"
    assert (tmp_path / "bad").is_file()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_lets_its_stage_save(tmp_path, number):
    project(tmp_path, {"long": SAVE})
    process = call(tmp_path)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    output = process.communicate(timeout=50)[0]
    assert process.returncode == 130, output
    assert (tmp_path / "saved").exists(), output
