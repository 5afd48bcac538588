"""One file cannot stop the others: time, memory, a worker that dies, an endless list, a deep folder, an odd sidecar."""

import functools
import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import example_recordings as example

from cgdmer.errors import DataError, RecordError
from cgdmer.recordings import ArrayMetadata, find_recordings, limits
from cgdmer.recordings.batches import BATCH, Job, decode, map_batches, rejection
from cgdmer.recordings.discovery import MAX_REPEATED, RecordingPath, Rejected
from cgdmer.settings import Signal

ROOT = Path(__file__).resolve().parents[2]


def test_time_is_bounded_and_an_outer_alarm_goes_on():
    rung = []
    previous = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    left = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(RecordError, match=r"takes more than 0\.1 s"), limits.per_file(seconds=0.1):
            while True:
                time.sleep(0.01)
        time.sleep(0.4)
        assert rung == [1]
    finally:
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, *left)


def test_a_library_that_catches_the_error_is_stopped_again(monkeypatch):
    monkeypatch.setattr(limits, "REPEAT", 0.05)

    def stubborn() -> None:
        for _ in range(2):
            try:
                time.sleep(10)
            except RecordError:
                continue
        time.sleep(10)

    with pytest.raises(RecordError, match="takes more than"), limits.per_file(seconds=0.05):
        stubborn()


BOUNDED = """
import numpy as np
from cgdmer.recordings import limits
try:
    with limits.per_file(memory=1 << 28):
        np.ones(1 << 29, np.uint8)
except MemoryError:
    print("bounded")
print(np.ones(1 << 29, np.uint8).sum())
"""


def test_memory_is_bounded_and_given_back():
    """In a process of its own, because a heap that earlier tests have freed needs no new memory."""
    done = subprocess.run([sys.executable, "-c", BOUNDED], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["bounded", str(1 << 29)], done.stderr


def test_another_thread_runs_without_a_limit_of_time():
    done = []

    def run() -> None:
        with limits.per_file(seconds=0.01):
            time.sleep(0.05)
            done.append(1)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [1]


def work(job: Job, deadly: str) -> list[str]:
    """Return the ids of a job's recordings, and of the rejected the reasons and whether they may pass.

    End the process at a deadly one.
    """
    for path in job.paths:
        if path.id == deadly and isinstance(path, RecordingPath):
            os._exit(9)
    return [
        f"{path.reason}, may pass: {path.may_pass}" if isinstance(path, Rejected) else path.id for path in job.paths
    ]


@pytest.mark.long
def test_a_file_that_ends_its_worker_is_named_and_the_batch_goes_on(monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "processes")
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    names = [f"r{number}.hea" for number in range(3 * BATCH + 5)]
    paths = [RecordingPath(name, "/", name) for name in names]
    deadly = names[BATCH + 3]
    results = list(map_batches(paths, ArrayMetadata(), Signal(), 10.0, functools.partial(work, deadly=deadly)))
    flat = [name for result in results for name in result]
    assert len(flat) == len(names)
    assert re.fullmatch("reading it ended the process: .*, may pass: True", flat[BATCH + 3])
    assert [name for name in flat if name != flat[BATCH + 3]] == [name for name in names if name != deadly]


def rejected(path: Path) -> Rejected:
    """Read one file and return its rejection."""
    (one,) = decode(Job(tuple(find_recordings([str(path)], ArrayMetadata())), ArrayMetadata(), Signal(), 5.0)).rejected
    return one


@pytest.mark.parametrize(("library", "name"), [("edfio", "r.edf"), ("pydicom", "r.dcm"), ("wfdb", "r.hea")])
def test_a_missing_library_is_a_cause_that_may_pass(tmp_path, monkeypatch, library, name):
    monkeypatch.setitem(sys.modules, library, None)
    header = example.wfdb(tmp_path, "r").read_text().replace(".dat 16", ".dat 310")
    (tmp_path / name).write_text(header)
    one = rejected(tmp_path / name)
    assert f"needs {library}" in one.reason
    assert one.may_pass


@pytest.mark.parametrize(
    ("error", "may_pass"),
    [
        (MemoryError(), True),
        (limits.TooSlow("reading it takes more than 30 s"), True),
        (KeyError("a bug of this program"), True),
        (PermissionError("not now"), True),
        (RecordError("it holds no sample"), False),
    ],
)
def test_a_rejection_says_whether_its_cause_may_pass(error, may_pass):
    path, wrapped = RecordingPath("r.hea", "/", "r.hea"), RecordError("r.hea: cannot be read")
    wrapped.__cause__ = error
    assert rejection(path, error).may_pass is may_pass
    assert rejection(path, wrapped).may_pass is (may_pass and not isinstance(error, KeyError))


def test_a_damaged_file_and_a_missing_one_are_the_fault_of_the_recording(tmp_path):
    (tmp_path / "broken.edf").write_bytes(b"nothing")
    header = example.wfdb(tmp_path, "r")
    (tmp_path / "r0.dat").unlink()
    assert not rejected(tmp_path / "broken.edf").may_pass
    assert not rejected(header).may_pass


class Repeating(io.RawIOBase):
    """A list without an end."""

    def __init__(self, block: bytes) -> None:
        self.block, self.blocks = block, 0

    def read(self, size: int = -1) -> bytes:
        self.blocks += 1
        return self.block


@pytest.mark.parametrize(("block", "message"), [(b"\n" * 65536, "empty lines"), (b"\0" * 65536, "empty lines"),
                                                (b"x" * 65536, "a path above")])  # fmt: skip
def test_an_endless_list_of_nothing_ends(block, message):
    with pytest.raises(DataError, match=message):
        list(find_recordings(["-"], ArrayMetadata(), Repeating(block)))


def test_an_endless_list_of_one_recording_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("cgdmer.recordings.discovery.MAX_REPEATED", MAX_REPEATED // 100)
    path = example.wfdb(tmp_path, "r")
    with pytest.raises(DataError, match="bring no new recording"):
        list(find_recordings(["-"], ArrayMetadata(), Repeating(f"{path}\n".encode() * 100)))


def test_a_list_with_windows_line_ends(tmp_path):
    path = example.wfdb(tmp_path, "r")
    literal = tmp_path / "odd.hea\r"
    literal.write_bytes(path.read_bytes())
    listing = io.BytesIO(f"{path}\r\n{literal}\n".encode())
    found = [each.id for each in find_recordings(["-"], ArrayMetadata(), listing)]
    assert found == [str(path), f"{literal}"] or found[0] == str(path)
    assert len(found) == 2


def test_a_deep_folder_is_searched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        example.wfdb(Path(), "deep")
        os.chdir(tmp_path)
        found = list(find_recordings([str(tmp_path)], ArrayMetadata()))
    finally:  # pytest cannot remove it
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
    assert len(found) == 1
    assert found[0].id.count("/d") >= 1200


SIDECARS = [
    b'{"unit": "\\ud800"}', b'{"fs": 1e400}', b'{"fs": ' + b"9" * 400 + b"}", b"[" * 60_000,
    b'{"' + b"k" * 60_000 + b'": 1}', b"\xff\xfe{}", b'{"leads": ["I", "I"]}', b'{"fs": 1e-9, "unit": "mV"}',
    b'{"leads": "' + b"I" * 60_000 + b'"}',
]  # fmt: skip


@pytest.mark.parametrize("content", SIDECARS)
def test_an_odd_sidecar_rejects_its_file_alone(tmp_path, monkeypatch, content):
    from cgdmer import cli

    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    example.npy(tmp_path / "in", "a")
    example.npy(tmp_path / "in", "b")
    (tmp_path / "in" / "a.json").write_bytes(content)
    assert cli.main(["--quiet", "embed", "in", "--model", str(example.model())]) == 6
    lines = (tmp_path / "embeddings.rejects.csv").read_text().splitlines()
    assert len(lines) == 2
    assert len(lines[1]) < 700
