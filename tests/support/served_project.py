"""A small project folder with a running local stack, for tests that run deployments on real servers."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import yaml

from cgdmer import settings
from support.server_process import free_port, tail

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


class Project:
    """A project folder whose stack listens on its own ports."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {f"CGDMER_{name}_PORT": str(free_port()) for name in ("PREFECT", "MLFLOW", "REPORTS")}
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "MLFLOW_TRACK"))
        }
        path = {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(folder)}
        self.environment = inherited | self.ports | path

    def run(self, *words, code=0):
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}{self.logs()}"
        return done.stdout + done.stderr

    def logs(self):
        """Return the end of the log of each service."""
        return "".join(tail(path) for path in sorted((self.folder / ".cgdmer/serve").glob("*.log")))

    def processes(self):
        return json.loads((self.folder / ".cgdmer/serve/processes.json").read_text())

    def ask(self, path, body=None):
        """Send a request to the API of the Prefect server and return the decoded answer."""
        url = f"http://127.0.0.1:{self.ports['CGDMER_PREFECT_PORT']}/api/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def until(self, condition, seconds):
        """Return the first true result of a condition; after `seconds` fail and show the logs of the stack."""
        deadline = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.3)
        return result


@contextlib.contextmanager
def served(folder, matrix, train=None, sources=None):
    """Start a stack in a new project folder of micro size, and stop it whatever happens; `sources` pretrain."""
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
    if sources:
        merged["pretraining_set"] |= {"sources": sources}
        merged["corpora"] |= {name: {"records": 200, "way": "simulate"} for name in sources}
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    project = Project(folder)
    project.run("git", "init", "-q")
    try:
        project.run(sys.executable, "-m", "flows.serving", "start")
        project.run("prefect", "--no-prompt", "deploy", "--all")
        yield project
    finally:
        project.run(sys.executable, "-m", "flows.serving", "stop")
