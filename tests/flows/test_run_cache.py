"""A stage with an output that git keeps, restored from DVC's run cache in another experiment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows import run_cache

BIN = Path(sys.executable).parent
STAGES = """
stages:
  train:
    cmd: mkdir -p report && cp seed model && cp seed report/curve && echo trained >> {count}
    deps: [seed]
    outs: [model, {{report: {{cache: false}}}}]
  probe:
    cmd: cp model scores
    deps: [model]
    params: [params.yaml: [share]]
    outs: [scores]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with git and DVC whose training counts its runs in a file outside of it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("dvc.yaml").write_text(STAGES.format(count=tmp_path / "count").replace("params.yaml: [share]", "share"))
    Path("params.yaml").write_text("share: 1\n")
    Path("seed").write_text("7")
    run("git", "init", "-q")
    run("git", "config", "user.email", "t@example.org")
    run("git", "config", "user.name", "t")
    run("dvc", "init", "-q")
    run("git", "add", "-A")
    run("git", "commit", "-qm", "first")
    return folder


def run(*words):
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout


def experiment(name, share):
    output = run("dvc", "exp", "run", "--temp", "--name", name, "-S", f"share={share}", "probe")
    listed = run("git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    return next(line.split()[0] for line in listed.splitlines() if line.endswith(f"/{name}")), output


@pytest.mark.long
def test_another_experiment_restores_the_stage_instead_of_running_it(project, tmp_path):
    count = tmp_path / "count"
    revision, _ = experiment("first", 2)
    experiment("second", 3)
    assert count.read_text().split() == ["trained"] * 2  # DVC alone runs it again
    curve = tmp_path / "kept" / "report" / "curve"
    curve.parent.mkdir(parents=True)
    curve.write_text("other")
    assert run_cache.remember("train", revision, tmp_path / "kept") is False
    curve.write_text(run("git", "show", f"{revision}:report/curve"))
    assert run_cache.remember("train", revision, tmp_path / "kept") is True
    assert run_cache.remember("absent", revision, tmp_path / "kept") is False
    last, output = experiment("third", 4)
    assert "Stage 'train' is cached" in output
    assert count.read_text().split() == ["trained"] * 2
    assert run("git", "show", f"{last}:report/curve") == "7"
