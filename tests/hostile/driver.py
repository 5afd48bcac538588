"""Run hostile command lines through the real CLI in one process; print one JSON line for each.

`python driver.py CASES` reads a JSON list of `{"name", "words", "folder", "stdin", "environment", "full"}`. It runs
each in its own folder, with its environment variables, and on a disk without space if it is `full`. A case that takes
longer than SECONDS is a hang, a traceback is a fault, and the process may never need more than MEMORY beyond what it
has first. The line goes to the standard output before the next case begins, so the last one names the case that ended
the process.
"""

import contextlib
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

SECONDS = 60
MEMORY = 6 << 30


class Hang(BaseException):
    """A case takes too long."""


def stop(_signal: int, _frame: FrameType | None) -> None:
    raise Hang


def run(case: dict[str, Any]) -> dict[str, Any]:
    """Run one command line; return its exit code, what it wrote, its time, and whether it left a traceback."""
    from cgdmer import cli

    os.chdir(case["folder"])
    variables = dict(os.environ)
    os.environ.update(case.get("environment", {}))
    out, err, start = io.StringIO(), io.StringIO(), time.monotonic()
    stdin = io.TextIOWrapper(io.BytesIO(bytes.fromhex(case.get("stdin", ""))))
    previous, sys.stdin = sys.stdin, stdin
    signal.alarm(SECONDS)
    fault, largest = "", resource.getrlimit(resource.RLIMIT_FSIZE)
    if case.get("full"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, largest[1]))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code: int | None = cli.main([os.fsdecode(bytes.fromhex(word)) for word in case["words"]])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        code, fault = None, traceback.format_exc()[-3000:]
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
        sys.stdin = previous
        os.environ.clear()
        os.environ.update(variables)
    seconds = time.monotonic() - start
    return {
        "name": case["name"], "code": code, "fault": fault, "seconds": seconds, "err": err.getvalue()[-4000:],
        "out": out.getvalue()[-8000:],
        "said": len(err.getvalue()), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
    }  # fmt: skip


def main(path: str) -> None:
    """Warm up, bound the memory, then run the cases."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, stop)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    for case in json.loads(Path(path).read_text()):
        sys.stdout.write(json.dumps(run(case)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
