"""Parts of the GPU benchmark that succeed and fail in every way, importable by the processes that run them."""

import os
import subprocess
import time
from pathlib import Path

from benchmarks.gpu.result import Measurement

SLOW_CHILD = "child.pid"


def sound(bench):
    (bench.scratch / "left-over").write_text("x")
    return [Measurement("speed", 3.0, "records/s", 1.0, "plain", "2 x plain", True)]


def missed_goal(bench):
    return [Measurement("speed", 1.5, "records/s", goal="2 x plain", reached=False)]


def inexact(bench):
    return [Measurement("difference", 0.5, "", goal="at most 1e-05", reached=False, required=True)]


def raises(bench):
    raise ValueError("a wrong number")


def dies(bench):
    os._exit(9)


def hangs(bench):
    child = subprocess.Popen(["sleep", "600"])
    Path(bench.corpus, SLOW_CHILD).write_text(str(child.pid))
    time.sleep(600)
