"""Shares results between machines: a stage's result is taken from a shared DVC remote, or pushed there once it is made.

The remote is all that the machines share. DVC's run cache stores a result under the hash of the stage's command and
inputs, so a machine finds what another one made from the same bytes. `CGDMER_DVC_REMOTE` names the remote; if it is
unset, nothing is shared.

`python -m flows.remote REMOTE STAGE` pushes one result, including outputs that are kept in git. It has to do that
itself: `dvc repro` enters a stage in the run cache only if all its outputs are in DVC's cache, whereas `dvc commit`
enters it always; and `dvc push --run-cache` sends the entry without the outputs that git keeps.
"""

import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cgdmer import paths
from cgdmer.errors import Unavailable
from flows import dvc
from flows.dvc import Log

REMOTE = "CGDMER_DVC_REMOTE"
PROJECT = "CGDMER_PROJECT"
"""The folder of this machine's clone; if unset, the folder in which the deployments were registered."""
AWAY = re.compile(r"connect|time(d )?\s?out|reset by peer|unreachable|slow ?down|\b50[0234]\b", re.IGNORECASE)
"""Matches DVC's messages about a remote that does not answer."""
TRIES = 5
PAUSE = 2.0
"""Seconds before the second try to push a result; each later pause is twice as long."""
_default_lock = threading.Lock()
_defaults: set[tuple[str, Path]] = set()


def reproduce(stage: str, log: Log, timeout: float | None = None) -> bool:
    """Run a stage like `dvc.reproduce`, but take its result from the shared remote if it is there.

    A result made here is pushed before the stage counts as done. Raises Unavailable if the remote does not answer; the
    next try pushes what is missing.
    """
    remote = os.environ.get(REMOTE)
    if not remote:
        return dvc.reproduce(stage, log, timeout)
    _set_default(remote, log)
    unshared = _unshared(stage)
    pending = unshared.exists()
    unshared.parent.mkdir(parents=True, exist_ok=True)
    unshared.touch()  # before the stage runs: a kill between its end and its push must not lose the push
    try:
        ran = dvc.reproduce(stage, log, timeout, ["--pull"])
    except dvc.StageError as error:
        if "exited with" not in str(error) and AWAY.search(str(error)):
            raise Unavailable(
                f"the DVC remote '{remote}' does not answer: {error.problem}", fix="run it again"
            ) from error
        raise
    if ran or pending:
        _push(stage, remote, log)
    unshared.unlink(missing_ok=True)  # another flow run in this clone may have pushed the same result
    return ran


def is_shared(stage: str) -> bool:
    """Return True if no result of a stage that was made here waits to be pushed."""
    return not (os.environ.get(REMOTE) and _unshared(stage).exists())


def _unshared(stage: str) -> Path:
    """Return the file that marks a stage whose result may not be pushed yet; it survives a kill."""
    return paths.STATE / "unshared" / stage


def _set_default(remote: str, log: Log) -> None:
    """Make the remote this clone's default, which `dvc repro --pull` reads, once per process."""
    with _default_lock:
        if (remote, Path.cwd()) not in _defaults:
            _run(["dvc", "--wait-for-lock", "remote", "default", "--local", remote], log)
            _defaults.add((remote, Path.cwd()))


def _push(stage: str, remote: str, log: Log) -> None:
    """Push a result with its entry in the run cache, with a few tries if the remote does not answer."""
    for count in range(TRIES):
        try:
            _run([sys.executable, "-m", "flows.remote", remote, stage], log)
        except Unavailable:
            if count + 1 == TRIES:
                raise
            time.sleep(PAUSE * 2**count)
        else:
            log(f"{stage}: pushed to '{remote}'")
            return


def _run(command: list[str], log: Log) -> None:
    """Run a DVC command; Unavailable if the remote does not answer, StageError for every other failure."""
    code, lines = dvc.execute(command, log, None)
    if code:
        last_lines = "\n".join(lines[-6:])
        kind = Unavailable if AWAY.search(last_lines) else dvc.StageError
        raise kind(f"`{' '.join(command)}` ended with code {code}\n{last_lines}", fix=" ".join(command))


def share(remote: str, stage: str) -> None:
    """Push a stage's entry in the run cache and all its outputs, including those kept in git."""
    from dvc.repo import Repo  # type: ignore[import-untyped]

    repo = Repo(_wait_for_lock=True)
    repo.commit(stage, force=True)
    repo.push(stage, remote=remote, run_cache=True)
    with repo.lock:
        git_outputs = [out for out in repo.stage.load_one("dvc.yaml", stage).outs if not out.use_cache]
        files = {item for out in git_outputs for item in file_hashes(out)}
        folders = {out.hash_info for out in git_outputs} - files
        for objects in (files, folders):  # files first: a folder's object lists files that must be there
            if objects:
                repo.cloud.push(objects, remote=remote)


def file_hashes(out: Any) -> list[Any]:
    """Return the hashes of the files in an output folder, or the one hash of an output file."""
    return [item for _, _, item in out.get_obj()] if out.hash_info.isdir else [out.hash_info]


def here() -> dict[str, str]:
    """Return the folder in which the deployments are registered; a build step of `prefect deploy`."""
    return {"folder": str(Path.cwd())}


def enter(folder: str) -> dict[str, str]:
    """Return the folder of a flow run, `CGDMER_PROJECT` of its worker or else `folder`; a pull step of a deployment."""
    return {"directory": os.environ.get(PROJECT) or folder}


if __name__ == "__main__":
    share(*sys.argv[1:])
