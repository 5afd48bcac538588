"""Compares the flow `cgdmer` with `dvc repro` alone: the whole pipeline from nothing, and again with no change.

Run: python -m benchmarks.flow [--micro]
Each of the two has its own clone. The flow runs as a deployment on a local stack; its time is that of the whole
`prefect deployment run --watch`, including scheduling. `--micro` uses the sizes of tests/support/params.micro.yaml.
"""

import argparse
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.measuring import machine
from cgdmer import settings

ROOT = Path(__file__).resolve().parents[1]
RUN = ("prefect", "deployment", "run", "cgdmer/benchmark", "-p", "record=false", "-p", "promote=false")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--micro", action="store_true", help="use the sizes of tests/support/params.micro.yaml")
    micro = options.parse_args().micro
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        bare = Clone(Path(scratch) / "bare", micro)
        seconds["dvc repro"] = [bare.timed("dvc", "repro", "--quiet") for _ in range(2)]
        deployed = Clone(Path(scratch) / "flow", micro)
        with deployed.served():
            seconds["flow"] = [deployed.timed(*RUN, "--watch", "--watch-interval", "1") for _ in range(2)]
    for name, (first, again) in seconds.items():
        print(f"{name:>10}: {first:7.1f} s from nothing, {again:6.1f} s again")
    pairs = zip(seconds["flow"], seconds["dvc repro"], strict=True)
    first, again = (flow - repro for flow, repro in pairs)
    result = {
        "name": "flow",
        "overhead": round(first, 1),
        "overhead_unchanged": round(again, 1),
        "unit": "s",
        "size": "micro" if micro else "params.yaml",
        "machine": machine(),
        "python": platform.python_version(),
    }
    print(json.dumps(result))


class Clone:
    """A clone without results, in which commands run."""

    def __init__(self, folder: Path, micro: bool) -> None:
        self.folder = folder
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        if micro:
            params = settings.merge(
                settings.read(ROOT / "params.yaml"), settings.read(ROOT / "tests/support/params.micro.yaml")
            )
            (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        ports = {f"CGDMER_{name}_PORT": free_port() for name in ("PREFECT", "MLFLOW", "REPORTS")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**os.environ, **ports, "PATH": path, "PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1"}

    def run(self, *words: str) -> None:
        subprocess.run(words, cwd=self.folder, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def timed(self, *words: str) -> float:
        begin = time.perf_counter()
        self.run(*words)
        return time.perf_counter() - begin

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run the local stack with the deployments."""
        try:
            self.run(sys.executable, "-m", "flows.serving", "start")
            self.run("prefect", "--no-prompt", "deploy", "--all")
            yield
        finally:
            self.run(sys.executable, "-m", "flows.serving", "stop")


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


if __name__ == "__main__":
    main()
