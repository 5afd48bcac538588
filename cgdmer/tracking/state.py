"""The state of the pipeline that a run records: `dvc.lock`, commit, params, library versions, kind of machine."""

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
NO_CODE = (":!dvc.lock", ":!params.yaml", ":!reports", ":!*.gitignore")
"""Files that the pipeline itself writes, and those that go with the run; a change in them does not make the code count
as changed."""
CODE = ("cgdmer", "flows", "params")
"""Folders in which a file that git does not know counts as a change too."""


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
    """Kind of machine, but never its name or a path on it."""


def current(params: Mapping[str, Any], lock: Path = Path("dvc.lock")) -> PipelineState:
    """Return the state of the project in the working directory; DataError if nothing was reproduced yet."""
    if not lock.is_file():
        raise DataError("dvc.lock is missing: there are no results to record", fix="dvc repro")
    return PipelineState(
        lock=hashlib.sha256(lock.read_bytes()).hexdigest()[:16],
        commit=git("rev-parse", "HEAD"),
        dirty=is_dirty(),
        params=flatten(params),
        versions={name: metadata.version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        environment=_environment(),
    )


def is_dirty() -> bool:
    """Return True if the commit does not hold the code: a file was changed, or is new and unknown to git."""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", *NO_CODE)
    return bool(changed or git("status", "--porcelain", "--untracked-files=all", "--", *CODE))


def _environment() -> dict[str, str]:
    """Return operating system, number of processors and accelerator."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processors": str(len(os.sched_getaffinity(0))),
        "device": f"{torch.cuda.device_count()} x {gpu}" if gpu else "cpu",
    }


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as a flat mapping from `a.b.c` to text."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= flatten(value, f"{name}.") if isinstance(value, Mapping) else {name: _as_text(key, value)}
    return flat


def _as_text(key: str, value: Any) -> str:
    """Return a value as text; a folder becomes `set`, and an address loses its user and password."""
    if key == "root" and value is not None:
        return "set"
    return re.sub(r"//[^/@\s]+@", "//", str(value))


def git(*words: str) -> str:
    """Return the output of git, or an empty string outside a repository."""
    process = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    return process.stdout.strip() if process.returncode == 0 else ""
