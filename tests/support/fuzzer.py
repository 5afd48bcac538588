"""Feed damaged bytes to every reader in a process with bounded memory; the tests run it as a program.

`PYTHONPATH=tests python -m support.fuzzer CASES SEED` distributes the cases over the targets and prints JSON: for each
target the number of cases run and refused. It exits with 1 and the target, seed and traceback of the first case that
raises anything but a CgdmerError, takes longer than SECONDS, needs more than MEMORY, or opens a file outside its own
folder.
"""

import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path
from types import FrameType

from cgdmer.errors import CgdmerError
from cgdmer.settings import encoder_names
from support.fuzz_targets import TARGETS

SECONDS = 20
MEMORY = 1 << 29
"""Bytes that a case may need beyond the memory of the warmed-up process."""
OPENED: list[str] = []
ALLOWED = [
    "/proc/",
    "/sys/",
    "/dev/",
    sys.prefix,
    sys.base_prefix,
    os.path.realpath(sys.prefix),
    str(encoder_names.FOLDER),
]
"""Folders whose files may be opened: the system's, Python's, and that of the encoders, whose names are looked up."""


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Record every file opened outside the folder of the cases, except those that imports and checks of names open."""
    if event == "open" and isinstance(arguments[0], str):
        path = os.path.realpath(arguments[0])
        if not path.startswith(tuple(ALLOWED)):
            OPENED.append(path)


class Hang(BaseException):
    """A case took too long."""


def hang(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def run(name: str, seed: int, folder: Path) -> bool:
    """Run one case and return True if it was refused; any other error ends the program."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    refused = False
    try:
        TARGETS[name][0](random.Random(seed), folder)
    except CgdmerError:
        refused = True
    except BaseException:
        sys.exit(f"target {name}, seed {seed}:\n{traceback.format_exc()}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if OPENED:
        sys.exit(f"target {name}, seed {seed} opened {OPENED}")
    return refused


def main(cases: int, seed: int) -> None:
    """Warm up every target, bound the memory, then run the cases."""
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, hang)
    order = [name for name, (_, share) in TARGETS.items() for _ in range(share)]
    random.Random(0).shuffle(order)
    ran: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        ALLOWED.append(str(folder))
        tempfile.tempdir = str(folder)
        for target in TARGETS:
            for number in range(5):
                run(target, number, folder)
        sys.addaudithook(watch)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        OPENED.clear()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        for number in range(cases):
            target = order[number % len(order)]
            ran[target] += 1
            refused[target] += run(target, seed + number, folder)
    sys.stdout.write(json.dumps({"cases": cases, "ran": ran, "refused": refused}) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        with tempfile.TemporaryDirectory() as scratch:
            sys.stdout.write(f"refused: {run(sys.argv[3], int(sys.argv[2]), Path(scratch))}\n")
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
