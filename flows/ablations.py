"""Runs ablations: each profile is a DVC experiment outside the workspace, and its results are saved as one file.

`python -m flows.ablations [PROFILE ...]`, `make ablations` and the deployment `cgdmer/ablations` all call `run`.
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger
from pydantic import Field

from cgdmer import paths, settings
from cgdmer.errors import CgdmerError, ConfigError, did_you_mean
from cgdmer.evaluation import ablations as rows
from cgdmer.files import read_json, write_json
from cgdmer.tables import TASKS
from flows import dvc
from flows.dvc import Log

FOLDER = paths.STATE / "ablations"
"""Holds the results of an experiment while they are summarised."""


class AblationsFailed(CgdmerError):
    """Some profiles failed; the results of all others are saved."""


def run(profiles: Sequence[str], log: Log) -> list[str]:
    """Reproduce the full method, run the profiles with missing or stale results, and show all results in the report.

    An empty `profiles` means all of them. Returns the profiles that ran. Raises AblationsFailed with the names of those
    that failed, once all others are done.
    """
    chosen = check(profiles)
    reproduce(targets(rows.METHOD), log)
    failed: dict[str, CgdmerError] = {}
    done = []
    for name in chosen:
        if current(name):
            log(f"{name}: its results are up to date")
            continue
        try:
            write_json(rows.file(name), measure(name, log))
            done.append(name)
        except CgdmerError as error:
            failed[name] = error
            log(f"{name}: failed: {error}")
    reproduce([], log)
    if failed:
        raise AblationsFailed(
            f"{len(failed)} of {len(chosen)} ablations failed: {', '.join(failed)}",
            fix=f"make ablations PROFILES='{' '.join(failed)}'",
        )
    return done


def check(profiles: Sequence[str]) -> list[str]:
    """Return the profiles to run; ConfigError for an unknown name."""
    names = list(rows.descriptions())
    for name in profiles:
        if name not in names:
            raise ConfigError(f"no ablation is called '{name}'{did_you_mean(name, names)}", allowed=", ".join(names))
    return list(dict.fromkeys(profiles)) or names


def current(profile: str) -> bool:
    """Return True if the saved results of a profile belong to the current state of the method."""
    path = rows.file(profile)
    return path.is_file() and bool(read_json(path)["key"] == rows.key(profile))


def aligned(profile: str) -> bool:
    """Return True if a profile aligns ECGs with reports, so that zero-shot applies to it."""
    changes = {} if profile == rows.METHOD else rows.overrides(profile)
    merged = settings.merge(settings.read(Path("params.yaml")), changes)
    return settings.parse(merged, name=profile).objective.contrastive > 0


def targets(profile: str) -> list[str]:
    """Return the last stages that an ablation needs: the method's own probes and zero-shot, but not the controls."""
    sources = settings.load().matrix.benchmarks
    probes = [f"probe@{rows.METHOD}-{source}" for source in sources]
    return probes + ([f"zero_shot@{source}" for source in sources] if aligned(profile) else [])


def reproduce(stages: Sequence[str], log: Log) -> None:
    """Run `dvc repro` in the workspace for some stages, or for all of them if none is named."""
    succeed(["dvc", "--wait-for-lock", "repro", *stages], "the full method", log)


def measure(profile: str, log: Log) -> dict[str, Any]:
    """Run one profile, unless its experiment exists already, and return its results."""
    name = f"ablation-{profile}-{rows.key(profile)[:8]}"
    if not (revision := find(name)):
        changes = [word for change in flat(rows.overrides(profile)) for word in ("-S", change)]
        log(f"{profile}: {' '.join(changes[1::2])}")
        command = ["dvc", "--wait-for-lock", "exp", "run", "--temp", "--name", name, *changes, *targets(profile)]
        succeed(command, profile, log)
        if not (revision := find(name)):
            raise dvc.StageError(f"DVC created no experiment {name}", fix=f"make ablations PROFILES={profile}")
    folder = FOLDER / profile
    shutil.rmtree(folder, ignore_errors=True)
    try:
        fetch(revision, folder, log)
        return rows.row(profile, folder, aligned=aligned(profile))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def flat(values: dict[str, Any], prefix: str = "") -> list[str]:
    """Return nested changes as `section.key=value`, the form of `dvc exp run --set-param`."""
    assignments = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        assignments += flat(value, f"{name}.") if isinstance(value, dict) else [f"{name}={json.dumps(value)}"]
    return assignments


def find(name: str) -> str:
    """Return the commit of an experiment, or an empty string."""
    references = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").decode()
    return next((line.split()[0] for line in references.splitlines() if line.endswith(f"/{name}")), "")


def fetch(revision: str, folder: Path, log: Log) -> None:
    """Copy an experiment's reports and predictions into a folder, at the same relative paths."""
    folders = [paths.REPORTS / name for name in ("probe", "zero_shot", "pretrain")]
    archive = git("archive", "--format=tar", revision, *(str(path) for path in folders if path.is_dir()))
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    for source in sorted({TASKS[task] for task in TASKS if (folder / paths.probe(rows.METHOD, task)).is_file()}):
        predictions = paths.DATA / "predictions" / rows.METHOD / source
        (folder / predictions).parent.mkdir(parents=True, exist_ok=True)
        output = str(folder / predictions)
        command = ["dvc", "get", "--quiet", ".", str(predictions), "--rev", revision, "--out", output]
        succeed(command, f"fetching the predictions on {source}", log)


def git(*words: str) -> bytes:
    """Return the output of git; StageError if it fails, for example without a repository or a commit."""
    process = subprocess.run(["git", *words], capture_output=True, check=False)
    if process.returncode:
        message = process.stderr.decode(errors="replace").strip()
        raise dvc.StageError(f"git {words[0]}: {message}", fix="git init && git add --all && git commit")
    return process.stdout


def succeed(command: list[str], what: str, log: Log) -> None:
    """Run a command; StageError with its last lines of output if it fails."""
    code, lines = dvc.execute(command, log)
    if code:
        last_lines = "\n".join(line for line in lines[-6:] if line.strip())
        raise dvc.StageError(f"{what} ended with code {code}\n{last_lines}", fix=" ".join(command))


@flow(name="cgdmer", flow_run_name="ablations", persist_result=False)
def ablations(
    profiles: Annotated[list[str] | None, Field(description="Profiles to run; leave it empty to run all.")] = None,
) -> list[str]:
    """Run the ablation profiles whose results are missing or stale."""
    return run(profiles or [], get_run_logger().info)


def main(words: Sequence[str]) -> int:
    """Run from a shell without a Prefect server, and return the exit code."""
    try:
        run(words, _write)
    except CgdmerError as error:
        _write(str(error))
        return error.code
    return 0


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
