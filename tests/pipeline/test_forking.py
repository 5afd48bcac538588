"""A forked call is to its caller as a process of its own: words, folder, environment, output, exit code and signals."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from cgdmer.pipeline import ADDRESS, forking, workers

ROOT = Path(__file__).parents[2]
SERVER = """
import json, os, signal, socket, sys, time
from cgdmer.pipeline import forking

def run(words):
    print(json.dumps([words, os.getcwd(), os.environ.get("SEEN"), sys.argv[1:]]), flush=True)
    if words[1] == "code":
        return int(words[2])
    if words[1] == "exit":
        sys.exit(int(words[2]))
    if words[1] == "killed":
        os.kill(os.getpid(), int(words[2]))
    received = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    open(words[2], "w").write(str(os.getpid()))
    while not received:
        time.sleep(0.01)
    time.sleep(0.3)
    print(received)
    return 75

sys.exit(forking.serve(socket.socket(fileno=int(sys.argv[1])), run))
"""
CLIENT = "import os, sys; from cgdmer.pipeline import forking; sys.exit(forking.ask(sys.argv[1], sys.argv[2:]))"


def listening(tmp_path: Path, *command: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start a Python process that is handed the socket `tmp_path/socket`, by the number of its file descriptor."""
    with forking.listen(tmp_path / "socket") as listener:
        file = listener.fileno()
        return subprocess.Popen([sys.executable, *command, str(file)], stdin=subprocess.PIPE, pass_fds=[file],
                                env=os.environ | {"PYTHONPATH": str(ROOT)} | variables)  # fmt: skip


@pytest.fixture
def server(tmp_path):
    process = listening(tmp_path, "-c", SERVER)
    yield process
    process.communicate(timeout=20)


def client(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "SEEN": "by the call"}
    command = [sys.executable, "-c", CLIENT, str(tmp_path / "socket"), "run", *words]
    return subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE,
                            start_new_session=True)  # fmt: skip


def started(tmp_path: Path, server: subprocess.Popen[bytes]) -> tuple[subprocess.Popen[str], int]:
    """Return the command of a call that waits for SIGTERM, and the number of the call's process."""
    waiting, written = client(tmp_path, "wait", str(tmp_path / "pid")), tmp_path / "pid"
    deadline = time.monotonic() + 60
    while not (written.exists() and written.read_text()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return waiting, int(written.read_text())


def gone(process: int) -> bool:
    """Wait until a process has ended; False if it still runs after 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        state = Path(f"/proc/{process}/stat")
        if not state.exists() or ") Z " in state.read_text():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("how", ["code", "exit"])
def test_a_call_has_words_folder_environment_output_and_exit_code_of_its_command(tmp_path, server, how):
    for code in (0, 3):
        done = client(tmp_path, how, str(code))
        output = done.communicate(timeout=60)[0]
        assert done.returncode == code
        words = ["run", how, str(code)]
        assert json.loads(output) == [words, str(tmp_path), "by the call", words]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_signal_that_ends_the_call_ends_its_command(tmp_path, server, number):
    done = client(tmp_path, "killed", str(int(number)))
    done.communicate(timeout=60)
    assert done.returncode == -number


def test_a_signal_to_the_command_or_to_its_group_reaches_the_call_once(tmp_path, server):
    for send in (os.kill, os.killpg):
        waiting, _ = started(tmp_path, server)
        send(waiting.pid, signal.SIGTERM)
        output = waiting.communicate(timeout=60)[0]
        assert waiting.returncode == 75
        assert output.splitlines()[-1] == f"[{int(signal.SIGTERM)}]"
        (tmp_path / "pid").unlink()


def test_a_call_ends_with_its_killed_command_and_the_server_goes_on(tmp_path, server):
    waiting, process = started(tmp_path, server)
    waiting.kill()
    waiting.communicate(timeout=60)
    assert gone(process)
    done = client(tmp_path, "code", "4")
    done.communicate(timeout=60)
    assert done.returncode == 4


def test_a_call_and_its_command_end_with_a_killed_server(tmp_path, server):
    waiting, process = started(tmp_path, server)
    server.kill()
    waiting.communicate(timeout=60)
    assert waiting.returncode == -signal.SIGKILL
    assert gone(process)


def test_without_a_server_a_command_runs_by_itself(tmp_path):
    assert forking.ask(str(tmp_path / "none"), ["run", "code"]) is None
    with forking.listen(tmp_path / "left"):
        pass
    assert forking.ask(str(tmp_path / "left"), ["run", "code"]) is None


def test_a_server_that_ends_before_it_takes_a_call_leaves_the_command_to_itself(tmp_path):
    script = "import socket, sys; socket.socket(fileno=int(sys.argv[1])).accept()"
    server = listening(tmp_path, "-c", script)
    assert forking.ask(str(tmp_path / "socket"), ["run", "code"]) is None
    server.communicate(timeout=20)
    assert server.returncode == 0


def test_an_environment_that_is_too_long_for_a_message_is_left_to_the_command(tmp_path, server, monkeypatch):
    for number in range(4):
        monkeypatch.setenv(f"LONG_{number}", "x" * (forking.LIMIT // 3))
    assert forking.ask(str(tmp_path / "socket"), ["run", "code", "0"]) is None


def command(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), ADDRESS: str(tmp_path / "socket")}
    return subprocess.run(
        [sys.executable, "-m", "cgdmer", *words], env=environment, cwd=tmp_path, capture_output=True, text=True
    )


def test_only_the_command_of_a_stage_asks_the_server(tmp_path, server):
    assert command(tmp_path, "run", "code", "7").returncode == 7
    assert "usage: cgdmer" in command(tmp_path, "--help").stdout


def test_the_server_of_a_worker_runs_the_calls_of_its_commands(tmp_path):
    server = listening(tmp_path, "-m", "cgdmer.fork_server", OMP_NUM_THREADS="1")
    done = command(tmp_path, "run", "nonsense")
    assert done.returncode == 2
    assert "params.yaml is missing" in done.stderr
    assert server.poll() is None, "it has more threads than one"
    server.communicate(timeout=20)
    assert server.returncode == 0


def test_a_folder_whose_name_is_too_long_for_a_socket_leaves_commands_to_themselves(tmp_path, monkeypatch):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.delenv(ADDRESS, raising=False)
    with workers.fork_server():
        assert ADDRESS not in os.environ
    assert not list(folder.iterdir())
