"""Owns what identifies a state of the pipeline: `dvc.lock`, commit, params, data digests, versions."""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from cgdmer.errors import DataError

LIBRARIES = ("cgdmer", "dvc", "mlflow", "numpy", "polars", "prefect", "scipy", "torch", "transformers", "wfdb")
WRITTEN = (":!dvc.lock", ":!reports", ":!*.gitignore")
"""What the pipeline itself writes; a change of these leaves the code clean."""


@dataclass(frozen=True)
class PipelineState:
    """One state; equal `lock` means equal inputs, code, params and results."""

    lock: str
    """sha256 of `dvc.lock`, 16 hex digits."""
    commit: str
    dirty: bool
    params: dict[str, str]
    """Flattened, `section.key`."""
    versions: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    """Kind of machine: never its name or a path on it."""


def current(params: Mapping[str, Any], lock: Path = Path("dvc.lock")) -> PipelineState:
    """Read the state of the project in the working directory; DataError where nothing was reproduced yet."""
    if not lock.is_file():
        raise DataError("dvc.lock is missing: there are no results to record", fix="dvc repro")
    return PipelineState(
        lock=hashlib.sha256(lock.read_bytes()).hexdigest()[:16],
        commit=_git("rev-parse", "HEAD"),
        dirty=bool(_git("status", "--porcelain", "--untracked-files=no", "--", ".", *WRITTEN)),
        params=flatten(params),
        versions={name: metadata.version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        environment=_environment(),
    )


def _environment() -> dict[str, str]:
    """Return system, processor count and accelerator."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": str(len(os.sched_getaffinity(0))),
        "device": f"{torch.cuda.device_count()} x {gpu}" if gpu else "cpu",
    }


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as `a.b.c` to text."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: _said(key, value)}
    return flat


def _said(key: str, value: Any) -> str:
    """Return a value as text: of a folder only that there is one, of an address nothing secret."""
    if key == "root" and value is not None:
        return "set"
    return re.sub(r"//[^/@\s]+@", "//", str(value))


def _git(*words: str) -> str:
    """Return what git says, or an empty string outside a repository."""
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
