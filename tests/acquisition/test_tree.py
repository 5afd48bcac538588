"""List the files of a corpus outside the project and cache their checksums."""

import hashlib
import os
from pathlib import Path

import polars as pl
import pytest

from cgdmer.acquisition import tree
from cgdmer.errors import DataError


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tree, "SETTLED", 0)
    folder = tmp_path / "outside" / "corpus"
    for name, body in {"b/2.dat": b"two", "b/1.dat": b"one", "a.csv": b"", "c é/3.hea": b"three"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


def read_count(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record every file that is read."""
    read: list[str] = []
    real = tree._sum

    def noted(base: Path, path: str, *rest: int) -> str:
        read.append(path)
        return real(base, path, *rest)

    monkeypatch.setattr(tree, "_sum", noted)
    return read


def test_a_scan_is_sorted_and_agrees_with_the_disk(corpus):
    files = tree.scan(corpus)
    assert files["path"].to_list() == ["a.csv", "b/1.dat", "b/2.dat", "c é/3.hea"]
    assert files["size"].to_list() == [0, 3, 3, 5]


def test_desktop_files_are_not_part_of_a_corpus(corpus):
    (corpus / ".DS_Store").write_bytes(b"x")
    (corpus / ".git").mkdir()
    (corpus / ".git" / "HEAD").write_bytes(b"x")
    assert tree.scan(corpus).height == 4


def test_a_link_that_leads_out_is_left_out_as_the_readers_do(corpus, tmp_path):
    (tmp_path / "secret.dat").write_bytes(b"x")
    (corpus / "b" / "out.dat").symlink_to(tmp_path / "secret.dat")
    (corpus / "b" / "broken.dat").symlink_to(tmp_path / "nowhere")
    (corpus / "b" / "in.dat").symlink_to("1.dat")
    assert tree.scan(corpus)["path"].to_list() == ["a.csv", "b/1.dat", "b/2.dat", "b/in.dat", "c é/3.hea"]


def test_checksums_equal_hashlib(corpus):
    summed = tree.checksums(corpus, tree.scan(corpus))
    for path, digest in summed.select("path", "sha256").iter_rows():
        assert hashlib.sha256((corpus / path).read_bytes()).hexdigest() == digest


def test_unchanged_files_are_not_read_again(corpus, monkeypatch):
    first = tree.checksums(corpus, tree.scan(corpus))
    read = read_count(monkeypatch)
    assert tree.checksums(corpus, tree.scan(corpus)).equals(first)
    assert read == []


def test_only_changed_files_are_read_again(corpus, monkeypatch):
    tree.checksums(corpus, tree.scan(corpus))
    (corpus / "b/1.dat").write_bytes(b"ONE")
    read = read_count(monkeypatch)
    summed = tree.checksums(corpus, tree.scan(corpus))
    assert read == ["b/1.dat"]
    assert hashlib.sha256(b"ONE").hexdigest() in summed["sha256"].to_list()


def test_a_file_rewritten_with_its_old_time_is_read_again(corpus, monkeypatch):
    """`cp -p` preserves size and modification time, but not the status-change time."""
    tree.checksums(corpus, tree.scan(corpus))
    path = corpus / "b/1.dat"
    before = path.stat()
    path.write_bytes(b"ONE")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    read = read_count(monkeypatch)
    tree.checksums(corpus, tree.scan(corpus))
    assert read == ["b/1.dat"]


def test_a_file_that_may_still_change_is_not_remembered(corpus, monkeypatch):
    monkeypatch.setattr(tree, "SETTLED", 3600 * 10**9)
    tree.checksums(corpus, tree.scan(corpus))
    read = read_count(monkeypatch)
    tree.checksums(corpus, tree.scan(corpus))
    assert len(read) == 4


def test_work_done_before_a_failure_is_remembered(corpus, monkeypatch):
    monkeypatch.setattr(tree, "CHUNK", 1)
    monkeypatch.setattr(tree, "THREADS", 1)
    files = tree.scan(corpus)
    (corpus / "b/2.dat").unlink()
    with pytest.raises(DataError, match=r"b/2\.dat"):
        tree.checksums(corpus, files)
    (corpus / "b/2.dat").write_bytes(b"two")
    read = read_count(monkeypatch)
    tree.checksums(corpus, tree.scan(corpus))
    assert sorted(read) == ["b/2.dat", "c é/3.hea"]


def test_a_damaged_memory_is_forgotten(corpus):
    first = tree.checksums(corpus, tree.scan(corpus))
    tree.cache_path(corpus).write_bytes(b"PAR1 rubbish")
    assert tree.checksums(corpus, tree.scan(corpus)).equals(first)


def test_a_cache_path_another_form_is_forgotten(corpus):
    first = tree.checksums(corpus, tree.scan(corpus))
    pl.DataFrame({"path": ["a.csv"]}).write_parquet(tree.cache_path(corpus))
    assert tree.checksums(corpus, tree.scan(corpus)).equals(first)


def test_a_file_that_grows_while_it_is_read_is_an_error(corpus):
    files = tree.scan(corpus)
    (corpus / "b/1.dat").write_bytes(b"one and more")
    with pytest.raises(DataError, match="changed while it was read"):
        tree.checksums(corpus, files)
