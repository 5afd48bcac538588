"""Results that the user edited, inputs named in lists, and tables that a search reads are never replaced."""

import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import marks


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    example.wfdb(Path("in"), "r0", seed=0)
    example.wfdb(Path("in"), "r1", seed=1)


def run(*words):
    return cli.main(["--quiet", *map(str, words)])


def embed(*words):
    return run("embed", *words, "--model", example.model())


@pytest.mark.parametrize("target", ["sheet.svg", "sheets/r0.svg"])
def test_a_drawing_with_a_note_is_the_users(target, capsys):
    words = ("in/r0.hea", "-o", target) if target == "sheet.svg" else ("in", "-o", "sheets")
    assert run("plot", *words) == run("plot", *words) == 0
    edited = Path(target).read_text().replace("</svg>", "<text>my note</text></svg>")
    Path(target).write_text(edited)
    assert run("plot", *words) == 2
    assert Path(target).name in capsys.readouterr().err
    assert Path(target).read_text() == edited
    assert run("plot", *words, "--overwrite") == 0
    assert "my note" not in Path(target).read_text()


def test_a_picture_whose_pixels_changed_is_the_users():
    pytest.importorskip("resvg_py")
    words = ("in/r0.hea", "-o", "sheet.png")
    assert run("plot", *words) == run("plot", *words) == 0
    content = bytearray(Path("sheet.png").read_bytes())
    content[len(content) // 2] ^= 1
    Path("sheet.png").write_bytes(content)
    assert run("plot", *words) == 2
    assert Path("sheet.png").read_bytes() == content


@pytest.mark.parametrize("change", [
    lambda table: table.append_column("note", pa.array(["mine"] * len(table))),
    lambda table: table.slice(1),
    lambda table: table.rename_columns(["mine", *table.column_names[1:]]),
])  # fmt: skip
def test_a_parquet_table_that_was_edited_is_the_users(change, capsys):
    assert embed("in", "-o", "out.parquet") == embed("in", "-o", "out.parquet") == 0
    table = parquet.read_table("out.parquet")
    parquet.write_table(change(table).replace_schema_metadata(table.schema.metadata), "out.parquet")
    before = Path("out.parquet").read_bytes()
    assert embed("in", "-o", "out.parquet") == 2
    assert "changed since" in capsys.readouterr().err
    assert Path("out.parquet").read_bytes() == before


def test_a_mark_is_of_one_content_alone(tmp_path):
    for suffix in (".svg", ".png"):
        content = b"<svg></svg>" if suffix == ".svg" else b"\x89PNG" + marks.PNG_END
        path = tmp_path / f"x{suffix}"
        path.write_bytes(marks.marked(content, suffix))
        assert marks.is_marked(path)
        path.write_bytes(marks.marked(content, suffix).replace(b"svg", b"gvs").replace(b"\x89PNG", b"\x89GNP"))
        assert not marks.is_marked(path)
        path.write_bytes(b"")
        assert not marks.is_marked(path)


COMMANDS = {
    "embed": ("embed", "-", "--model", "MODEL"),
    "score": ("score", "-", "--classes", "NORM", "--model", "MODEL"),
    "measure": ("measure", "-"),
}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_recording_of_a_list_is_not_replaced_by_the_table(command, monkeypatch, capsys):
    path = example.csv(Path(), "a")
    before = path.read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in/r0.hea\na.csv\n")))
    words = [example.model() if word == "MODEL" else word for word in COMMANDS[command]]
    assert run(*words, "-o", "a.csv", "--overwrite") == 2
    assert "this command reads it" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_recording_of_a_list_is_not_replaced_by_a_table_of_sheets(monkeypatch, capsys):
    example.csv(Path("sheets"), "sheets")
    before = Path("sheets/sheets.csv").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"sheets/sheets.csv\n")))
    assert run("plot", "-", "-o", "sheets", "--overwrite") == 2
    assert "this command reads it" in capsys.readouterr().err
    assert Path("sheets/sheets.csv").read_bytes() == before


@pytest.mark.parametrize("words", [("out/pooled.npy",), ("out",), ("-",)])
def test_an_array_of_the_user_is_not_replaced_by_a_folder_of_arrays(words, monkeypatch, capsys):
    example.npy(Path("out"), "pooled")
    before = Path("out/pooled.npy").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"out/pooled.npy\n")))
    assert embed(*words, "-o", "out", "--overwrite") == 2
    assert "this command reads it" in capsys.readouterr().err
    assert Path("out/pooled.npy").read_bytes() == before


def test_a_folder_of_arrays_among_the_recordings_is_replaced_by_its_next_version():
    assert embed("in", "-o", "in", "--overwrite") == 0
    assert embed("in", "-o", "in") == embed("in", "-o", "in", "--overwrite") == 0
    assert len(np.load("in/pooled.npy")) == 2


def test_a_list_that_names_the_last_result_is_no_obstacle(monkeypatch):
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in/r0.hea\nout.csv\n")))
        assert run("measure", "-", "-o", "out.csv") == 6, "a table of measurements is no recording"


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_the_folder_that_a_search_reads_stays_whole(overwrite, capsys):
    assert embed("in", "-o", "out") == 0
    before = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert run("similar", "in/r0.hea", "--in", "out", "-o", "out/ids.parquet", *overwrite) == 2
    assert "this command reads it" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == before
    assert run("similar", "in/r0.hea", "--in", "out", "-o", "out/found.parquet", *overwrite) == 0
