"""The files from which a pipeline state can be reproduced; they go with its MLflow run.

They are `dvc.lock`, `params.yaml` and `dvc.yaml` as they were, and the list of installed packages. Folders of this
machine and passwords in addresses are removed first.
"""

import json
import re
import subprocess
from importlib import metadata
from pathlib import Path
from platform import machine, python_version, system
from typing import Any

import yaml

from cgdmer.errors import DataError
from cgdmer.files import write_text
from cgdmer.pipeline import graph

FOLDER = "lineage"
"""Folder of a run's artifacts."""
LOCK, PARAMS, PIPELINE = "dvc.lock", "params.yaml", "dvc.yaml"
ENVIRONMENT = "environment.txt"


def write(folder: Path) -> Path:
    """Write the files of the project in the working directory into a folder, and return it."""
    for name in (LOCK, PARAMS, PIPELINE):
        if Path(name).is_file():
            write_text(folder / name, public(Path(name).read_text(encoding="utf-8")))
    write_text(folder / ENVIRONMENT, "\n".join(environment()) + "\n")
    return folder


def public(text: str) -> str:
    """Return a YAML text without folders of corpora and passwords of addresses; unchanged if it has none of them."""
    content = yaml.safe_load(text)
    cleaned = _cleaned(content)
    return text if cleaned == content else yaml.safe_dump(cleaned, sort_keys=False)


def _cleaned(value: Any, key: str = "") -> Any:
    match value:
        case dict():
            return {name: _cleaned(item, str(name)) for name, item in value.items()}
        case list():
            return [_cleaned(item) for item in value]
        case str():
            return None if key == "root" else re.sub(r"//[^/@\s]+@", "//", value)
    return value


def environment() -> list[str]:
    """Return the Python version and system, and `name==version` of every installed package, sorted."""
    packages = {f"{one.name}=={one.version}" for one in metadata.distributions() if one.name}
    return [f"# Python {python_version()}, {system()} {machine()}", *sorted(packages, key=str.lower)]


def require_reproduced() -> None:
    """Raise DataError unless the files of the workspace are those of dvc.lock."""
    changed = changed_stages()
    if changed:
        shown = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        raise DataError(
            f"the workspace is not the state that {LOCK} describes; changed: {shown}",
            fix="dvc repro, then publish; or git checkout params.yaml dvc.lock reports && dvc checkout",
        )


def changed_stages() -> list[str]:
    """Return the stages whose inputs, params, code or outputs differ from dvc.lock; DataError without an answer."""
    done = subprocess.run([graph.dvc(), "status", "--json"], capture_output=True, text=True, check=False)
    try:
        content = json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        content = None
    if not isinstance(content, dict):
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no output"]
        raise DataError(f"DVC does not say whether the results are those of {LOCK}: {lines[-1]}", fix="dvc status")
    return sorted(content)
