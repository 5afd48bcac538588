"""Progress in a log: whole lines, few of them, and none for quick loops."""

import logging
import re
import sys

import pytest
from support import example_recordings as example

from cgdmer import cli, progress


def test_a_log_gets_whole_lines(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with progress.progress(total=4, initial=1, unit="step", desc="training", at_once=True) as bar:
        bar.set_postfix({"loss": "0.5"}, refresh=False)
        bar.update()
    said = capsys.readouterr().err
    assert "\r" not in said
    assert said.splitlines()[0].startswith("training: 1/4 steps, 25 %")
    assert "training: 2/4 steps, 50 %" in said
    assert said.endswith("steps/s, 00:00 left, loss=0.5\n")


def test_two_at_once_do_not_move_each_others_lines(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    with progress.progress(total=2, desc="outer", at_once=True) as outer:
        with progress.progress(total=2, desc="inner", at_once=True) as inner:
            inner.update()
        outer.update()
    said = capsys.readouterr().err
    assert {line.split(":")[0] for line in said.splitlines()} == {"outer", "inner"}
    assert not {"\r", "\x1b"} & set(said)


def test_what_is_quick_says_nothing(capsys):
    assert list(progress.progress(range(3), unit="record", desc="simulating")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_other_processes_than_the_first_say_nothing(capsys):
    progress.progress(total=3, shown=False, at_once=True).update()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    list(progress.progress(range(3), desc="simulating"))
    assert "\r" in capsys.readouterr().err


def bar_of_a_command(monkeypatch, *, terminal, level):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    logging.getLogger("cgdmer").setLevel(level)
    with progress.terminal_bar(unit="window", desc="out.csv", mininterval=0) as bar:
        progress.grow(bar, 2)
        progress.grow(bar, 3)
        bar.update(5)


@pytest.mark.parametrize(("terminal", "level"), [(False, logging.INFO), (True, logging.WARNING)])
def test_a_command_shows_no_bar_in_a_log_or_with_quiet(terminal, level, capsys, monkeypatch):
    bar_of_a_command(monkeypatch, terminal=terminal, level=level)
    assert capsys.readouterr().err == ""


def test_a_command_shows_how_much_is_left_on_a_terminal(capsys, monkeypatch):
    bar_of_a_command(monkeypatch, terminal=True, level=logging.INFO)
    assert "out.csv: 100%" in capsys.readouterr().err.split("\r")[-1]


COMMANDS = {
    "embed": ["embed", "in", "--model", "MODEL"],
    "score": ["score", "in", "--classes", "NORM", "--model", "MODEL"],
    "measure": ["measure", "in"],
    "plot": ["plot", "in"],
    "report": ["report", "in", "--model", "MODEL"],
    "similar": ["similar", "in/r0.hea", "--in", "embeddings.parquet", "--model", "MODEL"],
    "monitor": ["monitor", "in", "--reference", "in", "--model", "MODEL"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_for_many_recordings_shows_how_far_it_is(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    for number in range(10 if command == "monitor" else 2):
        example.wfdb(tmp_path / "in", f"r{number}", seed=number)
    model = str(example.model())
    if command == "similar":
        assert cli.main(["--quiet", "embed", "in", "--model", model]) == 0
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    words = [model if word == "MODEL" else word for word in COMMANDS[command]]
    assert cli.main(words) == 0
    assert re.search(r"\d(%\||record |sheet |block )", capsys.readouterr().err), command
    assert cli.main(["--quiet", *words]) == 0
    assert "\r" not in capsys.readouterr().err
