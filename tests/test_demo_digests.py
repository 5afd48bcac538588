"""The demo's digests are pinned by torch version, CPU instruction set and CPUs: other arithmetic rounds otherwise.

After a finished `make demo`, `python tests/test_demo_digests.py` writes tests/support/demo_digests.json anew.
"""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
PINNED = ROOT / "tests/support/demo_digests.json"
WEIGHTS = "data/models/pretrain/weights.safetensors"
INPUTS = ("params.yaml", "cgdmer/models", "cgdmer/training", "cgdmer/objectives.py", "cgdmer/simulator")
"""What decides the weights; pinned digests hold for these as they were."""


def key() -> str:
    cpus = len(os.sched_getaffinity(0))  # training sums in as many parts
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {cpus} CPUs"


def found() -> dict[str, str]:
    """Return the digests of the finished demo; of metrics, the numbers alone, without versions of code."""
    metrics = json.loads((ROOT / "reports/metrics.json").read_text())
    metrics.pop("versions", None)
    content = json.dumps(metrics, sort_keys=True).encode()
    return {
        WEIGHTS: hashlib.sha256((ROOT / WEIGHTS).read_bytes()).hexdigest(),
        "reports/metrics.json": hashlib.sha256(content).hexdigest(),
    }


def finished() -> bool:
    """Tell whether dvc.lock, which names the demo's outputs by their md5, speaks of the weights that lie here."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text()) if (ROOT / "dvc.lock").is_file() else {}
    outputs = lock.get("stages", {}).get("pretrain", {}).get("outs", [])
    return (ROOT / WEIGHTS).is_file() and any(out["path"] == "data/models/pretrain" for out in outputs)


def pinned() -> dict[str, dict[str, str]]:
    return json.loads(PINNED.read_text()) if PINNED.is_file() else {}


def test_the_demo_gives_the_pinned_digests():
    if not finished():
        pytest.skip("the demo was not run here: make demo")
    if key() not in pinned():
        pytest.skip(f"no digests are pinned for {key()}; there are some for {', '.join(sorted(pinned())) or 'nothing'}")
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", *INPUTS], cwd=ROOT, capture_output=True, check=False
    )
    if changed.returncode:
        pytest.skip("what decides the weights differs from the last commit; run make demo and pin again")
    assert found() == pinned()[key()], "the demo's numbers changed: if that is meant, python tests/test_demo_digests.py"


def test_pins_are_whole():
    for name, digests in pinned().items():
        assert name.startswith("torch ")
        assert set(digests) == {WEIGHTS, "reports/metrics.json"}
        assert all(len(digest) == 64 for digest in digests.values())


if __name__ == "__main__":
    content = pinned() | {key(): found()}
    PINNED.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
