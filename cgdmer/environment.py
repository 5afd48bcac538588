"""The CGDMER_* environment variables and this process's memory: where and how fast work runs, never its result."""

import ctypes
import functools
import os
from dataclasses import dataclass
from pathlib import Path

from cgdmer.errors import ConfigError


@dataclass(frozen=True)
class Environment:
    """The variables as they are now; `read` is cheap, call it where a value is needed."""

    raw_root: Path | None
    """CGDMER_RAW_ROOT: a folder that holds local copies of corpora."""
    protocol_root: Path | None
    """CGDMER_PROTOCOL_ROOT: a folder with `merl_splits/` and `CKEPE_prompt.json`."""
    device: str
    """CGDMER_DEVICE: `auto`, `cpu`, `cuda` or `cuda:N`."""
    devices: str
    """CGDMER_DEVICES: how many processes pretraining and embedding use, or `auto`."""
    workers: int
    """CGDMER_WORKERS: worker processes; the CPU count where unset."""
    executor: str
    """CGDMER_EXECUTOR: `processes`, `serial` or `dask://host:port`."""
    data_docs: Path | None
    """CGDMER_DATA_DOCS: a folder for Great Expectations' Data Docs; they are not written where unset."""
    tracking: bool
    """CGDMER_TRACKING: `on` or `off`; off, training tells MLflow nothing while it runs."""


def read() -> Environment:
    """Read the environment; ConfigError names a malformed variable."""
    return Environment(
        raw_root=_path("CGDMER_RAW_ROOT"),
        protocol_root=_path("CGDMER_PROTOCOL_ROOT"),
        device=os.environ.get("CGDMER_DEVICE", "auto"),
        devices=os.environ.get("CGDMER_DEVICES", "auto"),
        workers=_count("CGDMER_WORKERS", len(os.sched_getaffinity(0))),
        executor=os.environ.get("CGDMER_EXECUTOR", "processes"),
        data_docs=Path(docs).expanduser() if (docs := os.environ.get("CGDMER_DATA_DOCS")) else None,
        tracking=_switch("CGDMER_TRACKING"),
    )


def _path(name: str) -> Path | None:
    value = os.environ.get(name)
    if not value:
        return None
    path = Path(value).expanduser()
    if not path.exists():
        raise ConfigError(f"{name}={value}: no such folder", fix=f"export {name}=/an/existing/folder, or unset {name}")
    return path


def _count(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    if not value:
        return default
    if not value.isdigit() or int(value) < 1:
        raise ConfigError(f"{name}={value}", allowed="a whole number from 1", fix=f"export {name}={default}")
    return int(value)


def _switch(name: str) -> bool:
    value = os.environ.get(name) or "on"
    if value not in ("on", "off"):
        raise ConfigError(f"{name}={value}", allowed="on, off", fix=f"export {name}=off")
    return value == "on"


TRIM, TOP_PAD, MMAP = -1, -2, -3
"""Names of glibc's malloc.h: free memory above which the heap shrinks, step in which it grows, size of an own map."""
MOST, STEP, LARGE = 2**31 - 1, 64 << 20, 32 << 20


@functools.cache
def keep_freed_memory() -> bool:
    """Let freed memory be used again instead of given back; return whether this C library knows how.

    A network frees and takes the same megabytes at every layer. By default glibc gives them back and the kernel clears
    each page anew: a tenth of a training step on a CPU.
    """
    try:
        tune = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return {tune(name, size) for name, size in ((TRIM, MOST), (TOP_PAD, STEP), (MMAP, LARGE))} == {1}
