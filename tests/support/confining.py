"""Whether this machine can confine a process; tests that need it skip elsewhere, with the reason."""

import platform

import pytest

from cgdmer.conversion import confinement


def possible() -> bool:
    """Return True on Linux on x86-64 with a Landlock that covers truncation."""
    if platform.machine() != "x86_64" or platform.system() != "Linux":
        return False
    version: int = confinement.libc.syscall(confinement.CREATE_RULESET, None, 0, 1)
    return version >= confinement.LANDLOCK_VERSION


needs_confinement = pytest.mark.skipif(not possible(), reason="this machine cannot confine a process (Landlock)")
