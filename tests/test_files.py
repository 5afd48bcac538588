"""Atomic writing: a reader sees the old content or the new, never a part."""

import fcntl
import hashlib
import os

import pytest

from cgdmer import files
from cgdmer.errors import ConfigError, Damaged, DataError


def test_atomic_keeps_the_old_content_when_the_writer_fails(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert files.read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_atomic_makes_folders_and_replaces(tmp_path):
    path = tmp_path / "b" / "c.txt"
    files.write_text(path, "one")
    files.write_text(path, "two")
    assert path.read_text() == "two"


def test_json_is_sorted_and_refuses_nan(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"b": 1, "a": "é"})
    assert path.read_text() == '{\n "a": "é",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"a": float("nan")})


def test_sha256_agrees_with_hashlib_and_reports_progress(tmp_path):
    content = bytes(range(256)) * 9000
    (tmp_path / "x").write_bytes(content)
    seen: list[int] = []
    assert files.sha256(tmp_path / "x", seen.append) == hashlib.sha256(content).hexdigest()
    assert sum(seen) == len(content)
    assert len(seen) > 1


def test_a_work_key_depends_on_the_content_and_not_on_the_order_of_keys():
    assert files.work_key({"a": 1, "b": 2}, "x") == files.work_key({"b": 2, "a": 1}, "x")
    keys = {files.work_key(*content) for content in ((1, 2), (2, 1), ([1, 2],), ("1", 2))}
    assert len(keys) == 4
    assert all(len(key) == 16 and int(key, 16) >= 0 for key in keys)


@pytest.mark.parametrize("name", ["m.csv", "a.b.npy", "folder", ".hidden", "new\nline.csv"])
def test_the_name_of_a_file_that_is_being_written_is_recognised(tmp_path, name):
    with files.atomic(tmp_path / name) as temporary:
        temporary.write_text("")
        assert files.is_temporary(temporary.name)
    assert not files.is_temporary(name)


def test_json_is_read_from_regular_files_only(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "zero.json"):
        with pytest.raises(OSError, match="not a regular file"):
            files.read_json(tmp_path / name)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        files.read_json(tmp_path / "deep.json")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"9" * 5000], ids=["empty", "cut", "bytes", "digits"])
def test_what_is_not_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json is not JSON") as caught:
        files.read_json(tmp_path / "a.json")
    assert isinstance(caught.value, Damaged)
    assert caught.value.code == DataError.code


@pytest.mark.parametrize("use", [lambda x: x["b"], lambda x: x["a"]["b"], lambda x: x.a, lambda x: float("x")])
def test_content_that_does_not_fit_is_named_with_what_fixes_it(tmp_path, use):
    with (
        pytest.raises(DataError, match=r"metrics\.json is damaged: \w+Error") as caught,
        files.named(tmp_path / "metrics.json", "git checkout it"),
    ):
        use({"a": 1})
    assert caught.value.fix == "git checkout it"


def test_other_errors_keep_their_words(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError) as caught, files.named(tmp_path, "dvc repro"):
        files.read_json(tmp_path / "a.json")
    assert caught.value.problem.startswith(f"{tmp_path / 'a.json'} is not JSON")
    assert caught.value.fix == "dvc repro"
    with pytest.raises(ConfigError, match="as it was"), files.named(tmp_path, "dvc repro"):
        raise ConfigError("as it was")


@pytest.mark.parametrize(("lock", "work"), [("ward/.lock", "ward"), ("locks/pretrain", "pretrain")])
def test_who_waits_for_a_lock_is_told_for_which_work(tmp_path, caplog, monkeypatch, lock, work):
    def busy(stream, operation):
        if operation & fcntl.LOCK_NB:
            raise BlockingIOError

    monkeypatch.setattr(fcntl, "flock", busy)
    with files.exclusive_lock(tmp_path / lock):
        assert caplog.messages == [f"{work}: another process is doing the same work; waiting for it"]
