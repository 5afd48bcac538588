"""Run the command line as `python -m cgdmer`."""

import gc
import sys

from cgdmer.cli import main

OBJECTS = 50_000
"""New objects between two searches for garbage cycles. With Python's 700, imports of torch spend 0.1 s on them."""


def run() -> int:
    """Run the command of this process, which ends with it, and return the exit code."""
    gc.set_threshold(OBJECTS)
    try:
        return main()
    finally:
        gc.freeze()  # or the interpreter, as it ends, searches all that torch has made: 0.4 s


if __name__ == "__main__":
    sys.exit(run())
