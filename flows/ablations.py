"""Owns running ablations: each profile as a DVC experiment beside the workspace, its numbers kept as a row.

`python -m flows.ablations [PROFILE ...]`, `make ablations` and the deployment `cgdmer/ablations` all call `run`.
"""

import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
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

Say = Callable[[str], None]
ROOM = paths.STATE / "ablations"
"""Where the results of an experiment lie while they are summed up."""


class AblationsFailed(CgdmerError):
    """Some profiles failed; the rows of all others are there."""


def run(profiles: Sequence[str], say: Say) -> list[str]:
    """Bring the full method up to date, run the profiles whose rows are missing or stale, and show them in the report.

    No profile named means all. Returns those that were run; raises AblationsFailed, once all others are done, naming
    those that failed.
    """
    chosen = check(profiles)
    reproduce(targets(rows.METHOD), say)
    failed: dict[str, CgdmerError] = {}
    done = []
    for name in chosen:
        if current(name):
            say(f"{name}: its row is up to date")
            continue
        try:
            write_json(rows.file(name), measure(name, say))
            done.append(name)
        except CgdmerError as error:
            failed[name] = error
            say(f"{name}: failed: {error}")
    reproduce([], say)
    if failed:
        raise AblationsFailed(
            f"{len(failed)} of {len(chosen)} ablations failed: {', '.join(failed)}",
            fix=f"make ablations PROFILES='{' '.join(failed)}'",
        )
    return done


def check(profiles: Sequence[str]) -> list[str]:
    """Return the profiles to run; ConfigError for a name that is no ablation."""
    known = list(rows.known())
    for name in profiles:
        if name not in known:
            raise ConfigError(f"no ablation is called '{name}'{did_you_mean(name, known)}", allowed=", ".join(known))
    return list(dict.fromkeys(profiles)) or known


def current(profile: str) -> bool:
    """Return whether the row of a profile belongs to the state of the method that is here."""
    path = rows.file(profile)
    return path.is_file() and bool(read_json(path)["key"] == rows.key(profile))


def aligned(profile: str) -> bool:
    """Return whether a profile reads reports, so that zero-shot applies to it."""
    changes = {} if profile == rows.METHOD else rows.overrides(profile)
    merged = settings.merge(settings.read(Path("params.yaml")), changes)
    return settings.parse(merged, name=profile).objective.contrastive > 0


def targets(profile: str) -> list[str]:
    """Return the ends of what an ablation needs: the method's own probes and zero-shot; controls stay as they are."""
    sources = settings.load().matrix.benchmarks
    ends = [f"probe@{rows.METHOD}-{source}" for source in sources]
    return ends + ([f"zero_shot@{source}" for source in sources] if aligned(profile) else [])


def reproduce(stages: Sequence[str], say: Say) -> None:
    """Run `dvc repro` in the workspace, all of it where no stage is named."""
    succeed(["dvc", "--wait-for-lock", "repro", *stages], "the full method", say)


def measure(profile: str, say: Say) -> dict[str, Any]:
    """Run one profile, unless an earlier call got that far, and return its row."""
    name = f"ablation-{profile}-{rows.key(profile)[:8]}"
    if not (revision := find(name)):
        changes = [word for change in flat(rows.overrides(profile)) for word in ("-S", change)]
        say(f"{profile}: {' '.join(changes[1::2])}")
        command = ["dvc", "--wait-for-lock", "exp", "run", "--temp", "--name", name, *changes, *targets(profile)]
        succeed(command, profile, say)
        if not (revision := find(name)):
            raise dvc.StageError(f"{profile}: DVC left no experiment {name}", fix=f"make ablations PROFILES={profile}")
    folder = ROOM / profile
    shutil.rmtree(folder, ignore_errors=True)
    try:
        fetch(revision, folder, say)
        return rows.row(profile, folder, aligned=aligned(profile))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def flat(values: dict[str, Any], prefix: str = "") -> list[str]:
    """Return nested changes as `section.key=value`, in the words of `dvc exp run --set-param`."""
    found = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        found += flat(value, f"{name}.") if isinstance(value, dict) else [f"{name}={json.dumps(value)}"]
    return found


def find(name: str) -> str:
    """Return the commit of an experiment, or an empty string."""
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").decode()
    return next((line.split()[0] for line in listed.splitlines() if line.endswith(f"/{name}")), "")


def fetch(revision: str, folder: Path, say: Say) -> None:
    """Lay an experiment's reports and predictions into a folder, at their own paths."""
    places = [paths.REPORTS / name for name in ("probe", "zero_shot", "pretrain")]
    archive = git("archive", "--format=tar", revision, *(str(place) for place in places if place.is_dir()))
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    for source in sorted({TASKS[task] for task in TASKS if (folder / paths.probe(rows.METHOD, task)).is_file()}):
        place = paths.DATA / "predictions" / rows.METHOD / source
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        command = ["dvc", "get", "--quiet", ".", str(place), "--rev", revision, "--out", str(folder / place)]
        succeed(command, f"fetching the predictions on {source}", say)


def git(*words: str) -> bytes:
    """Return what git says; StageError where it refuses, for want of a repository or a commit."""
    done = subprocess.run(["git", *words], capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise dvc.StageError(f"git {words[0]}: {said}", fix="git init && git add --all && git commit")
    return done.stdout


def succeed(command: list[str], what: str, say: Say) -> None:
    """Run a command; StageError with its last words where it fails."""
    code, lines = dvc.execute(command, say)
    if code:
        said = "\n".join(line for line in lines[-6:] if line.strip())
        raise dvc.StageError(f"{what} ended with code {code}\n{said}", fix=" ".join(command))


@flow(name="cgdmer", flow_run_name="ablations", persist_result=False)
def ablations(
    profiles: Annotated[list[str] | None, Field(description="Profiles to run; none named means all.")] = None,
) -> list[str]:
    """Run the ablation profiles whose rows are missing or stale."""
    return run(profiles or [], get_run_logger().info)


def main(words: Sequence[str]) -> int:
    """Run from a shell, without a Prefect server; return the exit code."""
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
