"""Processes that start at once: forked from a server, which under pytest-xdist has imported PyTorch and the package."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest
from torch.multiprocessing.spawn import start_processes

from cgdmer import distributed


def fork_processes(patch: pytest.MonkeyPatch) -> None:
    """Let `launch` fork its processes. They have the environment and the output of the server."""

    @functools.wraps(start_processes)
    def start(*arguments, start_method, **named):
        return start_processes(*arguments, start_method="forkserver", **named)

    patch.setattr(distributed, "start_processes", start)


def call(function: Callable[..., Any], *arguments: Any, environment: Mapping[str, str], fresh: str) -> Any:
    """Call a function in a process with this environment that has not yet imported the package `fresh`."""
    with ProcessPoolExecutor(1, get_context("forkserver"), initializer=_prepare, initargs=(environment, fresh)) as pool:
        return pool.submit(function, *arguments).result()


def _prepare(environment: Mapping[str, str], fresh: str) -> None:
    assert fresh not in sys.modules
    os.environ.clear()
    os.environ.update(environment)
