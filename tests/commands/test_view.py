"""`cgdmer view`: examined recordings and dropped files, and a program that ends on a signal."""

import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import scorer
from cgdmer.commands.examination import Inputs
from cgdmer.commands.view import MOST_DROPPED, open_site, read_dropped
from cgdmer.errors import ConfigError, DataError
from cgdmer.recordings import ArrayMetadata
from cgdmer.viewer.catalogue import Refused
from cgdmer.viewer.site import Dropped

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # the test may run where Ctrl-C is ignored
from cgdmer.cli import main
raise SystemExit(main())
"""


@pytest.fixture(scope="module")
def scoring():
    return scorer.prepare(str(example.model()), scorer.ScoreOptions(), 0.0)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    example.model()  # its folder is not among the temporary files of a test
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path)


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_recordings_are_listed_and_drawn_until_their_file_is_gone(scoring, tmp_path):
    for number in range(2):
        example.wfdb(tmp_path / "in", f"r{number}", seed=number)
    (tmp_path / "in" / "bad.edf").write_bytes(b"bad")
    site = open_site(Inputs(["in"], ArrayMetadata()), scoring)
    text = site.get("").body
    assert all(name in text for name in ("r0.hea", "r1.hea", "bad.edf", "is not EDF"))
    assert site.get("recording/1.svg").body.startswith("<svg")
    (tmp_path / "in" / "r1.dat").unlink()
    answer = site.get("recording/1.svg")
    assert answer.code == 404
    assert "cannot be drawn" in answer.body
    assert str(tmp_path) not in answer.body


def test_a_folder_without_recordings_is_an_error(scoring, tmp_path):
    (tmp_path / "bad.edf").write_bytes(b"bad")
    for path in ("bad.edf", "nowhere"):
        with pytest.raises(DataError):
            open_site(Inputs([path], ArrayMetadata()), scoring)


def test_dropped_files_are_read_together_and_leave_no_file(scoring, tmp_path):
    example.wfdb(tmp_path / "in", "r1", seed=1)
    example.npy(tmp_path / "in", "a", seed=2)
    files = content(tmp_path / "in") | {"x.edf": b"x", "alone.dat": b"1", "no.suffix": b""}
    seen = read_dropped(files, ArrayMetadata(), 0.0, scoring)
    good = {one.entry.name: one for one in seen if isinstance(one, Dropped)}
    assert set(good) == {"r1.hea", "a.npy"}
    assert all(one.svg.startswith("<svg") for one in good.values())
    refused = {one.name: one.reason for one in seen if isinstance(one, Refused)}
    assert set(refused) == {"x.edf", "alone.dat", "no.suffix"}
    assert not [text for text in [*refused, *refused.values()] if str(tmp_path) in text]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_sidecar_alone_and_too_many_recordings_are_refused(scoring, tmp_path):
    assert [one.name for one in read_dropped({"a.json": b"{}"}, ArrayMetadata(), 0.0, scoring)] == ["a.json"]
    many = {f"{number}.edf": b"x" for number in range(MOST_DROPPED + 1)}
    with pytest.raises(ConfigError, match="65 recordings"):
        read_dropped(many, ArrayMetadata(), 0.0, scoring)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_impossible_options_are_refused(tmp_path, capsys):
    example.wfdb(tmp_path / "in", "r", seed=1)
    for words in (["--port", "-1"], ["--port", "65536"], ["--start", "-1"], ["--model", "nowhere"]):
        assert cli.main(["--quiet", "view", "in", *words]) in (2, 3)
    assert "Traceback" not in capsys.readouterr().err


@contextmanager
def ended(program):
    """End a program if the block did not."""
    try:
        yield
    finally:
        program.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_program_and_leaves_no_file(tmp_path, number, code):
    example.wfdb(tmp_path / "in", "r", seed=1)
    command = [sys.executable, "-c", PROGRAM, "--quiet", "view", "in", "--model", str(example.model())]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "temporary")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as program, ended(program):
        address = program.stdout.readline().strip()
        port, path = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/[\w-]{32}/)", address).groups()
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        connection.request("GET", path)
        assert b"r.hea" in connection.getresponse().read()
        program.send_signal(number)
        errors = program.communicate(timeout=60)[1]
    assert program.returncode == code, errors
    assert "Traceback" not in errors
    assert list((tmp_path / "temporary").iterdir()) == []
