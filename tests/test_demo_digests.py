"""Digests of the demo, pinned per torch version, CPU model and instruction set: these decide the rounding.

Two CPUs with the same instruction set do give different weights, because torch's matrix library chooses its code by
vendor. The number of cores does not count, because `make demo` gives a stage one core. After it,
`python tests/test_demo_digests.py` updates tests/support/demo_digests.json.
"""

import hashlib
import json
import platform
import subprocess
from pathlib import Path

import pytest
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
PINNED = ROOT / "tests/support/demo_digests.json"
WEIGHTS = "data/models/pretrain/weights.safetensors"
INPUTS = ("params.yaml", "cgdmer/models", "cgdmer/training", "cgdmer/objectives", "cgdmer/simulator")
"""Files that decide the weights; the pinned digests hold for their committed state."""


def key() -> str:
    """Return the name of this environment."""
    return f"torch {torch.__version__}, {cpu_model()}, {torch.backends.cpu.get_cpu_capability()}"


def cpu_model() -> str:
    """Return vendor, numbers, cache and units for bfloat16 of the CPU as Linux tells them; else what Python knows.

    Virtual machines give different CPUs one number; matrix libraries look at the cache and the units too.
    """
    path = Path("/proc/cpuinfo")
    lines = [line.partition(":") for line in path.read_text().splitlines()] if path.is_file() else []
    fields = {name.strip(): value.strip() for name, _, value in lines}
    names = ("vendor_id", "cpu family", "model", "stepping", "cache size", "flags")
    if not fields.keys() >= set(names):
        return platform.processor()
    units = sorted(flag for flag in fields["flags"].split() if "bf16" in flag)
    return " ".join([*(fields[name] for name in names[:-1]), *units])


def digests() -> dict[str, str]:
    """Return the digests of the finished demo; that of the metrics covers the numbers, not the digests of the code."""
    metrics = json.loads((ROOT / "reports/metrics.json").read_text())
    metrics.pop("versions", None)
    for row in metrics["ablations"].values():
        row.pop("key")
    content = json.dumps(metrics, sort_keys=True).encode()
    return {
        WEIGHTS: hashlib.sha256((ROOT / WEIGHTS).read_bytes()).hexdigest(),
        "reports/metrics.json": hashlib.sha256(content).hexdigest(),
    }


def finished() -> bool:
    """Return True if the weights are here and dvc.lock lists them as an output."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text()) if (ROOT / "dvc.lock").is_file() else {}
    outputs = lock.get("stages", {}).get("pretrain", {}).get("outs", [])
    return (ROOT / WEIGHTS).is_file() and any(out["path"] == "data/models/pretrain" for out in outputs)


def pinned() -> dict[str, dict[str, str]]:
    """Return the pinned digests by environment and file."""
    return json.loads(PINNED.read_text()) if PINNED.is_file() else {}


def test_the_demo_gives_the_pinned_digests():
    if not finished():
        pytest.skip("the demo has not been run: make demo")
    if key() not in pinned():
        pytest.skip(f"no digests are pinned for {key()}; there are some for {', '.join(sorted(pinned())) or 'nothing'}")
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", *INPUTS], cwd=ROOT, capture_output=True, check=False
    )
    if changed.returncode:
        pytest.skip("files that decide the weights differ from the last commit; commit, run make demo and pin again")
    assert digests() == pinned()[key()], (
        "the demo's numbers changed; if that is intended: python tests/test_demo_digests.py"
    )


def test_pins_are_whole():
    for name, files in pinned().items():
        assert name.startswith("torch ")
        assert set(files) == {WEIGHTS, "reports/metrics.json"}
        assert all(len(digest) == 64 for digest in files.values())


if __name__ == "__main__":
    content = pinned() | {key(): digests()}
    PINNED.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
