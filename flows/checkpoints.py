"""Removes checkpoints of trainings that were abandoned: their params were changed before they had finished.

A training that finishes removes its own checkpoints. `python -m flows.checkpoints [DAYS [GIGABYTES]]` cleans up by
hand; each flow run does so at its start.
"""

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cgdmer import paths
from cgdmer.errors import ConfigError
from cgdmer.stages import STAGES
from flows import shell

DAYS, GIGABYTES = 30.0, 20.0
"""How long unfinished trainings keep their checkpoints, and how much space those of one stage may take."""
WORK = paths.STATE / "work"


@dataclass(frozen=True)
class Unfinished:
    """The folder of a training that has not finished."""

    folder: Path
    used: float
    """Time of the last checkpoint, in seconds since the epoch."""
    size: int
    """Bytes."""


def clean(days: float = DAYS, gigabytes: float = GIGABYTES) -> list[str]:
    """Remove abandoned checkpoints by age, then the oldest while they take too much space; return a line for each.

    The newest of each stage always stays, because it may be the one to resume, and so does everything of a stage that
    is running.
    """
    lines = []
    for stage in STAGES:  # commands such as folds have checkpoints too, but hold no lock while they run
        with not_running(stage) as idle:
            lines += [_remove(one) for one in (abandoned(unfinished(WORK / stage), days, gigabytes) if idle else ())]
    return lines


def unfinished(stage: Path) -> list[Unfinished]:
    """Return the trainings below the work folder of a stage, newest first."""
    folders = {checkpoint.parent for checkpoint in stage.rglob("step-*.safetensors")}
    found = []
    for folder in folders:
        files = [path.stat() for path in folder.rglob("*") if path.is_file()]
        found.append(Unfinished(folder, max(one.st_mtime for one in files), sum(one.st_size for one in files)))
    return sorted(found, key=lambda one: (-one.used, str(one.folder)))


def abandoned(trainings: Sequence[Unfinished], days: float, gigabytes: float) -> list[Unfinished]:
    """Return the trainings to remove of a list that is ordered from the newest; never the first."""
    removed, kept = [], 0.0
    for number, one in enumerate(trainings):
        old = time.time() - one.used > days * 86400
        if number and (old or kept + one.size > gigabytes * 1e9):
            removed.append(one)
        else:
            kept += one.size
    return removed


@contextmanager
def not_running(stage: str) -> Iterator[bool]:
    """Yield True while holding the locks of all calls of a stage, False if one of them is held by a running stage."""
    streams = [path.open("r+") for path in (paths.STATE / "locks").glob(f"{stage}*")]
    try:
        for stream in streams:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        for stream in streams:
            stream.close()


def _remove(one: Unfinished) -> str:
    shutil.rmtree(one.folder)
    age = (time.time() - one.used) / 86400
    return f"removed {one.folder}: checkpoints of an unfinished training, {age:.0f} days old, {one.size / 1e9:.2f} GB"


def main(words: Sequence[str]) -> int:
    """Clean up with the limits of the command line, and return the exit code."""
    parser = shell.parser("flows.checkpoints", __doc__)
    parser.add_argument(
        "limits", nargs="*", metavar="LIMIT",
        help=f"how many days checkpoints are kept, then how many gigabytes of a stage; default: {DAYS:g} {GIGABYTES:g}",
    )  # fmt: skip
    return shell.exit_code(lambda: _clean(parser.parse_args(words).limits))


def _clean(words: Sequence[str]) -> None:
    try:
        limits = [float(word) for word in words]
    except ValueError:
        limits = [-1.0]
    if len(limits) > 2 or any(not 0 <= limit < float("inf") for limit in limits):
        raise ConfigError(
            f"limits {' '.join(words)}", allowed="days and gigabytes, from 0", fix="python -m flows.checkpoints 7 5"
        )
    sys.stdout.write("\n".join(clean(*limits) or ["nothing to remove"]) + "\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
