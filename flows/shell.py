"""What the programs of this package share: their parser, and one message and an exit code for an error."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable

import httpx

from cgdmer.errors import CgdmerError, Unavailable


def parser(module: str, text: str) -> ArgumentParser:
    """Return a parser for `python -m MODULE`, described by the first line of `text`."""
    return ArgumentParser(prog=f"python -m {module}", description=text.split("\n")[0])


def exit_code(work: Callable[[], object]) -> int:
    """Do the work of a program, and return its exit code; an error is one message on stderr."""
    try:
        work()
    except CgdmerError as error:
        return failed(error)
    except httpx.TransportError as error:
        problem = f"the Prefect server does not answer: {error}"
        return failed(Unavailable(problem, fix="make serve, or set PREFECT_API_URL"))
    return 0


def failed(error: CgdmerError) -> int:
    """Write an error to stderr, and return its exit code."""
    sys.stderr.write(f"{error}\n")
    return error.code
