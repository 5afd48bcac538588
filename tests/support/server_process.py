"""A server in its own process: its output goes to a file, and every failure shows the end of that file."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

PATIENCE = 240.0
"""Seconds to wait for a server; far more than it needs, so that a loaded machine fails no test."""
SHOWN = 6000
"""Characters of a server's output that a failure shows."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(url: str) -> bool:
    """Return True if an address answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def tail(path: Path) -> str:
    """Return the end of a server's output."""
    text = path.read_text(errors="replace") if path.is_file() else "no output"
    return f"\n== {path.name}\n{text[-SHOWN:]}"


class ServerProcess:
    """A running server and the file of its output."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process, self.output = process, output

    def wait(self, condition: Callable[[], object], patience: float = PATIENCE) -> object:
        """Return the first true result of `condition`; fail if the server ends or `patience` seconds pass."""
        deadline = time.monotonic() + patience
        while not (result := condition()):
            assert self.process.poll() is None, f"the server ended with {self.process.returncode}{tail(self.output)}"
            assert time.monotonic() < deadline, f"not ready after {patience:.0f} s{tail(self.output)}"
            time.sleep(0.2)
        return result


@contextlib.contextmanager
def server_process(command: Sequence[str | Path], output: Path, env: Mapping[str, str]) -> Iterator[ServerProcess]:
    """Run a server and end it with all processes that it started."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield ServerProcess(process, output)
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
