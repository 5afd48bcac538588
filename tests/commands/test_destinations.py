"""No command replaces a file that the user made: inputs, sidecars, tables edited since, anything of another program."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import destinations
from cgdmer.errors import ConfigError

COMMANDS = {
    "embed": ["embed", "in", "--model", "MODEL"],
    "score": ["score", "in", "--classes", "NORM", "--model", "MODEL"],
    "measure": ["measure", "in"],
    "plot": ["plot", "in/record.hea"],
    "similar": ["similar", "in/record.hea", "--in", "table/embeddings.parquet", "--model", "MODEL"],
}
SUFFIXES = {
    "embed": [".parquet", ".csv", ""],
    "score": [".parquet", ".csv", ".xlsx"],
    "measure": [".parquet", ".csv", ".xlsx"],
    "plot": [".svg", ".png"],
    "similar": [".parquet", ".csv", ".xlsx"],
}
ELSEWHERE = {
    "fit": "commands/test_fit.py::test_nothing_is_overwritten_without_being_asked",
    "report": "commands/test_report.py::test_files_of_others_are_never_replaced",
    "package": "commands/test_package.py::test_files_beside_a_packaged_encoder",
    "reproduce": "commands/test_destinations.py::test_commands_that_write_a_new_folder_replace_none",
    "convert": "commands/test_destinations.py::test_commands_that_write_a_new_folder_replace_none",
    "export": "commands/test_destinations.py::test_commands_that_write_a_new_folder_replace_none",
}
"""Where the other commands with an output are tested."""
CASES = [(command, suffix) for command, suffixes in SUFFIXES.items() for suffix in suffixes]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    example.wfdb(tmp_path / "in", "record")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """Return a table of embeddings, for `similar`."""
    folder = tmp_path_factory.mktemp("embedded")
    example.wfdb(folder / "in", "record", seed=1)
    words = ["--quiet", "embed", str(folder / "in"), "--model", str(example.model())]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CGDMER_EXECUTOR", "serial")
        assert cli.main([*words, "-o", str(folder / "embeddings.parquet")]) == 0
    return folder / "embeddings.parquet"


@pytest.fixture(autouse=True)
def table(embedded, tmp_path, here):
    (tmp_path / "table").mkdir()
    shutil.copy(embedded, tmp_path / "table")


def test_every_command_with_an_output_is_tested_here_or_elsewhere():
    parsers = cli.parser().commands.parsers
    writing = {name for name, parser in parsers.items() if "--output" in parser._option_string_actions}
    assert writing == COMMANDS.keys() | ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        file, name = place.split("::")
        assert f"def {name}" in (Path(__file__).resolve().parents[1] / file).read_text(), place


OPTIONS = ["--fs", "500", "--unit", "mV", "--leads", "I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6"]


@pytest.mark.parametrize(
    ("command", "output"),
    [("measure", "m.csv"), ("embed", "e.csv"), ("embed", "arrays"), ("score", "s.parquet"), ("report", "pages")],
)
def test_results_in_the_searched_folder_are_no_recordings(capsys, command, output):
    example.npy(Path("arrays in"), "a", sidecar=False)
    model = [] if command == "measure" else ["--model", str(example.model())]
    words = ["--quiet", command, "arrays in", "--output", f"arrays in/{output}", *OPTIONS, *model]
    words += ["--classes", "NORM"] if command == "score" else []
    for _ in range(2):
        assert cli.main(words) == 0
        assert "1 recordings" in capsys.readouterr().out


def test_lists_of_rejects_in_the_searched_folder_are_no_recordings():
    example.npy(Path("mixed"), "a", sidecar=False)
    Path("mixed/bad.edf").write_bytes(b"not EDF")
    Path("mixed/mine.rejects.csv").write_text("a,b\n1,2\n")
    for name in ("m.csv", "n.csv", "m.csv"):
        assert cli.main(["--quiet", "measure", "mixed", "--output", f"mixed/{name}", *OPTIONS]) == 6
        rejects = pl.read_csv(f"mixed/{name[0]}.rejects.csv")["path"].to_list()
        assert rejects == ["mixed/bad.edf", "mixed/mine.rejects.csv"]


def run(command, *words):
    return cli.main(
        ["--quiet", *[str(example.model()) if word == "MODEL" else word for word in COMMANDS[command]], *words]
    )


def everything(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize(("command", "suffix"), CASES)
def test_a_file_of_another_program_stays(command, suffix, tmp_path, capsys):
    target = tmp_path / f"mine{suffix}"
    if suffix:
        target.write_text("my own notes")
    else:
        target.mkdir()
        np.save(target / "pooled.npy", np.zeros(3))
        (target / "meta.json").write_text("{}")
    before = everything(tmp_path)
    assert run(command, "-o", str(target)) == 2
    assert "did not write" in capsys.readouterr().err
    assert everything(tmp_path) == before
    assert run(command, "-o", str(target), "--overwrite") == 0
    assert run(command, "-o", str(target)) == 0, "now the program wrote it"


@pytest.mark.parametrize(("command", "suffix"), [case for case in CASES if case[0] != "plot"])
def test_what_is_derived_from_an_output_stays_too(command, suffix, tmp_path, capsys):
    derived = ["out.rejects.csv", "out.csv.cgdmer.json"] if suffix == ".csv" else ["out.rejects.csv"]
    for name in derived:
        (tmp_path / name).write_text("path,reason,my own column\n")
        before = everything(tmp_path)
        assert run(command, "-o", f"out{suffix}") == 2
        assert name in capsys.readouterr().err
        assert everything(tmp_path) == before
        (tmp_path / name).unlink()


def test_the_sidecar_of_a_recording_stays(tmp_path):
    example.npy(tmp_path, "uv")
    before = everything(tmp_path)
    words = ["--quiet", "score", "uv.npy", "--classes", "NORM", "--model", str(example.model())]
    assert cli.main([*words, "-o", "uv.csv"]) == 0
    assert {path: content for path, content in everything(tmp_path).items() if path in before} == before
    assert (tmp_path / "uv.csv.cgdmer.json").is_file()
    assert cli.main([*words, "-o", "uv.csv"]) == 0, "its own table and metadata are replaced"
    assert "encoder_digest" in json.loads((tmp_path / "uv.csv.cgdmer.json").read_text())


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize("command", ["embed", "score"])
def test_an_input_is_never_replaced(command, overwrite, tmp_path, capsys):
    path = example.csv(tmp_path, "a")
    os.link(path, tmp_path / "other name.csv")
    (tmp_path / "link.csv").symlink_to(path)
    before = everything(tmp_path)
    for target in ("a.csv", "./in/../a.csv", str(path), "other name.csv", "link.csv"):
        words = [*COMMANDS[command][2:-1], str(example.model()), "-o", target, *overwrite]
        assert cli.main(["--quiet", command, "a.csv", *words]) == 2
    words = [*COMMANDS[command][2:-1], str(example.model()), *overwrite]
    assert cli.main(["--quiet", command, ".", *words, "-o", "a.csv"]) == 2, "an input folder holds it"
    assert "this command reads it" in capsys.readouterr().err or not overwrite
    assert everything(tmp_path) == before


def test_prompts_and_companions_are_inputs(tmp_path):
    (tmp_path / "p.csv").write_text('{"prompts": {"fast": "fast rate"}}')
    before = everything(tmp_path)
    assert run("score", "--prompts", "p.csv", "-o", "p.csv", "--overwrite") == 2
    assert cli.main(["plot", "in/record.hea", "-o", "in/record.hea"]) == 2
    assert destinations.is_input(tmp_path / "in/record.dat", ["in/record.hea"])
    assert everything(tmp_path) == before


def test_a_table_that_was_edited_is_the_users(tmp_path):
    assert run("embed", "-o", "out.csv") == 0
    with (tmp_path / "out.csv").open("a") as stream:
        stream.write("my note\n")
    assert run("embed", "-o", "out.csv") == 2
    pl.DataFrame({"id": ["x"]}).write_parquet(tmp_path / "own.parquet")
    assert run("embed", "-o", "own.parquet") == 2


def test_an_edited_folder_is_the_users(tmp_path):
    assert run("embed", "-o", "out") == 0
    assert run("embed", "-o", "out") == 0
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert run("embed", "-o", "out") == 0
    np.save(tmp_path / "out" / "mine.npy", np.zeros(2))
    assert run("embed", "-o", "out") == 2
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


ODD = [
    "", " ", ".", "-", "/", "..", "in/record.hea/x.csv", "n" * 300 + ".csv", "/dev/null/x.csv", "/dev/null", "fifo.csv",
    "folder.csv", "dangling.csv", "/proc/self/x.csv",
]  # fmt: skip


@pytest.mark.parametrize("target", ODD)
def test_odd_paths_are_explained(target, tmp_path, capsys):
    for suffix in (".csv", ".svg"):
        os.mkfifo(tmp_path / f"fifo{suffix}")
        (tmp_path / f"folder{suffix}").mkdir()
        (tmp_path / f"dangling{suffix}").symlink_to("nowhere")
    for command in COMMANDS:
        assert run(command, "-o", target.replace(".csv", ".svg") if command == "plot" else target) in (2, 3)
        assert capsys.readouterr().err.startswith("cgdmer: ")


@pytest.mark.parametrize("words", [["convert", "c.pt", "--encoder", "ecg_fm"], ["export", "MODEL"], ["reproduce"]])
@pytest.mark.parametrize("target", ["in", "in/record.hea", "", "pipe"])
def test_commands_that_write_a_new_folder_replace_none(words, target, tmp_path):
    (tmp_path / "c.pt").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    before = everything(tmp_path)
    given = [str(example.model()) if word == "MODEL" else word for word in words]
    assert cli.main(["--quiet", *given, "-o", target]) in (1, 2, 3)
    assert everything(tmp_path) == before


@pytest.mark.timeout(60)
def test_metadata_that_is_a_pipe_is_no_metadata(tmp_path, capsys):
    (tmp_path / "out.csv").write_text("a,b")
    os.mkfifo(tmp_path / "out.csv.cgdmer.json")
    assert run("embed", "-o", "out.csv") == 2
    assert (tmp_path / "out.csv").read_text() == "a,b"


def test_a_mark_that_is_no_utf8_is_a_name_too(tmp_path):
    name = os.fsdecode(b"caf\xe9.csv")
    assert run("embed", "-o", name) == 0
    assert run("embed", "-o", name) == 0
    assert os.path.exists(name)


def test_the_check_is_the_same_for_every_caller(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(ConfigError, match="did not write"):
        destinations.claim(tmp_path / "a.csv", [], overwrite=False)
    destinations.claim(tmp_path / "a.csv", [], overwrite=True)
    destinations.claim(tmp_path / "b.csv", [], overwrite=False)
