"""Verification of a shard folder: each file is summed once, and again after anything that could have changed it."""

import os
import time

import pytest
from support.shard_folder import write_folder

from cgdmer.errors import DataError
from cgdmer.shards import manifest, open_shards


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A shard folder, with a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "csn", [3, 4])
    return tmp_path / "csn"


@pytest.fixture
def summed(monkeypatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    sha256 = manifest.sha256
    monkeypatch.setattr(manifest, "sha256", lambda path: names.append(path.name) or sha256(path))
    return names


@pytest.fixture
def settled(monkeypatch):
    """Treat files as old enough to be remembered, once the clock of the file system has moved on."""
    monkeypatch.setattr(manifest, "SETTLED", 0)
    time.sleep(0.02)


def test_a_file_is_read_once(folder, summed, settled):
    open_shards(folder, verify=True)
    assert set(summed) == set(os.listdir(folder)) - {manifest.NAME}
    open_shards(folder, verify=True)
    assert len(summed) == 4


def test_a_file_that_has_just_been_written_is_read_again(folder, summed):
    open_shards(folder, verify=True)
    open_shards(folder, verify=True)
    assert len(summed) == 8


def test_a_flipped_byte_is_found_although_size_and_time_are_as_before(folder, settled):
    open_shards(folder, verify=True)
    path = folder / manifest.shard_name(0)
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(DataError, match="differs from the sha256"):
        open_shards(folder, verify=True)


def test_another_folder_in_its_place_is_read(folder, summed, settled):
    open_shards(folder, verify=True)
    folder.rename(folder.with_name("old"))
    write_folder(folder, [3, 4])
    time.sleep(0.02)
    summed.clear()
    open_shards(folder, verify=True)
    assert len(summed) == 4


def test_a_damaged_memory_costs_time_only(folder, summed, settled):
    open_shards(folder, verify=True)
    next((folder.parent / ".cgdmer/verified").iterdir()).write_text("{")
    open_shards(folder, verify=True)
    assert len(summed) == 8
