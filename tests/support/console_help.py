"""Help texts of installed programs, printed by their entry points here: a process would import for seconds."""

import functools
import sys
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from io import StringIO

import pytest

PLAIN = {"COLUMNS": "300", "NO_COLOR": "1", "TERM": "dumb"}


@functools.cache
def help_text(program: str, *subcommands: str) -> str:
    """Return what `program subcommands --help` prints; StopIteration if no installed package has such a program."""
    entry = next(iter(entry_points(group="console_scripts", name=program)))
    printed = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), pytest.raises(SystemExit) as ended:
        for name, value in PLAIN.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", [program, *subcommands, "--help"])
        entry.load()()
    assert not ended.value.code, printed.getvalue()
    return printed.getvalue()
