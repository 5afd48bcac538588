"""Processes of `distributed.launch` that start at once: forked from a server, which under pytest-xdist has PyTorch."""

import functools

import pytest
from torch.multiprocessing.spawn import start_processes

from cgdmer import distributed


def fork_processes(patch: pytest.MonkeyPatch) -> None:
    """Let `launch` fork its processes. They have the environment and the output of the server."""

    @functools.wraps(start_processes)
    def start(*arguments, start_method, **named):
        return start_processes(*arguments, start_method="forkserver", **named)

    patch.setattr(distributed, "start_processes", start)
