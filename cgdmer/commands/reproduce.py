"""`cgdmer reproduce`: run a registered version again from its commit, params and data, and compare the results.

Everything happens in a fresh clone with a DVC cache of its own, so that no result can be restored instead of computed.
"""

import configparser
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from cgdmer import paths
from cgdmer.commands import reproduction
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import read_json
from cgdmer.pipeline import graph
from cgdmer.publishing import lineage
from cgdmer.tracking import aliases, lineage_files, server

STATE_FILES = (lineage.LOCK, lineage.PARAMS, lineage.PIPELINE)
RAW = re.compile(r"(acquire|protocol)(@.*)?")
"""Stages whose outputs are the raw data."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How the reproduced results compare with the registered ones."""

    good: bool
    """True if they are equal or within the tolerance."""
    text: str


def reproduce(uri: str, folder: Path, repository: str | None = None) -> Outcome:
    """Reproduce a registered version in a new folder and compare it.

    `repository` is where git finds the commit; by default the project in the working directory. ConfigError for a
    version that does not exist or a folder that is not empty; DataError if the version cannot be reproduced or a step
    fails.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists already", allowed="a new or empty folder", fix="name another with -o")
    with TemporaryDirectory() as scratch:
        with server.explained():
            version = lineage_files.resolve(uri)
            _require_commit(uri, version)
            names = [f"{lineage.FOLDER}/{name}" for name in (*STATE_FILES, lineage.ENVIRONMENT)]
            files = lineage_files.download(version.run_id, [*names, paths.METRICS.name], Path(scratch))
        project = clone(repository, version.tags["git_commit"], folder)
        for name in STATE_FILES:
            shutil.copyfile(files[f"{lineage.FOLDER}/{name}"], project / name)
        lock, metrics = (files[name].read_text("utf-8") for name in (names[0], paths.METRICS.name))
        lines = environment_differences(files[names[-1]].read_text("utf-8").splitlines(), lineage.environment())
    configure(project, Path.cwd() if repository is None else project)
    fetch_raw_data(project, yaml.safe_load(lock))
    run(["repro"], project)
    outcome = judge(yaml.safe_load(lock), json.loads(metrics), project)
    return Outcome(outcome.good, "\n".join([f"{uri} is version {version.version}", *lines, outcome.text]))


def _require_commit(uri: str, version: aliases.Version) -> None:
    """Raise DataError unless the commit of a version holds its whole code."""
    if version.tags.get("git_dirty") != "False" or not version.tags.get("git_commit"):
        raise DataError(
            f"{uri} was published from code that its commit does not hold, so no one can fetch that code",
            fix="commit, dvc repro, python -m cgdmer publish; then reproduce that version",
        )


def clone(repository: str | None, commit: str, folder: Path) -> Path:
    """Check out a commit in a new clone and return the project's folder in it; DataError if git fails."""
    prefix = ""
    if repository is None:
        repository = git("rev-parse", "--show-toplevel", where=Path.cwd())
        prefix = git("rev-parse", "--show-prefix", where=Path.cwd())
    git("clone", "--quiet", "--no-checkout", "--", repository, str(folder.resolve()), where=Path.cwd())
    git("checkout", "--quiet", "--detach", commit, where=folder)
    return folder / prefix


def git(*words: str, where: Path) -> str:
    """Return what git prints; DataError if it fails."""
    done = subprocess.run(["git", *words], cwd=where, capture_output=True, text=True, check=False)
    if done.returncode:
        why = server.redact(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no reason given")
        raise DataError(f"git {words[0]}: {why}", fix="--repository ADDRESS names a repository that holds the commit")
    return done.stdout.strip()


def configure(project: Path, source: Path, cache: str = "cache") -> None:
    """Give a clone the DVC remotes of the project `source`, with absolute paths, and a DVC cache, by default its own.

    Results in a shared cache are restored instead of computed.
    """
    config = configparser.ConfigParser(interpolation=None)
    config.read([source / ".dvc/config", source / ".dvc/config.local"], encoding="utf-8")
    for section in config.values():
        if "url" in section and "://" not in section["url"]:
            section["url"] = str((source / ".dvc" / section["url"]).resolve())
    config["cache"] = {"dir": cache}
    with (project / ".dvc/config.local").open("w", encoding="utf-8") as stream:
        config.write(stream)


def fetch_raw_data(project: Path, lock: Mapping[str, Any]) -> None:
    """Get the raw data of a state from the DVC remote; without one, or if it lacks them, they are acquired again."""
    stages = [name for name in lock["stages"] if RAW.fullmatch(name)]
    remotes = subprocess.run(
        [graph.dvc(), "remote", "list"], cwd=project, capture_output=True, text=True, check=False
    )  # fmt: skip
    if not remotes.stdout.strip():
        log.info("no DVC remote is configured: the raw data are acquired again")
        return
    try:
        run(["pull", *stages], project)
    except DataError as error:
        log.warning("%s; the raw data are acquired again", error.problem)


def run(words: list[str], project: Path) -> None:
    """Run a DVC command in the clone, whose output goes to standard error; DataError if it fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    variables = os.environ | {"PATH": path, "CGDMER_TRACKING": "off"}
    variables.pop("PYTHONPATH", None)  # the stages import the clone's code
    command = [graph.dvc(), *words]
    code = subprocess.run(command, cwd=project, env=variables, stdout=sys.stderr, check=False).returncode
    if code:
        shown = " ".join(["dvc", *words[:1]])
        raise DataError(f"{shown} in {project} ended with code {code}", fix=f"cd {project} && dvc {' '.join(words)}")


def judge(lock: Mapping[str, Any], metrics: Mapping[str, Any], project: Path) -> Outcome:
    """Compare the results in a clone with the registered ones: digests first, then every AUROC."""
    new = yaml.safe_load((project / lineage.LOCK).read_text("utf-8"))
    different = differing_stages(lock, new)
    if not different:
        return Outcome(True, f"equal: the outputs of all {len(lock['stages'])} stage calls have the same digests")
    changes = list(reproduction.compare(read_json(project / paths.METRICS), metrics))
    shown = ", ".join(different[:6]) + (f" and {len(different) - 6} more" if len(different) > 6 else "")
    files = f"other digests: {len(different)} of {len(lock['stages'])} stage calls ({shown})"
    if not changes:
        return Outcome(False, f"different: no number can be compared\n{files}")
    if max(change.size for change in changes) == 0.0:
        return Outcome(True, f"equal: every AUROC is the same\n{files}")
    good = reproduction.within(changes)
    verdict = "within the stated tolerance" if good else "different"
    lines = reproduction.verdict(changes, "the registered version")
    return Outcome(good, "\n".join([verdict, *lines, files]))


def differing_stages(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the stage calls of the old dvc.lock whose outputs have another digest in the new one, or none."""

    def outputs(lock: Mapping[str, Any], name: str) -> dict[str, str]:
        return {out["path"]: out["md5"] for out in lock["stages"].get(name, {}).get("outs", [])}

    return [name for name in old["stages"] if outputs(old, name) != outputs(new, name)]


def environment_differences(then: list[str], now: list[str]) -> list[str]:
    """Return a line on packages and Python whose versions are not those of the registered version; none if equal."""
    before, after = (dict(_package(line) for line in lines if line.strip()) for lines in (then, now))
    changed = [f"{name} {version} then, {after.get(name, 'not installed')} now" for name, version in before.items()
               if after.get(name) != version]  # fmt: skip
    shown = "; ".join(changed[:8]) + (f"; and {len(changed) - 8} more" if len(changed) > 8 else "")
    return [f"other versions: {shown}"] if changed else []


def _package(line: str) -> tuple[str, str]:
    """Return name and version of a line; the first line has the Python version and the system."""
    name, equals, version = line.partition("==")
    return (name, version) if equals else ("Python and system", line.removeprefix("# "))
