"""Restarts of the local stack: pauses that grow, and what a service leaves behind is ended before it starts again."""

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest
from support.server_process import free_port

from flows import services, serving
from flows.services import Service

PARENT = "import subprocess, sys, time; subprocess.Popen(['sleep', '300']); print('ready', flush=True); time.sleep(300)"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "FOLDER", tmp_path)
    monkeypatch.setattr(serving, "PROCESSES", tmp_path / "processes.json")
    monkeypatch.setattr(serving, "READY", tmp_path / "ready")
    return tmp_path


def test_pauses_grow_while_a_service_ends_soon_after_its_start(monkeypatch):
    supervisor, now = serving.Supervisor(), [0.0]
    monkeypatch.setattr(serving.time, "monotonic", lambda: now[0])
    supervisor.started["mlflow"] = 0.0
    assert [supervisor.pause("mlflow") for _ in range(6)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    now[0] = 61.0
    assert supervisor.pause("mlflow") == serving.PAUSE


def test_two_starts_at_once_make_one_stack(folder, monkeypatch):
    started, own = [], psutil.Process()

    def supervisor(*_, **__):
        """Stand in for the supervisor, which writes these files once its imports are done."""

        def come_up():
            started.append(own.pid)
            serving.write_json(serving.PROCESSES, {"supervisor": {"pid": own.pid, "created": own.create_time()}})
            serving.READY.touch()

        threading.Timer(0.5, come_up).start()
        return SimpleNamespace(poll=lambda: None)

    for name in services.PORTS:
        monkeypatch.setenv(f"CGDMER_{name.upper()}_PORT", str(free_port()))
    monkeypatch.setattr(serving.subprocess, "Popen", supervisor)
    with ThreadPoolExecutor(2) as pool:
        errors = [one.exception() for one in [pool.submit(serving.start), pool.submit(serving.start)]]
    assert len(started) == 1
    assert sorted(str(error)[:28] for error in errors) == ["None", "the stack is running already"]


def with_child(folder):
    """Start a server with a child of its own, and return the supervisor, the service and the child."""
    service = Service("mlflow", [sys.executable, "-c", PARENT], health="http://127.0.0.1:9/", patience=2.0)
    supervisor = serving.Supervisor()
    supervisor.start(service)
    while "ready" not in (folder / "mlflow.log").read_text():
        time.sleep(0.05)
    (child,) = psutil.Process(supervisor.processes["mlflow"].pid).children()
    return supervisor, service, child


def is_gone(process):
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_orphan_of_a_killed_server_ends_before_the_server_starts_again(folder, monkeypatch):
    supervisor, service, child = with_child(folder)
    monkeypatch.setattr(serving, "PAUSE", 0.1)
    first = supervisor.processes["mlflow"]
    first.kill()
    first.wait()
    assert not is_gone(child)
    supervisor.restart_ended([service])
    assert is_gone(child)
    assert supervisor.processes["mlflow"].pid != first.pid
    supervisor.end(service)


def test_stop_ends_the_orphan_though_server_and_supervisor_were_killed(folder, capsys):
    supervisor, _, child = with_child(folder)
    content = json.loads((folder / "processes.json").read_text())
    dead = subprocess.Popen(["true"])
    dead.wait()
    content["supervisor"] = {"pid": dead.pid, "created": 1.0}  # this process stands in for it
    (folder / "processes.json").write_text(json.dumps(content))
    supervisor.processes["mlflow"].kill()
    supervisor.processes["mlflow"].wait()
    serving.stop()
    assert is_gone(child)
    assert "stopped" in capsys.readouterr().out
    assert not (folder / "processes.json").exists()
