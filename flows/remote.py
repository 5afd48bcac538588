"""Owns sharing results between machines: a stage first looks on a shared DVC remote, and leaves its result there.

Machines share nothing but that remote: what a stage reads and is called, byte for byte, is the name under which DVC's
run cache keeps what it wrote. `CGDMER_DVC_REMOTE` names the remote; unset, nothing is shared.
"""

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cgdmer import paths
from cgdmer.errors import Unavailable
from flows import dvc

REMOTE = "CGDMER_DVC_REMOTE"
PROJECT = "CGDMER_PROJECT"
"""Where this machine's clone lies; unset, where the deployments were registered."""
AWAY = re.compile(r"connect|time(d )?\s?out|reset by peer|unreachable|slow ?down|\b50[0234]\b", re.IGNORECASE)
"""What DVC says, in many words, of a remote that does not answer now."""
TRIES = 5
PAUSE = 2.0
"""Seconds before the second try to share a result; each next one waits twice as long."""
Say = Callable[[str], None]
_choosing = threading.Lock()
_chosen: set[tuple[str, Path]] = set()


def reproduce(stage: str, say: Say, timeout: float | None = None) -> bool:
    """Run a stage as `dvc.reproduce` does, but take its result from the shared remote where that has it.

    A result made here is pushed before the stage counts as done; Unavailable where the remote does not answer, and
    the next try pushes what is left.
    """
    name = os.environ.get(REMOTE)
    if not name:
        return dvc.reproduce(stage, say, timeout)
    _choose(name, say)
    left = _left(stage)
    try:
        ran = dvc.reproduce(stage, say, timeout, ["--pull"])
    except dvc.StageError as error:
        if "exited with" not in str(error) and AWAY.search(str(error)):
            raise Unavailable(f"the DVC remote '{name}' does not answer: {error.problem}", fix="run it again") from error
        raise
    if ran or left.exists():
        left.parent.mkdir(parents=True, exist_ok=True)
        left.touch()
        _share(stage, name, say)
        left.unlink()
    return ran


def _left(stage: str) -> Path:
    """Return the note that a result of this machine is not shared yet; it outlives a kill."""
    return paths.STATE / "unshared" / stage


def _choose(name: str, say: Say) -> None:
    """Make the remote this clone's default, which `dvc repro --pull` reads, once."""
    with _choosing:
        if (name, Path.cwd()) not in _chosen:
            _run(["dvc", "--wait-for-lock", "remote", "default", "--local", name], say)
            _chosen.add((name, Path.cwd()))


def _share(stage: str, name: str, say: Say) -> None:
    """Push a result with its entry in the run cache, a few times where the remote is away."""
    for count in range(TRIES):
        try:
            _run([sys.executable, "-m", "flows.sharing", name, stage], say)
        except Unavailable:
            if count + 1 == TRIES:
                raise
            time.sleep(PAUSE * 2**count)
        else:
            say(f"{stage}: shared on '{name}'")
            return


def _run(command: list[str], say: Say) -> None:
    """Run a DVC command; Unavailable for a remote that is away, StageError for all else."""
    code, lines = dvc.execute(command, say, None)
    if code:
        said = "\n".join(lines[-6:])
        kind = Unavailable if AWAY.search(said) else dvc.StageError
        raise kind(f"`{' '.join(command)}` ended with code {code}\n{said}", fix=" ".join(command))


def here() -> dict[str, str]:
    """Tell, as a build step of `prefect deploy`, where the deployments are registered."""
    return {"folder": str(Path.cwd())}


def enter(folder: str) -> dict[str, str]:
    """Tell a flow run, as a pull step, where its clone is: `CGDMER_PROJECT` of its worker, else `folder`."""
    return {"directory": os.environ.get(PROJECT) or folder}
