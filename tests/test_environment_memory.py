"""Freed memory stays with the process: repeated work takes no new pages."""

import resource
import subprocess
import sys

import pytest

from cgdmer import environment

WORK = """
import resource
import torch
from cgdmer import environment
assert environment.keep_freed_memory()
def work():
    for _ in range(20):
        x = torch.ones(4 << 20, dtype=torch.uint8)
        y = torch.ones(6 << 20, dtype=torch.uint8)
        del x, y
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_freed_memory_is_used_again():
    done = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True)
    pages = 20 * (10 << 20) // resource.getpagesize()
    assert int(done.stdout) < pages // 100


def test_a_library_without_the_call_is_left_alone(monkeypatch):
    monkeypatch.setattr(environment.ctypes, "CDLL", lambda name: object())
    assert environment.keep_freed_memory.__wrapped__() is False
