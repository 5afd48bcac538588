"""Atomic writing: a reader sees the old content or the new, never a part."""

import hashlib
import os

import pytest

from cgdmer import files


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


def test_json_is_read_from_regular_files_only(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "zero.json"):
        with pytest.raises(OSError, match="not a regular file"):
            files.read_json(tmp_path / name)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        files.read_json(tmp_path / "deep.json")
