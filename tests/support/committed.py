"""Reports as they were committed: `make demo` on another CPU rounds differently and replaces the files."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def committed(path: str) -> Any:
    """Return the content of a JSON report; skip the test where git does not show it."""
    shown = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=ROOT, capture_output=True, text=True, check=False)
    if shown.returncode:
        pytest.skip(f"git does not show the committed {path}: {shown.stderr.strip()}")
    return json.loads(shown.stdout)
