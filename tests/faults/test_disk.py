"""A full or read-only disk: a clear error, no partial file under a final name, the same results once there is room."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgdmer import files, paths, settings, stages
from cgdmer.errors import DataError

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.xdist_group("faults")]

STAGES = {"shards csn": "data/shards", "pretrain": ".cgdmer", "embed random csn": "data/embeddings"}
"""Stage call to the folder that is put on the full disk."""


@pytest.fixture
def disk(project) -> Iterator[Path]:
    """A small file system if mounting is allowed, otherwise a folder."""
    folder = project / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    yield folder
    if mounted.returncode == 0:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def move_to(disk: Path, name: str) -> None:
    """Replace a folder of the project by an empty one on the small disk."""
    target = disk / Path(name).name
    target.mkdir()
    shutil.rmtree(name, ignore_errors=True)
    Path(name).symlink_to(target)


def run(call: str) -> None:
    stage, *items = call.split()
    stages.call(stage, items, settings.load())


@pytest.mark.parametrize("call", STAGES)
def test_a_full_disk_is_said_and_costs_nothing(project, disk, call):
    if not os.path.ismount(disk):
        pytest.skip("mounting is not allowed here; the test with a file size limit stands in")
    move_to(disk, STAGES[call])
    ballast = disk / "ballast"
    room = 40_000 if call != "shards csn" else 400_000
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - room))
    with pytest.raises(DataError, match="no space is left") as caught:
        run(call)
    assert "free space there, then run the same command again" in caught.value.fix
    for path in (disk / Path(STAGES[call]).name).rglob("*"):
        assert not path.name.endswith(".tmp.safetensors")
        assert path.name != "manifest.json" or call == "pretrain"
        assert path.name != "meta.json"
    ballast.unlink()
    run(call)
    compare(project, call)


def compare(project: Path, call: str) -> None:
    """Compare the output of a stage with the undisturbed run."""
    original = project.parent / "original"
    output = {"shards csn": paths.shards("csn"), "pretrain": paths.MODEL}.get(call, paths.embeddings("random", "csn"))
    assert contents(output) == contents(original / output)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the bytes of all files of a folder by their path in it; hidden ones are not results."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(autouse=True)
def original(runs, tmp_path) -> None:
    (tmp_path / "original").symlink_to(runs.calm)


def test_a_limit_on_file_size_is_a_full_disk(project):
    """Run in a separate process, because the limit cannot be raised again."""
    shutil.rmtree(paths.embeddings("random", "csn"))
    limit = ["import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"]
    limit += ["os.execv(sys.executable, [sys.executable, '-m', 'cgdmer', *'run embed random csn'.split()])"]
    done = subprocess.run([sys.executable, "-c", "; ".join(limit)], capture_output=True, text=True, check=False)
    assert done.returncode == DataError.code, done.stderr
    assert "no space is left" in done.stderr
    assert "then run the same command again" in done.stderr
    assert not (paths.embeddings("random", "csn") / "meta.json").exists()
    run("embed random csn")
    compare(project, "embed random csn")


def test_a_read_only_folder_is_said(project, disk):
    if not os.path.ismount(disk):
        pytest.skip("mounting is not allowed here")
    move_to(disk, "data/embeddings")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(DataError, match="Read-only file system") as caught:
        run("embed random csn")
    assert "make it writable" in caught.value.fix


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES])
def test_what_a_disk_refuses_leaves_the_old_content(tmp_path, number):
    path = tmp_path / "x.json"
    files.write_json(path, {"old": 1})
    with pytest.raises(DataError, match=r"x\.json cannot be written"), files.atomic(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert files.read_json(path) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["x.json"]
