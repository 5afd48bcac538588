"""`cgdmer plot` for folders, zips and lists: a sheet per recording, a table of their names, and nothing replaced."""

import io
import os
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import plot_folder
from cgdmer.commands.plot_folder import Names


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(["a", "sub/b", "sub_b"]):
        path = Path("in", name)
        example.wfdb(path.parent, path.name, seed=number)


def run(*words):
    return cli.main(["--quiet", "plot", *map(str, words)])


@pytest.mark.parametrize("earlier", [False, True])
def test_a_command_that_is_stopped_leaves_the_folder_as_it_was(monkeypatch, earlier):
    if earlier:
        Path("in/z.hea").write_text("")
        assert run("in/a.hea", "in/z.hea", "-o", "sheets") == 6
    before = {path.name: path.read_bytes() for path in Path("sheets").glob("*")}
    Path("in/0.edf").write_bytes(b"not EDF")
    save = plot_folder._save

    def stop(*arguments):
        save(*arguments)
        assert Path("sheets/sub_b.svg").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(plot_folder, "_save", stop)
    assert run("in") == 130
    assert {path.name: path.read_bytes() for path in Path("sheets").glob("*")} == before
    assert Path("sheets").exists() == earlier


def test_each_recording_has_a_sheet_and_a_row(capsys):
    Path("in/z.hea").write_text("")
    assert run("in") == 6
    assert "3 sheets in sheets, 1 rejected: sheets/sheets.rejects.csv" in capsys.readouterr().out
    table = pl.read_csv("sheets/sheets.csv")
    assert table["id"].to_list() == ["in/a.hea", "in/sub/b.hea", "in/sub_b.hea"]
    assert table["file"].to_list() == ["a.svg", "sub_b.svg", "sub_b-2.svg"]
    assert table["quality"].to_list() == ["ok"] * 3
    assert "the header is empty" in pl.read_csv("sheets/sheets.rejects.csv")["reason"][0]
    assert run("in/sub_b.hea", "-o", "alone.svg") == 0
    assert Path("alone.svg").read_bytes() == Path("sheets/sub_b-2.svg").read_bytes()


def test_zips_and_lists_are_drawn_as_png(monkeypatch):
    pytest.importorskip("resvg_py")
    with zipfile.ZipFile("in.zip", "w") as archive:
        for path in sorted(Path("in").glob("*.*")):
            archive.write(path, path.name)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"in.zip\nin/sub/b.hea\n")))
    assert run("-", "--format", "png", "-o", "out") == 0
    names = sorted(path.name for path in Path("out").glob("*.png"))
    assert names == ["a.png", "b.png", "sub_b.png"]
    assert all(Path("out", name).read_bytes().startswith(b"\x89PNG") for name in names)


def test_a_second_run_replaces_only_what_the_first_wrote(capsys):
    assert run("in", "-o", "out") == run("in", "-o", "out") == 0
    Path("out/a.svg").write_text(Path("out/a.svg").read_text() + "<!-- mine -->")
    assert run("in", "-o", "out") == 2
    assert "holds other files, for example a.svg" in capsys.readouterr().err
    assert "mine" in Path("out/a.svg").read_text()
    assert run("in", "-o", "out", "--overwrite") == 0
    assert "mine" not in Path("out/a.svg").read_text()


@pytest.mark.parametrize("words", [["-o", "in"], ["-o", "in/sub"], ["-o", "x.svg"], ["-o", "in/a.hea"], ["-o", ""],
                                   ["--seconds", 0], ["--seconds", "nan"], ["--start", -1]])  # fmt: skip
def test_impossible_requests_change_nothing(words, capsys):
    before = sorted(map(str, Path().rglob("*")))
    assert run("in", *words) == 2
    assert "allowed" in capsys.readouterr().err
    assert sorted(map(str, Path().rglob("*"))) == before


def test_no_input_is_replaced_even_with_overwrite(capsys):
    os.rename("in/sub_b.hea", "in/a.svg.hea")
    before = Path("in/a.hea").read_bytes()
    assert run("in", "-o", "in", "--overwrite") == 0
    assert Path("in/a.hea").read_bytes() == before


def test_recordings_that_end_before_start_are_rejected():
    example.npy(Path("in"), "long")
    assert run("in", "--start", 100) == 3
    assert "it ends at 5 s" in pl.read_csv("sheets/sheets.rejects.csv")["reason"][0]


def test_names_are_unique_short_and_plain():
    names = Names()
    made = [names.file(name, ".svg") for name in ["..a.hea", "a/<b>&.hea", "a/(b)&.hea", "A_B_.hea", "é" * 300]]
    assert made[:4] == ["_a.svg", "a_b_.svg", "a_b_-2.svg", "A_B_-3.svg"]
    assert len(os.fsencode(made[4])) <= 204
    assert [names.file("c.hea", ".svg") for _ in range(3)] == ["c.svg", "c-2.svg", "c-3.svg"]
