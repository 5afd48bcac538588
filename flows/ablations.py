"""Runs the ablation study: the full method and each profile, under several pretraining seeds.

Each run is a DVC experiment outside the workspace, named METHOD-seedSEED-KEY. Its result is kept as soon as it is
finished, so that a study that is stopped goes on where it was. `make ablations`, the deployment
`cgdmer/ablations` and `python -m flows.ablations [--repeat-one] [PROFILE ...]` all call `run`.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, get_run_logger, tags, task
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from cgdmer import paths, settings
from cgdmer.errors import CgdmerError, ConfigError, did_you_mean
from cgdmer.evaluation import ablation_rows, repeated_runs
from cgdmer.evaluation import ablations as study
from cgdmer.files import write_json
from flows import dvc, output, run_names, shell
from flows.dvc import Log

Run = tuple[str, int]
"""A method and its pretraining seed."""
Failures = dict[Run, CgdmerError]
Start = Callable[[Sequence[Run], Log], Failures]
fetching = threading.Lock()
"""DVC opens one revision at a time in a process."""


class AblationsFailed(CgdmerError):
    """Some runs failed; the results of all others are saved."""


def run(
    profiles: Sequence[str], log: Log, start: Start | None = None, *, repeat_one: bool = False
) -> list[Run]:  # fmt: skip
    """Run the full method and the profiles where results are missing or stale, and show all rows in the report.

    An empty `profiles` means all of them. The first seed of every method comes first, so that a study that is stopped
    compares all methods. With `repeat_one`, a first seed that has the same numbers as before vouches for the others.
    `start` carries out the runs and returns the failures. Returns the runs that succeeded now. Raises AblationsFailed
    with the names of those that failed, once all others are done.
    """
    chosen, start = check(profiles), start or in_threads
    reproduce(inputs(), log)
    now = study.state()
    wanted = [(name, seed) for seed in study.seeds() for name in (study.FULL, *chosen)]
    repeated = repeat(wanted, now, log, start) if repeat_one else []
    due = missing(wanted, now)
    log(f"{len(wanted) - len(due)} of {len(wanted)} runs are up to date")
    failed = start(due, log)
    failed |= recover([one for one in missing(due, now) if one not in failed], log)
    reproduce(controls(), log)
    summarise(log)
    reproduce([], log)
    if failed:
        names = sorted({name for name, _ in failed})
        runs = ", ".join(f"{name} seed {seed}" for name, seed in failed)
        raise AblationsFailed(
            f"{len(failed)} of {len(wanted)} runs failed: {runs}", fix=f"make ablations PROFILES='{' '.join(names)}'"
        )
    return repeated + due


def missing(runs: Sequence[Run], now: study.State) -> list[Run]:
    """Return the runs without a current result."""
    return [(name, seed) for name, seed in runs if not study.is_current(name, seed, now)]


def recover(lost: Sequence[Run], log: Log) -> Failures:
    """Read results again that are missing although their runs succeeded, one at a time; return the errors.

    When DVC starts an experiment, it stashes the changes in the workspace for a moment, and a result that another run
    writes just then can be lost. Its experiment is there, so nothing is trained again.
    """
    for name, seed in lost:
        log(f"{name} seed {seed}: the run succeeded, but its result is missing; reading it again from the experiment")
    return failures(lost, [attempt(name, seed, log) for name, seed in lost])


def repeat(wanted: Sequence[Run], now: study.State, log: Log, start: Start) -> list[Run]:
    """Run the first seed of methods with stale results, keep what it vouches for, and return what now has a result."""
    first = study.seeds()[0]
    before = {name: repeated_runs.stored(name) for name, seed in wanted if seed == first}
    due = missing([(name, first) for name in before], now)
    failed = start(due, log)
    for name, results in before.items():
        if kept := repeated_runs.take_over(name, results, now):
            seeds = ", ".join(map(str, kept))
            log(f"{name}: seed {first} has the same numbers as with earlier code, so it vouches for seeds {seeds}")
    return [one for one in due if one not in failed]


def check(profiles: Sequence[str]) -> list[str]:
    """Return the profiles to run; ConfigError for an unknown name. The full method always runs with them."""
    names = list(study.descriptions())
    for name in profiles:
        if name not in (*names, study.FULL):
            raise ConfigError(f"no ablation is called '{name}'{did_you_mean(name, names)}", allowed=", ".join(names))
    return [name for name in dict.fromkeys(profiles or names) if name != study.FULL]


def in_threads(runs: Sequence[Run], log: Log) -> Failures:
    """Carry out runs, `jobs` at a time; return the errors of those that failed."""
    with ThreadPoolExecutor(jobs()) as pool, dvc.stopping():
        return failures(runs, pool.map(lambda one: attempt(one[0], one[1], log), runs))


def failures(runs: Sequence[Run], errors: Iterable[CgdmerError | None]) -> Failures:
    """Return the errors by run, without those that succeeded."""
    return {run: error for run, error in zip(runs, errors, strict=True) if error}


def jobs() -> int:
    """Return how many runs go on at the same time: one per CPU with one thread each, at most four; one on a GPU."""
    return 1 if dvc.compute_slots() > 1 else min(len(os.sched_getaffinity(0)), 4)


def attempt(name: str, seed: int, log: Log) -> CgdmerError | None:
    """Carry out one run and keep its result; return the error if it fails."""
    try:
        measure(name, seed, log)
    except CgdmerError as error:
        log(f"{name} seed {seed}: failed: {error}")
        return error
    return None


def measure(name: str, seed: int, log: Log) -> None:
    """Carry out one run, unless its experiment exists already, and save its result and its scores."""
    now = study.state()
    experiment = f"{name}-seed{seed}-{now.key(name, seed)[:8]}"
    if not (revision := find(experiment)):
        changes = [word for change in flat(study.changes(name, seed)) for word in ("-S", change)]
        log(f"{name} seed {seed}: {' '.join(changes[1::2])}")
        command = ["dvc", "--wait-for-lock", "exp", "run", "--temp", "--name", experiment, *changes, *targets(name)]
        succeed(["env", f"OMP_NUM_THREADS={study.THREADS}", *command], f"{name} seed {seed}", log)
        if not (revision := find(experiment)):
            raise dvc.StageError(f"DVC created no experiment {experiment}", fix=f"make ablations PROFILES={name}")
    folder = study.scores(name, seed)
    partial = folder.with_name(f"{seed}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    fetch(revision, partial)
    result = ablation_rows.seed_result(name, seed, now, partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    write_json(study.seed_file(name, seed), result.to_json())
    log(f"{name} seed {seed}: finished")


def summarise(log: Log) -> None:
    """Write the row of every method that has a finished run, and remove files of an earlier format."""
    for path in study.outdated():
        log(f"{path} has an earlier format, and is removed")
        path.unlink()
    for row in ablation_rows.rows(list(study.descriptions()), study.state()):
        write_json(study.file(row.profile), row.to_json())


def inputs() -> list[str]:
    """Return the stages whose results all runs share."""
    chosen = settings.load()
    sources = sorted({*chosen.pretraining_set.sources, *chosen.matrix.benchmarks})
    return ["pretraining_set", *(f"shards@{source}" for source in sources)]


def controls() -> list[str]:
    """Return the stages that give the predictions of the controls, with which the full method is compared."""
    matrix = settings.load().matrix
    return [f"probe@{name}-{source}" for name in matrix.probed if name != study.METHOD for source in matrix.benchmarks]


def targets(name: str) -> list[str]:
    """Return the last stages that a run needs: the method's own probes and zero-shot, but not the controls."""
    sources = settings.load().matrix.benchmarks
    probes = [f"probe@{study.METHOD}-{source}" for source in sources]
    return probes + ([f"zero_shot@{source}" for source in sources] if study.aligned(name) else [])


def reproduce(stages: Sequence[str], log: Log) -> None:
    """Run `dvc repro` in the workspace for some stages, or for all of them if none is named."""
    succeed(["dvc", "--wait-for-lock", "repro", *stages], "the pipeline", log)


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


def fetch(revision: str, folder: Path) -> None:
    """Copy an experiment's reports and scores of test records into a folder, at the same relative paths."""
    from dvc.api import DVCFileSystem  # type: ignore[import-untyped]

    with fetching:
        project = DVCFileSystem(rev=revision)
        for path in (paths.CURVE.parent, *(one(task) for task in study.tasks() for one in FILES)):
            if project.exists(str(path)):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                project.get(str(path), str(folder / path), recursive=project.isdir(str(path)))


FILES: tuple[Callable[[str], Path], ...] = (
    lambda task: paths.probe(study.METHOD, task),
    lambda task: paths.predictions(study.METHOD, task),
    paths.zero_shot,
    paths.zero_shot_predictions,
)
"""Files of each task that are kept of a run."""


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


@task(task_run_name="{name} seed {seed}", persist_result=False)
def carry_out(name: str, seed: int) -> CgdmerError | None:
    """Carry out one run of the study as a task of the flow."""
    return attempt(name, seed, get_run_logger().info)


def in_tasks(runs: Sequence[Run], log: Log) -> Failures:
    """Carry out runs as tasks of the flow, tagged with their method, so that Prefect shows a method as one group."""
    futures = []
    for name, seed in runs:
        with tags(f"method:{name}"):
            futures.append(carry_out.submit(name, seed))
    return failures(runs, [future.result() for future in futures])


@flow(
    name="cgdmer", flow_run_name=run_names.of_this_run, persist_result=False,
    task_runner=ThreadPoolTaskRunner(max_workers=jobs()),  # type: ignore[arg-type]
)  # fmt: skip
def ablations(
    profiles: Annotated[list[str] | None, Field(description="Profiles to run; leave it empty to run all.")] = None,
    repeat_one: Annotated[
        bool, Field(description="One repeated seed with equal numbers vouches for the others.")
    ] = False,
) -> list[str]:
    """Run the methods whose results are missing or stale; returns them as `method seed`."""
    output.outlive_reader()
    done = run(profiles or [], get_run_logger().info, in_tasks, repeat_one=repeat_one)
    return [f"{name} seed {seed}" for name, seed in done]


def main(words: Sequence[str]) -> int:
    """Run from a shell without a Prefect server, and return the exit code."""
    parser = shell.parser("flows.ablations", __doc__)
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help="default: all ablations")
    parser.add_argument(
        "--repeat-one", action="store_true",
        help="after a change of code: repeat one seed per method, and keep the others if its numbers are the same",
    )  # fmt: skip
    options = parser.parse_args(words)
    return shell.exit_code(lambda: run(options.profiles, _write, repeat_one=options.repeat_one))


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
