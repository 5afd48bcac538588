"""Owns a small project folder with a running local stack, for tests that run deployments for real."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Project:
    """A clone-like folder with ports of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {f"CGDMER_{name}_PORT": free_port() for name in ("PREFECT", "MLFLOW", "REPORTS")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_TRACK"))}
        path = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
        self.environment = kept | self.ports | path

    def run(self, *words, code=0):
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}{self.logs()}"
        return done.stdout + done.stderr

    def logs(self):
        found = sorted((self.folder / ".cgdmer/serve").glob("*.log"))
        return "".join(f"\n== {path.name}\n{path.read_text()[-1500:]}" for path in found)

    def processes(self):
        return json.loads((self.folder / ".cgdmer/serve/processes.json").read_text())

    def ask(self, path, body=None):
        """Ask the Prefect server's API."""
        url = f"http://127.0.0.1:{self.ports['CGDMER_PREFECT_PORT']}/api/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def until(self, holds, seconds):
        """Wait for a condition; fail with the logs of the stack where it does not come."""
        deadline = time.monotonic() + seconds
        while not (found := holds()):
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.3)
        return found


@contextlib.contextmanager
def served(folder, matrix, train=None):
    """Start a stack in a new project folder of micro size; stop it whatever happens."""
    for name in ("cgdmer", "flows", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in ("dvc.yaml", "prefect.yaml", "prefect.toml", ".dvcignore", ".gitignore", ".dvc/config"):
        shutil.copy(ROOT / name, folder / name)
    merged = settings.merge(
        settings.read(ROOT / "params/demo.yaml"), settings.read(ROOT / "tests/support/params.micro.yaml")
    )
    merged["matrix"] |= matrix
    merged["train"] |= train or {}
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    project = Project(folder)
    project.run("git", "init", "-q")
    try:
        project.run(sys.executable, "-m", "flows.serving", "start")
        project.run("prefect", "--no-prompt", "deploy", "--all")
        yield project
    finally:
        project.run(sys.executable, "-m", "flows.serving", "stop")
