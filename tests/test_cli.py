"""The command line: --help is instant, options have long names, and the exit code is right."""

import subprocess
import sys

import pytest

from cgdmer import cli
from cgdmer.commands import help_page

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


@pytest.mark.parametrize("command", sorted(cli.parser().commands.parsers))
def test_what_a_person_types_has_a_long_option(command):
    options = cli.parser().commands.parsers[command]
    named = [action.option_strings for action in options._actions if action.option_strings]
    assert all(strings[-1].startswith("--") for strings in named)
    for short, long in [("-o", "--output"), ("-m", "--model"), ("-p", "--probe"), ("-k", "--count"), ("-q", "--quiet")]:
        assert all(short in strings for strings in named if long in strings), f"{long} has no {short}"


def test_the_help_page_lists_every_command_in_a_group():
    commands = cli.parser().commands.help
    groups = help_page.grouped(commands)
    assert help_page.OTHER not in groups, "each command belongs into a group of help_page.GROUPS"
    listed = [name for names in groups.values() for name in names]
    assert sorted(listed) == sorted(commands)
    page = cli.parser().format_help()
    places = [page.index(f"\n{title}:") for title in groups]
    assert places == sorted(places)
    assert all(f"\n  {name}" in page for name in commands)


def test_a_command_of_no_group_is_listed_all_the_same():
    assert help_page.grouped({"embed": "", "new": ""})[help_page.OTHER] == ["new"]


@pytest.mark.parametrize("words", [["-q", "table"], ["table", "--quiet"], ["--quiet", "table", "-q"]])
def test_quiet_stands_anywhere(words):
    assert cli.parser().parse_args(words).quiet is True
    assert cli.parser().parse_args(["table"]).quiet is False


def test_cross_validation_is_another_name_of_folds():
    assert cli.COMMANDS["cross-validation"] is cli.COMMANDS["folds"]
    assert cli.parser().parse_args(["folds"]).command == "folds"


@pytest.mark.parametrize(
    ("module", "extra"), [("mlflow", "pipeline"), ("requests.adapters", "pipeline"), ("edfio", "formats")]
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(module, extra, monkeypatch, capsys):
    def fail(_):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setitem(cli.COMMANDS, "publish", fail)
    assert cli.main(["publish"]) == 2
    message = f"cgdmer: {module.split('.')[0]} is not installed\n  to fix: pip install 'cgdmer[{extra}]'\n"
    assert capsys.readouterr().err == message


def test_a_module_of_no_extra_is_an_error_of_the_program(monkeypatch):
    def fail(_):
        raise ModuleNotFoundError("No module named 'cgdmer.gone'", name="cgdmer.gone")

    monkeypatch.setitem(cli.COMMANDS, "publish", fail)
    with pytest.raises(ModuleNotFoundError):
        cli.main(["publish"])


def test_run_in_a_folder_that_is_no_project_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "index", "ptb_xl"]) == 2
    assert "run from the project's root" in capsys.readouterr().err


def test_a_table_without_results_says_how_to_make_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["table"]) == 3
    assert "metrics.json is missing\n  to fix: dvc repro report" in capsys.readouterr().err
