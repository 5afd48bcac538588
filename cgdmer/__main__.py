"""Run the command line as `python -m cgdmer`."""

import gc
import os
import sys

from cgdmer.pipeline import ADDRESS

OBJECTS = 50_000
"""New objects between two searches for garbage cycles. With Python's 700, imports of torch spend 0.1 s on them."""


def run() -> int:
    """Run the command of this process, which ends with it, and return the exit code."""
    if (address := os.environ.pop(ADDRESS, "")) and sys.argv[1:2] == ["run"]:
        from cgdmer.pipeline import forking

        if (code := forking.ask(address, sys.argv[1:])) is not None:
            return code
    from cgdmer.cli import main

    gc.set_threshold(OBJECTS)
    try:
        return main()
    finally:
        gc.freeze()  # or the interpreter, as it ends, searches all that torch has made: 0.4 s


if __name__ == "__main__":
    sys.exit(run())
