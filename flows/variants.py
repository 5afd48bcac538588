"""Workspaces for runs with other settings, beside the project: clones that share its DVC cache.

    .cgdmer/variants/3f2a1c8b9d0e/    a clone at the commit that is checked out, with params.yaml of its own

The name is that of the commit and the settings, so a run that was stopped goes on in the same clone. The project's own
params.yaml, dvc.lock and results stay as they are. Each flow run removes clones that were not used for 30 days.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from cgdmer import paths
from cgdmer.commands import reproduce
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import exclusive_lock, write_text
from cgdmer.pipeline import graph
from cgdmer.publishing import lineage
from cgdmer.settings import profiles
from cgdmer.tracking import server, state

FOLDER = paths.STATE / "variants"
DAYS = 30.0
FOLDERS = ("CGDMER_RAW_ROOT", "CGDMER_PROTOCOL_ROOT")
"""Variables with folders, which may be relative to the project."""


@contextmanager
def workspace(settings: Mapping[str, Any], profile: str | None) -> Iterator[Path]:
    """Work in the clone for these settings: it is the working directory, and runs go to the project's MLflow.

    ConfigError if no commit holds the code; DataError if the clone cannot be made.
    """
    commit = _committed()
    facts = json.dumps([commit, settings], sort_keys=True)
    key = hashlib.sha256(facts.encode()).hexdigest()[:12]
    with exclusive_lock(FOLDER / f"{key}.lock"):
        os.utime(FOLDER / f"{key}.lock")
        folder = FOLDER / key
        if not folder.exists():
            _make(folder, commit, settings, profile)
        with inside(_project(folder)):
            yield folder


def _committed() -> str:
    """Return the commit that is checked out; ConfigError if it does not hold the code of the working directory."""
    commit = state.git("rev-parse", "HEAD")
    if not commit or state.is_dirty():
        problem = "the code has uncommitted changes" if commit else "the project has no commit"
        raise ConfigError(
            f"{problem}, and a run with other settings works in a clone", allowed="committed code",
            fix="git add --all && git commit; or set the values in params.yaml",
        )  # fmt: skip
    return commit


def _make(folder: Path, commit: str, settings: Mapping[str, Any], profile: str | None) -> None:
    """Make a clone with these settings; it appears under its name when it is complete."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    project = clone(commit, partial)
    if Path(lineage.LOCK).is_file():  # newer than that of the commit
        shutil.copyfile(lineage.LOCK, project / lineage.LOCK)
    if paths.REPORTS.is_dir():
        shutil.copytree(paths.REPORTS, project / paths.REPORTS, dirs_exist_ok=True)
    checkout(project)
    head = profiles.header(profile, profiles.Adaptation()) if profile else []
    write_text(project / profiles.PARAMS, "\n".join([*head, yaml.safe_dump(dict(settings), sort_keys=False)]))
    partial.rename(folder)


def clone(commit: str, folder: Path) -> Path:
    """Clone the project at a commit, with its remotes and its DVC cache; return the project's folder in the clone."""
    project = reproduce.clone(None, commit, folder)
    cache = Path.cwd() / _dvc(["cache", "dir"], Path.cwd()).strip()
    reproduce.configure(project, Path.cwd(), str(cache.resolve()))
    return project


def checkout(project: Path) -> None:
    """Put the results of dvc.lock that are in the cache into a clone."""
    _dvc(["checkout", "--quiet", "--allow-missing", "--force"], project)


def _project(folder: Path) -> Path:
    """Return the project's folder in a clone; the project may be a folder of its repository."""
    return folder / state.git("rev-parse", "--show-prefix")


def _dvc(words: list[str], where: Path) -> str:
    """Return what a DVC command prints; DataError if it fails."""
    done = subprocess.run([graph.dvc(), *words], cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise DataError(f"dvc {words[0]}: {lines[-1]}", fix=f"dvc {' '.join(words)}")
    return done.stdout


@contextmanager
def inside(project: Path) -> Iterator[None]:
    """Work in a clone, with the MLflow store of the project, whose folders stay where they are."""
    variables = {"MLFLOW_TRACKING_URI": server.uri()}
    variables |= {name: str(Path(os.environ[name]).resolve()) for name in FOLDERS if os.environ.get(name)}
    before = dict(os.environ)
    os.environ.update(variables)
    os.environ.pop("CGDMER_REPORTS_URL", None)  # the server of pages shows those of the project
    try:
        with chdir(project):
            yield
    finally:
        for name in (*variables, "CGDMER_REPORTS_URL"):
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)


def clean(days: float = DAYS) -> list[str]:
    """Remove the clones that were not used for so many days and are not in use now; return a line for each."""
    lines = []
    for lock in sorted(FOLDER.glob("*.lock")):
        with suppress(FileNotFoundError), lock.open("r+") as stream:  # another flow run may have removed it
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            age = (time.time() - lock.stat().st_mtime) / 86400
            if age > days:
                folder = lock.with_suffix("")
                shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(folder.with_name(f".{folder.name}.partial"), ignore_errors=True)
                lock.unlink()
                lines.append(f"removed {folder}: a run with other settings, not used for {age:.0f} days")
    return lines
