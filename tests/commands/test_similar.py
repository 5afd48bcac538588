"""`cgdmer similar`: by id and by recording, in every kind of table, and only with vectors of the same encoder."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import embedding_tables
from cgdmer.encoders import cgdmer_base

TABLES = ("e.parquet", "e.csv", "e", "e.npz")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A folder with six recordings and their embeddings in every form."""
    folder = tmp_path_factory.mktemp("embedded")
    for number in range(6):
        example.wfdb(folder / "in", f"r{number}", seed=number)
    before = os.getcwd()
    os.chdir(folder)
    os.environ["CGDMER_EXECUTOR"] = "serial"
    try:
        for name in TABLES[:3]:
            assert cli.main(["--quiet", "embed", "in", "--model", str(example.model()), "-o", name]) == 0
    finally:
        os.chdir(before)
        del os.environ["CGDMER_EXECUTOR"]
    frame = pl.read_parquet(folder / "e.parquet")
    meta = pq.read_schema(folder / "e.parquet").metadata[b"cgdmer"].decode()
    features = {name: frame[name].to_numpy() for name in ("shared", "specific", "pooled")}
    np.savez(folder / "e.npz", id=frame["id"].to_numpy().astype(str), cgdmer=np.array(meta), **features)
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)


def run(query, table, *words, model=None):
    named = ["--model", str(model)] if model else []
    return cli.main(["--quiet", "similar", str(query), "--in", str(table), *map(str, words), *named])


def expected(folder, row, feature="shared"):
    """Return ids and cosines of the other rows by a full sort."""
    frame = pl.read_parquet(folder / "e.parquet")
    vectors = frame[feature].to_numpy().astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit[row]
    order = [other for other in np.argsort(-cosines, kind="stable") if other != row]
    return [frame["id"][int(other)] for other in order], cosines[order]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("feature", ["shared", "pooled"])
def test_an_id_gives_the_same_in_every_kind_of_table(embedded, table, feature, capsys):
    assert run("in/r2.hea", embedded / table, "-k", 3, "--feature", feature, "-o", "s.csv") == 0
    ids, cosines = expected(embedded, 2, feature)
    found = pl.read_csv("s.csv")
    assert found["id"].to_list() == ids[:3]
    np.testing.assert_allclose(found["similarity"].to_numpy(), cosines[:3], atol=1e-5)
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in printed[:3]] == ids[:3]
    assert printed[3].startswith("3 of 6 recordings")


@pytest.mark.parametrize("table", TABLES)
def test_a_recording_is_encoded_as_the_table_was(embedded, table):
    copy = example.wfdb(embedded / "elsewhere", "r4", seed=4)
    assert run(copy, embedded / table, "-o", "s.parquet", model=example.model()) == 0
    found = pl.read_parquet("s.parquet")
    assert found.height == 6
    assert found["id"][0] == "in/r4.hea"
    assert found["similarity"][0] == pytest.approx(1, abs=1e-5)
    meta = json.loads(pq.read_schema("s.parquet").metadata[b"cgdmer"])
    assert meta["searched"] == 6
    assert meta["encoder_digest"]


def test_a_record_may_be_named_without_suffix_as_in_the_other_commands(embedded):
    assert run(embedded / "in" / "r3", embedded / "e.parquet", "-o", "s.csv", model=example.model()) == 0
    found = pl.read_csv("s.csv")
    assert found["id"][0] == "in/r3.hea"
    assert found["similarity"][0] == pytest.approx(1, abs=1e-5)


def test_start_chooses_the_part_of_the_file_that_is_compared(embedded, tmp_path, capsys):
    """The second part of the file is recording 4, the first is another one."""
    example.npy(tmp_path, "long")
    np.save("long.npy", np.concatenate([example.millivolt(1), example.millivolt(4)], axis=1))
    for start, name in ((0, "in/r1.hea"), (5, "in/r4.hea")):
        assert (
            run("long.npy", embedded / "e.parquet", "--start", start, "-o", f"{start}.csv", model=example.model()) == 0
        )
        found = pl.read_csv(f"{start}.csv")
        assert found["id"][0] == name
        assert found["similarity"][0] == pytest.approx(1, abs=1e-4)
    capsys.readouterr()
    assert run("long.npy", embedded / "e.parquet", "--start", 99, model=example.model()) == 3
    assert "it ends at 10 s" in capsys.readouterr().err


def test_lists_of_any_length_are_read_as_polars_and_pandas_write_them(embedded):
    frame = pl.read_parquet(embedded / "e.parquet").select("id", pl.col("shared").cast(pl.List(pl.Float32)))
    frame.write_parquet("polars.parquet")
    assert pa.types.is_large_list(pq.read_schema("polars.parquet").field("shared").type)
    pq.write_table(pa.table({"id": frame["id"].to_list(), "shared": frame["shared"].to_list()}), "plain.parquet")
    for name in ("polars", "plain"):
        assert run("in/r2.hea", f"{name}.parquet", "-k", 3, "-o", f"{name}.csv") == 0
        assert pl.read_csv(f"{name}.csv")["id"].to_list() == expected(embedded, 2)[0][:3]


def test_vectors_of_different_lengths_are_an_error(capsys):
    pl.DataFrame({"id": ["a", "b"], "shared": [[1.0], [1.0, 2.0, 3.0]]}).write_parquet("t.parquet")
    assert run("a", "t.parquet") == 3
    assert "differ in length" in capsys.readouterr().err


def test_small_blocks_change_nothing(embedded, monkeypatch):
    monkeypatch.setattr(embedding_tables, "BLOCK", 2)
    for table in TABLES:
        assert run("in/r5.hea", embedded / table, "-k", 4, "-o", f"{table}.out.csv", "--overwrite") == 0
        assert pl.read_csv(f"{table}.out.csv")["id"].to_list() == expected(embedded, 5)[0][:4]


def test_another_encoder_is_an_error(embedded, capsys):
    if not cgdmer_base.FOLDER.joinpath("config.json").is_file():
        pytest.skip("this checkout was built without the shipped encoder")
    recording = example.wfdb(embedded / "elsewhere", "r1", seed=1)
    assert run(recording, embedded / "e.parquet") == 3
    assert "was written by the encoder" in capsys.readouterr().err
    assert run(recording, embedded / "e.parquet", model="cgdmer-base") == 3


def test_a_table_without_metadata_takes_ids_only(embedded, tmp_path, capsys):
    frame = pl.read_parquet(embedded / "e.parquet")
    np.savez(tmp_path / "bare.npz", id=np.array(frame["id"].to_list()), shared=frame["shared"].to_numpy())
    assert run("in/r0.hea", "bare.npz") == 0
    assert run(embedded / "in" / "r0.hea", "bare.npz") == 3
    assert "does not say which encoder" in capsys.readouterr().err


def table_of(path, ids, vectors):
    flat = pa.FixedSizeListArray.from_arrays(pa.array(np.float32(vectors).ravel()), len(vectors[0]))
    pq.write_table(pa.table({"id": ids, "shared": flat}), path)


@pytest.mark.parametrize(
    ("ids", "vectors", "reason"),
    [
        (["a", "b"], [[1, 2], [np.nan, 1]], "row 2 has no direction"),
        (["a", "b"], [[1, 2], [0, 0]], "row 2 has no direction"),
        (["a", "b"], [[0, 0], [1, 2]], "no direction"),
        (["a", "a"], [[1, 2], [1, 2]], "twice"),
        (["b", "c"], [[1, 2], [1, 2]], "neither an id"),
    ],
)
def test_bad_vectors_and_ids_are_errors(ids, vectors, reason, capsys):
    table_of("t.parquet", ids, vectors)
    assert run("a", "t.parquet") == 3
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.parquet", b"PAR1 no"), ("t.npz", b"PK no"), ("t.csv", b"id,shared_0,shared_1\na,1,2\nb,1\n"),
        ("t.csv", b"id,shared_0\na,one\n"), ("t.csv", b"shared_0,shared_1\n1,2\n"),
        ("t.csv", b"id,shared_0,shared_2\na,1,2\n"), ("t.csv", b"id,shared_0\n"),
        ("t.csv", b"id,shared_0\n\xff\xfe,1\n"),
    ],
)  # fmt: skip
def test_damaged_tables_are_errors(name, content, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    assert run("a", name) == 3
    assert "Traceback" not in capsys.readouterr().err


def test_pickled_arrays_are_not_loaded(tmp_path, capsys):
    np.savez(tmp_path / "t.npz", id=np.array(["a", {}], dtype=object), shared=np.ones((2, 2)))
    assert run("a", "t.npz") == 3
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["-k", 0], 2, "-k 0"),
        (["-k", 10**6], 2, "allowed"),
        (["--feature", "shard"], 2, "did you mean 'shared'"),
        (["-o", "s.json"], 2, "not an output format"),
        (["--start", 5], 2, "leave out --start"),
        (["--start", -1], 2, "seconds from 0"),
    ],
)
def test_impossible_options(embedded, words, code, reason, capsys):
    assert run("in/r0.hea", embedded / "e.parquet", *words) == code
    assert reason in capsys.readouterr().err


def test_the_table_is_never_replaced(embedded, capsys):
    table = embedded / "e.parquet"
    before = table.read_bytes()
    assert run("in/r0.hea", table, "-o", table, "--overwrite") == 2
    assert table.read_bytes() == before


@pytest.mark.parametrize("name", ["none.parquet", "none"])
def test_a_missing_table_names_the_command_that_writes_it(name, capsys):
    assert run("a", name) == 3
    assert "cgdmer embed" in capsys.readouterr().err


def test_another_kind_of_file_is_no_table(tmp_path, capsys):
    (tmp_path / "t.txt").write_text("")
    assert run("a", "t.txt") == 2
    os.mkfifo(tmp_path / "t.csv")
    assert run("a", "t.csv") == 3


def test_ids_cannot_act_on_the_terminal(capsys):
    table_of("t.parquet", ["a", "b\x1b[2J", "c\x9b2J"], np.eye(3))
    assert run("a", "t.parquet") == 0
    said = capsys.readouterr().out
    assert "b?[2J" in said
    assert not {"\x1b", "\x9b"} & set(said)


@pytest.mark.parametrize("name", ["", "in", "."])
def test_a_folder_of_the_user_is_no_table_and_nobody_is_told_to_remove_it(name, capsys):
    example.wfdb(Path("in"), "r0")
    assert run("a", name) == 3
    said = capsys.readouterr().err
    assert "no table of embeddings" in said
    assert "rm " not in said


def test_a_damaged_folder_is_to_be_written_again(embedded, tmp_path, capsys):
    shutil.copytree(embedded / "e", tmp_path / "e")
    (tmp_path / "e/shared.npy").write_bytes(b"x")
    assert run("a", "e") == 3
    said = capsys.readouterr().err
    assert "differs from its sha256" in said
    assert "rm " not in said


def test_an_array_is_as_large_as_its_header_states_before_it_is_read(capsys):
    np.savez_compressed("t.npz", id=np.array(["a", "b"]), shared=np.zeros((2, 1 << 22), np.float32))
    assert run("a", "t.npz") == 3
    assert "compressed" in capsys.readouterr().err
