"""A confined process reads what it may, writes into its folder, and can do nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.confining import needs_confinement

from cgdmer.conversion import confinement, isolated
from cgdmer.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
ATTEMPTS = {
    "read a file": "open(outside / 'secret').read()",
    "write a file": "open(outside / 'new', 'w')",
    "append to a file": "open(outside / 'secret', 'a')",
    "truncate a file": "os.truncate(outside / 'secret', 0)",
    "remove a file": "os.unlink(outside / 'secret')",
    "make a folder": "os.mkdir(outside / 'folder')",
    "move its output away": "open('mine', 'w').close(); os.rename('mine', outside / 'mine')",
    "link to a file": "os.link(outside / 'secret', 'linked')",
    "make a symbolic link": "os.symlink(outside / 'secret', 'linked')",
    "change permissions": "os.chmod(outside / 'secret', 0o777)",
    "change the owner": "os.chown(outside / 'secret', 1, 1)",
    "change times": "os.utime(outside / 'secret', (1, 1))",
    "list a folder": "os.listdir(outside)",
    "open a socket": "socket.socket()",
    "open a Unix socket": "socket.socket(socket.AF_UNIX)",
    "open a pair of sockets": "socket.socketpair()",
    "start a program": "os.execv('/bin/true', ['true'])",
    "start a process": "os.fork()",
    "spawn a program": "os.posix_spawn('/bin/true', ['true'], {})",
    "start a thread": "threading.Thread(target=print).start()",
    "end another process": "os.kill(os.getppid(), 15)",
    "limit another process": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))",
    "mount": "libc_call('mount', b'none', b'/', b'tmpfs', 0, None)",
    "leave its namespace": "libc_call('unshare', 0x20000)",
    "read another process": "libc_call('ptrace', 16, os.getppid(), 0, 0)",
}


SCRIPT = """
import ctypes, json, os, resource, socket, sys, threading
from pathlib import Path
from cgdmer.conversion.confinement import confine
libc = ctypes.CDLL(None, use_errno=True)
def libc_call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
outside, attempts = Path(sys.argv[1]), json.loads(sys.argv[2])
confine(Path.cwd(), [Path(sys.prefix), Path(sys.base_prefix)])
for name, code in attempts.items():
    try:
        exec(code)
    except (OSError, RuntimeError):
        print("refused", name, flush=True)
    else:
        print("done", name, flush=True)
"""


def confined(folder, attempts):
    """Make attempts in a confined process; return what became of each."""
    command = [sys.executable, "-c", SCRIPT, folder / "outside", json.dumps(attempts)]
    done = subprocess.run(
        command, cwd=folder / "inside", env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    return {name: word for word, name in (line.split(" ", 1) for line in done.stdout.splitlines())}


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    return tmp_path


@needs_confinement
def test_a_confined_process_can_do_nothing_outside_its_folder(folders):
    assert confined(folders, ATTEMPTS) == dict.fromkeys(ATTEMPTS, "refused")
    assert {path.name: path.read_text() for path in (folders / "outside").iterdir()} == {"secret": "secret"}


@needs_confinement
def test_a_confined_process_can_write_read_and_remove_in_its_folder(folders):
    steps = {
        "write": "Path('a').write_text('x')",
        "rename": "os.rename('a', 'b')",
        "read": "Path('b').read_text()",
        "remove": "Path('c').touch(); os.unlink('c')",
    }
    assert confined(folders, steps) == dict.fromkeys(steps, "done")
    assert [path.name for path in (folders / "inside").iterdir()] == ["b"]


@pytest.mark.parametrize(("what", "value"), [("machine", "aarch64"), ("system", "Darwin")])
def test_another_machine_is_refused(monkeypatch, tmp_path, what, value):
    monkeypatch.setattr(confinement.platform, what, lambda: value)
    with pytest.raises(OSError, match=f"{value}.* is not supported"):
        confinement.confine(tmp_path, [])


def test_a_kernel_without_landlock_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(confinement.libc, "syscall", lambda *_: -1)
    with pytest.raises(OSError, match="Landlock 0 is here, 3 is needed"):
        confinement.restrict_files(tmp_path, [])


def test_a_machine_that_cannot_isolate_reads_nothing(monkeypatch, tmp_path):
    def refused(*_, **__):
        return subprocess.CompletedProcess([], isolated.REFUSED, b"", b"Landlock 0 is here, 3 is needed\n")

    monkeypatch.setattr(isolated.subprocess, "run", refused)
    with pytest.raises(ConfigError, match="cannot isolate a process: Landlock 0 is here"):
        isolated.extract(tmp_path / "x.pth", tmp_path)
