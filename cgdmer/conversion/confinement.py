"""Confine this process for good: no network, no other process, no write outside one folder (Linux on x86-64).

Landlock limits which files may be read and written; a seccomp filter allows the system calls that reading a file and
computing need, and no other. Neither can be lifted again, and both hold for everything the process does afterwards.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence
from pathlib import Path

EXECUTE, WRITE, READ, LIST, REMOVE, CREATE, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 8, 1 << 14
"""Rights of Landlock (linux/landlock.h)."""
ALL_RIGHTS = (1 << 15) - 1
"""Every right of Landlock's third version, the first that covers truncation."""
LANDLOCK_VERSION = 3
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, SECCOMP = 444, 445, 446, 317
"""Numbers of system calls on x86-64; those of Landlock are the same everywhere."""
NO_NEW_PRIVILEGES = 38
X86_64 = 0xC000003E
"""AUDIT_ARCH_X86_64."""
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
"""Verdicts of a seccomp filter."""
CALLS = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7, "lseek": 8,
    "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigaction": 13, "rt_sigprocmask": 14,
    "rt_sigreturn": 15, "pread64": 17, "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "sched_yield": 24,
    "mremap": 25, "madvise": 28, "dup": 32, "dup2": 33, "nanosleep": 35, "getpid": 39, "exit": 60, "uname": 63,
    "fcntl": 72, "fsync": 74, "ftruncate": 77, "getcwd": 79, "rename": 82, "unlink": 87, "readlink": 89,
    "gettimeofday": 96, "getrusage": 98, "sysinfo": 99, "times": 100, "getuid": 102, "getgid": 104, "geteuid": 107,
    "getegid": 108, "sigaltstack": 131, "arch_prctl": 158, "gettid": 186, "futex": 202, "sched_getaffinity": 204,
    "getdents64": 217, "fadvise64": 221, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230,
    "exit_group": 231, "openat": 257, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "readlinkat": 267,
    "faccessat": 269, "set_robust_list": 273, "renameat2": 316, "getrandom": 318, "membarrier": 324, "statx": 332,
    "rseq": 334, "faccessat2": 439,
}  # fmt: skip
"""The system calls that remain. Sockets, processes, signals, permissions, devices and mounts are not among them."""

libc = ctypes.CDLL(None, use_errno=True)


def confine(writable: Path, readable: Sequence[Path]) -> None:
    """Confine this process to reading `readable` and `writable` and writing below `writable`.

    OSError if the machine cannot do it.
    """
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        raise OSError(f"{platform.system()} on {platform.machine()} is not supported")
    if len(os.listdir("/proc/self/task")) > 1:
        raise OSError("this process has several threads, and only one of them could be confined")
    call(libc.prctl, NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    restrict_files(writable, readable)
    restrict_calls()


def restrict_files(writable: Path, readable: Sequence[Path]) -> None:
    """Forbid every access to files that no rule grants."""
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < LANDLOCK_VERSION:
        raise OSError(f"Landlock {max(version, 0)} is here, {LANDLOCK_VERSION} is needed")
    handled = ctypes.c_uint64(ALL_RIGHTS)
    ruleset = call(libc.syscall, CREATE_RULESET, ctypes.byref(handled), 8, 0)
    for path in readable:
        grant(ruleset, path, READ | EXECUTE | LIST if path.is_dir() else READ)
    grant(ruleset, writable, WRITE | READ | LIST | REMOVE | CREATE | TRUNCATE)
    call(libc.syscall, RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def grant(ruleset: int, path: Path, rights: int) -> None:
    """Add a rule for everything below `path`."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, descriptor))
    call(libc.syscall, ADD_RULE, ruleset, 1, rule, 0)
    os.close(descriptor)


def restrict_calls() -> None:
    """Forbid every system call that is not in `CALLS`."""
    code = [
        instruction(0x20, 0, 0, 4),  # load the architecture
        instruction(0x15, 1, 0, X86_64),
        instruction(0x06, 0, 0, KILL),
        instruction(0x20, 0, 0, 0),  # load the number of the call
    ]
    for position, number in enumerate(sorted(CALLS.values())):
        code.append(instruction(0x15, len(CALLS) - position, 0, number))  # jump to the last instruction
    code += [instruction(0x06, 0, 0, FAIL), instruction(0x06, 0, 0, ALLOW)]
    program = ctypes.create_string_buffer(b"".join(code))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(program)))
    call(libc.syscall, SECCOMP, 1, 0, header)


def instruction(code: int, when_true: int, when_false: int, value: int) -> bytes:
    """Return one instruction of a classic BPF program (linux/filter.h)."""
    return struct.pack("=HBBI", code, when_true, when_false, value)


def call(function: "ctypes._FuncPointer", *arguments: object) -> int:
    """Call a function of the C library; raise OSError when it fails."""
    result = int(function(*arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{os.strerror(number)} ({arguments[0]})")
    return result
