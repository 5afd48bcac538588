"""Programs of the package: their help, and one message and an exit code instead of a traceback."""

import importlib

import httpx
import pytest

from cgdmer.errors import DataError, Unavailable
from flows import shell


def test_work_that_succeeds_has_the_exit_code_0():
    done = []
    assert shell.exit_code(lambda: done.append(1)) == 0
    assert done == [1]


def test_an_error_is_one_message_with_its_own_exit_code(capsys):
    def fail():
        raise DataError("a file is damaged", fix="dvc repro")

    assert shell.exit_code(fail) == DataError.code
    assert capsys.readouterr().err == "a file is damaged\n  to fix: dvc repro\n"


def test_a_server_that_is_away_is_named_with_the_command_that_starts_it(capsys):
    def fail():
        raise httpx.ConnectError("connection refused")

    assert shell.exit_code(fail) == Unavailable.code
    said = capsys.readouterr().err
    assert "the Prefect server does not answer: connection refused\n  to fix: make serve" in said


def test_a_defect_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        shell.exit_code(lambda: 1 / 0)


@pytest.mark.parametrize("module", ["ablations", "backup", "checkpoints", "experiments", "serving"])
def test_every_program_has_help_and_does_nothing_else(module, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"flows.{module}").main(["--help"])
    assert ended.value.code == 0
    assert f"usage: python -m flows.{module}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["nope"], ["start", "stop"]])
def test_an_unknown_command_is_refused_with_the_usage(words, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("flows.serving").main(words)
    assert ended.value.code == 2
    assert "usage: python -m flows.serving" in capsys.readouterr().err
