"""The manifest of a corpus: its files, its bytes, and the check that the corpus is still the acquired one."""

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import polars as pl
import pytest

from cgdmer.acquisition import manifest, tree
from cgdmer.errors import DataError
from cgdmer.files import read_json

FOLDER = Path("data/raw/ptb_xl")


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tree, "SETTLED", 0)
    folder = tmp_path / "outside"
    (folder / "records").mkdir(parents=True)
    for number in range(5):
        (folder / "records" / f"{number}.dat").write_bytes(b"%d" % number * 100)
    (folder / "database.csv").write_text("id\n0\n")
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "ptb-xl-1.0.3.zip"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("database.csv", "id\n0\n")
    return path


def test_files_and_manifest_describe_the_tree(corpus):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    table = pl.read_parquet(FOLDER / "files.parquet")
    assert table.columns == ["path", "size", "sha256"]
    assert table["path"].to_list() == ["database.csv", *(f"records/{number}.dat" for number in range(5))]
    content = read_json(FOLDER / "manifest.json")
    assert (content["way"], content["source"], content["files"], content["bytes"]) == ("local", "ptb_xl", 6, 505)
    printed = subprocess.run(
        ["sha256sum", *table["path"].to_list()], cwd=corpus, capture_output=True, check=True
    ).stdout
    assert content["digest"] == hashlib.sha256(printed).hexdigest()


def test_neither_holds_where_the_corpus_lies_and_a_second_run_gives_the_same_bytes(corpus, tmp_path):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    first = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    moved = corpus.rename(tmp_path / "moved")
    manifest.write_local("ptb_xl", moved, FOLDER)
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == first
    assert sorted(first) == ["files.parquet", "manifest.json"]
    for body in first.values():
        assert os.fsencode(tmp_path) not in body


def test_a_zip_is_a_manifest_of_one_file(archive):
    manifest.write_local("ptb_xl", archive, FOLDER)
    table = pl.read_parquet(FOLDER / "files.parquet")
    assert table["path"].to_list() == ["ptb-xl-1.0.3.zip"]
    manifest.check(FOLDER, archive)
    with zipfile.ZipFile(archive, "a") as target:
        target.writestr("more", "x")
    with pytest.raises(DataError, match="1 files of"):
        manifest.check(FOLDER, archive)


def test_a_truncated_zip_is_refused(archive):
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"ptb-xl-1\.0\.3\.zip"):
        manifest.write_local("ptb_xl", archive, FOLDER)
    assert not FOLDER.exists()


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no file"):
        manifest.write_local("ptb_xl", tmp_path / "empty", FOLDER)


def test_an_unchanged_tree_passes_also_after_touching_it(corpus):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    manifest.check(FOLDER, corpus)
    (corpus / "database.csv").touch()
    manifest.check(FOLDER, corpus)


def test_a_tree_passes_where_nothing_is_remembered(corpus):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    tree.cache_path(corpus).unlink()
    manifest.check(FOLDER, corpus)


def removed(corpus: Path) -> None:
    (corpus / "records/1.dat").unlink()


def added(corpus: Path) -> None:
    (corpus / "records/9.dat").write_bytes(b"9")


def resized(corpus: Path) -> None:
    (corpus / "records/1.dat").write_bytes(b"1")


def rewritten(corpus: Path) -> None:
    (corpus / "records/1.dat").write_bytes(b"2" * 100)


@pytest.mark.parametrize("change", [removed, added, resized, rewritten])
def test_a_changed_tree_is_noticed(corpus, change):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    change(corpus)
    with pytest.raises(DataError, match=r"1 files of .* differ from data/raw/ptb_xl/files\.parquet") as caught:
        manifest.check(FOLDER, corpus)
    assert "dvc repro --force acquire@ptb_xl" in str(caught.value)


def test_a_change_that_was_summed_but_never_acquired_is_noticed(corpus):
    """A run killed after it cached new checksums must not hide the change from the old manifest."""
    manifest.write_local("ptb_xl", corpus, FOLDER)
    rewritten(corpus)
    tree.checksums(corpus, tree.scan(corpus))
    with pytest.raises(DataError, match="1 files of"):
        manifest.check(FOLDER, corpus)


def test_an_archive_of_another_size_or_none_is_noticed(archive):
    manifest.prepare_folder(FOLDER, ())
    made = archive.rename(FOLDER / "ptb_xl.zip")
    manifest.write_archive(FOLDER, "ptb_xl", "simulate")
    manifest.check(FOLDER, made)
    with made.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(DataError, match=r"manifest\.json says"):
        manifest.check(FOLDER, made)
    made.unlink()
    with pytest.raises(DataError, match="is missing"):
        manifest.check(FOLDER, made)


def test_a_corpus_that_was_not_acquired_says_how(corpus):
    with pytest.raises(DataError, match="dvc repro acquire@ptb_xl"):
        manifest.check(FOLDER, corpus)


def test_begin_removes_what_a_killed_run_left(corpus):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    (FOLDER / ".ptb_xl.123.tmp.zip").write_bytes(b"half")
    (FOLDER / "sub").mkdir()
    (FOLDER / "sub" / "x").write_bytes(b"")
    manifest.prepare_folder(FOLDER, ("files.parquet", "sub"))
    assert list(FOLDER.iterdir()) == []


def test_begin_never_removes_what_is_not_ours(corpus):
    manifest.write_local("ptb_xl", corpus, FOLDER)
    (FOLDER / "records500").mkdir()
    before = sorted(FOLDER.iterdir())
    with pytest.raises(DataError, match="holds records500, which this stage did not write"):
        manifest.prepare_folder(FOLDER, manifest.output_names("ptb_xl"))
    assert sorted(FOLDER.iterdir()) == before


@pytest.mark.parametrize("place", [".", "ptb_xl.zip"])
def test_a_copy_inside_the_output_is_refused_and_kept(archive, place):
    FOLDER.mkdir(parents=True)
    kept = archive.rename(FOLDER / "ptb_xl.zip")
    with pytest.raises(DataError, match="is an output and is emptied"):
        manifest.write_local("ptb_xl", FOLDER / place, FOLDER)
    assert kept.is_file()
