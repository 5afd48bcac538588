"""A server that has done the slow imports of the stages and forks a process for each stage call.

A process that imports torch takes two seconds to start, and the demo calls sixty stages. The command of a stage asks
the server, if there is one, to run its call with its own files, folder and environment. Signals to the command reach
the call, the command ends as the call does, and the call ends with the command or with the server, even by SIGKILL.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

TAKEN = b"T"
"""What the server answers before it runs a call."""
LIMIT = 1 << 17
"""Bytes of the longest message: the arguments and the environment of a call."""
PASSED_ON = (signal.SIGTERM, signal.SIGINT)
PARENT_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG of linux/prctl.h."""


def supported() -> bool:
    """Return True if the kernel has what `serve` needs: Linux 5.3 or newer."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def listen(path: Path) -> socket.socket:
    """Open the socket of a server, in which calls wait until `serve` answers them; OSError if `path` is too long."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(str(path))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def ask(address: str, arguments: Sequence[str]) -> int | None:
    """Let the server at `address` run a command, and return its exit code; None if no server takes the call.

    If a signal ends the call, it ends this process too.
    """
    call = {"arguments": [*arguments], "folder": os.getcwd(), "environment": dict(os.environ)}
    message = json.dumps(call).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(address)
            if len(message) > LIMIT or not socket.send_fds(connection, [message], [0, 1, 2]) or not connection.recv(1):
                return None
        except OSError:
            return None
        for number in PASSED_ON:
            signal.signal(number, lambda received, _: _send(connection, bytes([received])))
        code = int(_received(connection) or -signal.SIGKILL)
    if code < 0:
        if code != -signal.SIGKILL:  # which has no other action
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def serve(listener: socket.socket, run: Callable[[Sequence[str]], int]) -> int:
    """Answer calls one after another until the parent closes standard input.

    Returns the exit code of this process: in a forked one, that of `run` with the arguments of the call.
    """
    before = {number: signal.signal(number, lambda *_: None) for number in PASSED_ON}
    while listener.fileno() in _ready(listener.fileno(), 0):
        connection, _ = listener.accept()
        with connection:
            message, files, _, _ = socket.recv_fds(connection, LIMIT, 3)
            if message:
                _send(connection, TAKEN)
                if not (process := os.fork()):
                    listener.close()
                    connection.close()
                    return run(_take_over(json.loads(message), files, before))
                _send(connection, str(_attend(process, connection)).encode())
            for file in files:
                os.close(file)
    return 0


def _ready(*files: int) -> list[int]:
    """Wait until some of the file descriptors can be read, and return those."""
    return select.select(files, [], [])[0]


def _send(connection: socket.socket, message: bytes) -> None:
    """Send a message, unless the other end is gone."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.send(message)


def _received(connection: socket.socket) -> bytes:
    """Return the next message, empty if the other end is gone."""
    try:
        return connection.recv(LIMIT)
    except ConnectionResetError:
        return b""


def _take_over(call: dict[str, Any], files: Sequence[int], handlers: Mapping[signal.Signals, Any]) -> list[str]:
    """Take the files, folder, environment and signal handlers of a call, and return its arguments."""
    ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
    os.setpgid(0, 0)  # signals to the group reach the command, which passes them on
    for number, handler in handlers.items():
        signal.signal(number, handler)
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    arguments: list[str] = call["arguments"]
    sys.argv[1:] = arguments
    return arguments


def _attend(process: int, connection: socket.socket) -> int:
    """Pass signals on until a forked process ends, and return its exit code; without the command, kill it."""
    ended = os.pidfd_open(process)
    while ended not in _ready(ended, connection.fileno()):
        received = _received(connection)
        os.kill(process, received[0] if received else signal.SIGKILL)
        if not received:
            break
    os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
