"""`dvc repro` killed and restarted, run twice at once, and with a clock that jumps."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support import micro_project as micro

from cgdmer import paths, settings, stages
from cgdmer.acquisition import tree
from cgdmer.files import exclusive_lock

BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.long, pytest.mark.timeout(2400), pytest.mark.xdist_group("faults")]
TARGET = "index@csn"


@pytest.fixture
def dvc_project(tmp_path) -> Path:
    """A micro project that DVC can reproduce up to the index of one simulated corpus."""
    folder = tmp_path / "with dvc"
    folder.mkdir()
    shutil.copytree(micro.ROOT / "cgdmer", folder / "cgdmer", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    for name in (".dvcignore", "dvc.yaml", ".dvc/config"):
        shutil.copy(micro.ROOT / name, folder / name)
    micro.write_params(folder, tmp_path)
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["corpora"]["csn"]["records"] = 60
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def repro(folder: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": "", "DVC_NO_ANALYTICS": "1"}
    return subprocess.Popen(
        ["dvc", "repro", TARGET], cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_two_at_once_and_a_kill_leave_the_same_results(dvc_project):
    first = repro(dvc_project)
    deadline = time.monotonic() + 600
    while not (dvc_project / "data/raw").exists() and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.05)
    second = repro(dvc_project)
    output = second.communicate(timeout=900)[0]
    assert second.returncode == 0 or "lock" in output.lower(), output
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    third = repro(dvc_project)
    output = third.communicate(timeout=900)[0]
    if "dvc.lock' validation failed" in output:  # DVC was killed while it wrote the file; docs/operating.md says this
        (dvc_project / "dvc.lock").unlink()
        third = repro(dvc_project)
        output = third.communicate(timeout=900)[0]
    assert third.returncode == 0, output
    before = micro.digests(dvc_project)
    assert str(paths.index("csn")) in before
    shutil.rmtree(dvc_project / "data")
    (dvc_project / "dvc.lock").unlink()
    shutil.rmtree(dvc_project / ".dvc/cache")
    fourth = repro(dvc_project)
    assert fourth.communicate(timeout=900) is not None
    assert fourth.returncode == 0
    assert micro.digests(dvc_project) == before


def test_a_second_process_waits_for_the_first(tmp_path, caplog):
    lock = tmp_path / "locks" / "embed-csn"
    ready, child = os.pipe(), os.fork()
    if child == 0:
        with exclusive_lock(lock):
            os.write(ready[1], b"x")
            time.sleep(0.5)
            (tmp_path / "done").touch()
            os._exit(0)
    os.read(ready[0], 1)
    with exclusive_lock(lock):
        assert (tmp_path / "done").exists()
    os.waitpid(child, 0)
    assert "another process is doing the same work; waiting for it" in caplog.text


@pytest.mark.parametrize("jump", [-10 * 365 * 86400, 10 * 365 * 86400])
def test_a_clock_that_jumps_changes_no_result(project, finished, monkeypatch, jump):
    now, nanoseconds = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + jump)
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds() + jump * 10**9)
    assert tree.time.time_ns() != nanoseconds()
    for call in ("acquire mimic_iv_ecg", "index mimic_iv_ecg", "acquire mimic_iv_ecg", "pretrain"):
        stage, *items = call.split()
        stages.call(stage, items, settings.load())
    ours, before = micro.digests(project), micro.digests(finished)
    assert {name for name in ours if ours[name] != before[name]} == set()
