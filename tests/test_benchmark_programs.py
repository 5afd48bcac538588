"""Every benchmark tells what it does with `--help`, and refuses an option that it does not have, before it starts."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STARTED_BY_OTHERS = {"benchmarks/rehearsal/meter.py"}
"""The rehearsal starts a stage through it; its arguments are the command of the stage."""
PROGRAMS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if '__name__ == "__main__"' in path.read_text() and str(path.relative_to(ROOT)) not in STARTED_BY_OTHERS
)


def started(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module.removesuffix(".__main__"), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.long
@pytest.mark.parametrize("module", PROGRAMS)
def test_a_benchmark_explains_itself_and_refuses_unknown_options(module):
    explained = started(module, "--help")
    assert (explained.returncode, explained.stdout.splitlines()[0].startswith("usage:")) == (0, True)
    refused = started(module, "--no-such-option")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
