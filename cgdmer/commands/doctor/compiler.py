"""The compiler that `train.compile: true` needs while it trains."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cgdmer import settings
from cgdmer.commands.doctor.finding import Finding, of_params
from cgdmer.errors import CgdmerError

SOURCE = "#include <stdlib.h>\n#include <Python.h>\n"
"""What the modules include that Triton and inductor build."""


def check() -> Iterator[Finding]:
    """Look for the compiler that the settings of params.yaml need."""
    return of_params(lambda chosen: check_for(chosen.train))


def check_for(train: settings.Train) -> Iterator[Finding]:
    """Build an empty module with the compiler that torch would choose on this device, if `train.compile` is true."""
    from cgdmer.distributed import choose_device

    if not train.compile:
        return
    try:
        on_gpu = choose_device().type == "cuda"
    except CgdmerError:  # other checks report it
        return
    language, variable, package, suffix = ("C", "CC", "gcc libc6-dev", "c") if on_gpu else ("C++", "CXX", "g++", "cpp")
    command = os.environ[variable] if variable in os.environ else (c_compiler() if on_gpu else cpp_compiler())
    error = "none is on the PATH" if command is None else failure(command, suffix)
    if error is None:
        yield Finding("ok", f"train.compile: {command} builds modules for Python")
        return
    named = f"unset {variable}" if variable in os.environ else f"apt-get install {package} python3-dev"
    yield Finding("bad", f"train.compile: true needs a {language} compiler: {error}",
                  f"{named}; or set train.compile: false in params.yaml")  # fmt: skip


def c_compiler() -> str | None:
    """Return the C compiler that Triton chooses unless CC names one; it builds a module for CUDA at run time."""
    return shutil.which("gcc") or shutil.which("clang")


def cpp_compiler() -> str | None:
    """Return the C++ compiler that inductor chooses for kernels of a CPU unless CXX names one."""
    return shutil.which("clang++" if sys.platform == "darwin" else "g++")


def failure(command: str, suffix: str) -> str | None:
    """Return why a compiler cannot build an empty module for Python, or None if it can."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"module.{suffix}"
        source.write_text(SOURCE, encoding="utf-8")
        flags = ["-shared", "-fPIC", f"-I{sysconfig.get_path('include')}", "-o", str(source.with_suffix(".so"))]
        words = [command, str(source), *flags]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{command}: {getattr(error, 'strerror', None) or type(error).__name__}"
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if "error: " in line]
    return f"{command}: {lines[0].rpartition('error: ')[2] if lines else f'exit status {done.returncode}'}"
