"""The command line: instant, and an exit code that tells the truth."""

import subprocess
import sys

import pytest

from cgdmer import cli

HEAVY = {"torch", "mlflow", "prefect", "great_expectations", "transformers", "polars", "pydantic", "sklearn", "wfdb"}


def test_help_imports_nothing_heavy():
    code = f"import sys, cgdmer.cli; cgdmer.cli.parser().format_help(); print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "indx"], 2, "did you mean 'index'"),
        (["run", "index"], 2, "takes 1 item"),
        (["run", "index", "ptbxl"], 2, "did you mean 'ptb_xl'"),
        (["profile", "nothing"], 2, "allowed: "),
    ],
)
def test_wrong_words_are_explained_and_the_exit_code_says_so(arguments, code, message, capsys):
    assert cli.main(arguments) == code
    assert message in capsys.readouterr().err


def test_every_command_is_in_the_table():
    actions = cli.parser()._subparsers._group_actions[0].choices
    assert set(actions) == set(cli.COMMANDS)


def test_run_in_a_folder_that_is_no_project_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "index", "ptb_xl"]) == 2
    assert "run from the project's root" in capsys.readouterr().err
