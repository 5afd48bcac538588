"""The local stack for real: serve, deploy, run, a failed expectation, a killed worker, stop."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(900), pytest.mark.xdist_group("stack")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Project:
    """A clone-like folder with one small corpus, and ports of its own."""

    def __init__(self, folder):
        self.folder = folder
        ports = {f"CGDMER_{name}_PORT": free_port() for name in ("PREFECT", "MLFLOW", "REPORTS")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_TRACK"))}
        self.environment = kept | ports | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}

    def run(self, *words, code=0):
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}{self.logs()}"
        return done.stdout + done.stderr

    def logs(self):
        found = sorted((self.folder / ".cgdmer/serve").glob("*.log"))
        return "".join(f"\n== {path.name}\n{path.read_text()[-1500:]}" for path in found)

    def processes(self):
        return json.loads((self.folder / ".cgdmer/serve/processes.json").read_text())


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project with space")
    for name in ("cgdmer", "flows", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in ("dvc.yaml", "prefect.yaml", "prefect.toml", ".dvcignore", ".gitignore", ".dvc/config"):
        shutil.copy(ROOT / name, folder / name)
    merged = settings.merge(settings.read(ROOT / "params/demo.yaml"), settings.read(ROOT / "tests/params.micro.yaml"))
    merged["fan"] |= {"sources": ["csn"], "benchmarks": ["csn"]}
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    project = Project(folder)
    project.run("git", "init", "-q")
    try:
        project.run(sys.executable, "-m", "flows.serving", "start")
        project.run("prefect", "--no-prompt", "deploy", "--all")
        yield project
        stopping_leaves_nothing_and_a_taken_port_is_refused(project)
    finally:
        project.run(sys.executable, "-m", "flows.serving", "stop")


def stopping_leaves_nothing_and_a_taken_port_is_refused(project):
    """What is checked last, in whatever order the tests come."""
    pids = [entry["pid"] for entry in project.processes().values()]
    project.run(sys.executable, "-m", "flows.serving", "stop")
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(project.environment["CGDMER_MLFLOW_PORT"])))
        taken.listen()
        said = project.run(sys.executable, "-m", "flows.serving", "start", code=2)
    assert "taken" in said
    assert "CGDMER_MLFLOW_PORT=" in said


def test_a_deployment_runs_to_its_end_and_shows_what_was_validated(project):
    said = project.run("prefect", "deployment", "run", "cgdmer/validate", "--watch", "--watch-interval", "1")
    assert "Completed" in said
    shown = project.run("prefect", "artifact", "inspect", "validation")
    assert "csn" in shown
    assert "passed" in shown
    assert (project.folder / "reports/validation/csn/result.json").is_file()


def test_only_loopback_is_listened_on(project):
    living = [psutil.Process(entry["pid"]) for entry in project.processes().values()]
    family = {process.pid for one in living for process in [one, *one.children(recursive=True)]}
    listening = [c for c in psutil.net_connections("inet") if c.pid in family and c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
    wanted = {int(project.environment[f"CGDMER_{name}_PORT"]) for name in ("PREFECT", "MLFLOW", "REPORTS")}
    assert wanted <= {c.laddr.port for c in listening}


def test_a_second_stack_is_refused(project):
    assert "runs already" in project.run(sys.executable, "-m", "flows.serving", "start", code=2)


def test_a_failed_expectation_fails_the_run_at_once(project):
    path = project.folder / "params.yaml"
    before = path.read_text()
    content = yaml.safe_load(before)
    content["validation"]["max_amplitude_mv"] = 0.5
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    try:
        said = project.run(
            "prefect", "deployment", "run", "cgdmer/validate", "--watch", "--watch-interval", "1", code=1
        )
    finally:
        path.write_text(before)
    assert "Failed" in said
    assert "AwaitingRetry" not in said


def test_a_killed_worker_is_started_again(project):
    before = project.processes()["worker"]["pid"]
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while project.processes()["worker"]["pid"] == before:
        assert time.monotonic() < deadline, project.logs()
        time.sleep(0.2)
    assert "worker ended with code -9" in (project.folder / ".cgdmer/serve/supervisor.log").read_text()
