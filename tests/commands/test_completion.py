"""Completion of the command line, by running each shell that is installed."""

import shutil
import subprocess

import pytest

from cgdmer import cli

TRY = """
try() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _cgdmer; printf '%s\\n' "${COMPREPLY[@]}"; }
try"""


@pytest.fixture
def script(capsys):
    def printed(shell):
        assert cli.main(["completion", shell]) == 0
        return capsys.readouterr().out

    return printed


def lines(*command, cwd=None, text=""):
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=cwd)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["cgdmer", "em"], ["embed"]),
        (["cgdmer", "--quiet", "mea"], ["measure"]),
        (["cgdmer", "score", "in", "--pro"], ["--prompts", "--probe"]),
        (["cgdmer", "plot", "--format", ""], ["svg", "png"]),
        (["cgdmer", "completion", ""], ["bash", "zsh", "fish"]),
        (["cgdmer", "embed", "a "], ["a file.edf", "a folder"]),
    ],
)
def test_bash_completes_commands_options_choices_and_files(words, expected, script, tmp_path):
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a file.edf").touch()
    quoted = " ".join(f"'{word}'" for word in words)
    made = lines("bash", "--norc", cwd=tmp_path, text=f"{script('bash')}{TRY} {quoted}\n")
    assert sorted(made) == sorted(expected)


def test_every_command_and_option_is_known_to_bash(script):
    text = script("bash")
    for name, parser in cli.parser().commands.parsers.items():
        line = next(line for line in text.splitlines() if line.strip().startswith(f"{name}) "))
        for action in parser._actions:
            assert all(f"{option} " in line or f'{option}"' in line for option in action.option_strings)


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh_reads_its_script(script):
    assert lines("zsh", "-f", text=f"autoload -U compinit; compinit -D\n{script('zsh')}whence -w _cgdmer\n") == [
        "_cgdmer: function"
    ]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes(script, tmp_path):
    (tmp_path / "cgdmer.fish").write_text(script("fish"))
    made = lines("fish", "--no-config", "-c", "source cgdmer.fish; complete -C 'cgdmer mea'", cwd=tmp_path)
    assert [line.partition("\t")[0] for line in made] == ["measure"]


def test_an_unknown_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["completion", "tcsh"])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err
