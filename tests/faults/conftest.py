"""Runs that all fault tests share: the micro pipeline undisturbed, and the same pipeline killed at random moments."""

import json
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import micro_project as micro

from cgdmer import settings, stages

ROOT = Path(__file__).resolve().parents[2]
KILLS = 3
"""Per stage call."""


@dataclass(frozen=True)
class Runs:
    """Two micro projects after the whole pipeline, and the log of each stage at level DEBUG."""

    calm: Path
    killed: Path
    log: str
    planted: list[str]
    """Numbers of the patients and studies of the local corpus."""
    suffered: dict[str, int]
    """Kills by stage call."""
    seed: int


def run(folder: Path, seed: int) -> Runs:
    """Run the stages as a program of its own, and again with KILLS of each call."""
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "CGDMER_EXECUTOR": "serial", "CGDMER_WORKERS": "1",
        "CGDMER_DEVICE": "cpu",
    }  # fmt: skip
    command = [sys.executable, str(ROOT / "tests/support/stage_victim.py"), str(folder), str(seed), str(KILLS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"seed {seed}\n{done.stderr[-3000:]}"
    results = json.loads(done.stdout)
    log = (folder / "calm.log").read_text() + done.stderr
    return Runs(folder / "calm", folder / "killed", log, results["planted"], results["killed"], seed)


@pytest.fixture(scope="session")
def runs(tmp_path_factory) -> Runs:
    """Both projects."""
    return run(tmp_path_factory.mktemp("runs"), random.randrange(10**6))


LAST = "embed random csn"
"""The last stage call whose results the tests damage or compute again."""


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """A micro project up to the call LAST, which no test changes; this process runs the stages."""
    top = tmp_path_factory.mktemp("finished")
    folder, corpus = top / "calm", top / "raw/mimic_iv_ecg"
    micro.plant(corpus)
    micro.write_params(folder, corpus)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in {"EXECUTOR": "serial", "WORKERS": "1", "DEVICE": "cpu"}.items():
            patch.setenv(f"CGDMER_{name}", value)
        for call in micro.CALLS[: micro.CALLS.index(LAST) + 1]:
            stage, *items = call.split()
            stages.call(stage, items, settings.load())
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch) -> Path:
    """A copy of that micro project, which is also the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(finished, folder, ignore=shutil.ignore_patterns(".cgdmer"))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    return folder
