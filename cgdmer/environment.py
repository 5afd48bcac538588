"""CGDMER_* environment variables and memory settings: where and how fast work runs."""

import ctypes
import functools
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cgdmer.errors import ConfigError

MAX_SHOWN = 200
"""Characters of a malformed value that a message quotes."""


@dataclass(frozen=True)
class Environment:
    """The current values of the variables; `read` is cheap, so call it where a value is needed."""

    raw_root: Path | None
    """CGDMER_RAW_ROOT: a folder that holds local copies of corpora."""
    protocol_root: Path | None
    """CGDMER_PROTOCOL_ROOT: a folder with `merl_splits/` and `CKEPE_prompt.json`."""
    device: str
    """CGDMER_DEVICE: `auto`, `cpu`, `cuda` or `cuda:N`."""
    devices: str
    """CGDMER_DEVICES: how many processes pretraining and embedding use, or `auto`."""
    workers: int
    """CGDMER_WORKERS: number of worker processes; by default the CPU count."""
    executor: str
    """CGDMER_EXECUTOR: `processes`, `serial` or `dask://host:port`."""
    data_docs: Path | None
    """CGDMER_DATA_DOCS: a folder for the Data Docs of Great Expectations; by default they are not written."""
    tracking: bool
    """CGDMER_TRACKING: `on` or `off`; with `off`, training sends nothing to MLflow while it runs."""


def read() -> Environment:
    """Read the environment; raise ConfigError for a malformed variable."""
    return Environment(
        raw_root=_path("CGDMER_RAW_ROOT"),
        protocol_root=_path("CGDMER_PROTOCOL_ROOT"),
        device=_device(),
        devices=_devices(),
        workers=_count("CGDMER_WORKERS", len(os.sched_getaffinity(0))),
        executor=os.environ.get("CGDMER_EXECUTOR", "processes"),
        data_docs=Path(docs).expanduser() if (docs := os.environ.get("CGDMER_DATA_DOCS")) else None,
        tracking=_switch("CGDMER_TRACKING"),
    )


def _path(name: str) -> Path | None:
    value = os.environ.get(name)
    if not value:
        return None
    try:
        path = Path(value).expanduser()
        exists = path.is_dir()
    except (OSError, ValueError, RuntimeError):  # a name that is too long, or of an unknown user
        exists = False
    if not exists:
        shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}..."
        raise ConfigError(f"{name}={shown}: no such folder", fix=f"export {name}=/an/existing/folder, or unset {name}")
    return path


def _device() -> str:
    value = os.environ.get("CGDMER_DEVICE") or "auto"
    if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", value):
        raise ConfigError(
            f"CGDMER_DEVICE={value[:MAX_SHOWN]}", allowed="auto, cpu, cuda, cuda:N", fix="export CGDMER_DEVICE=auto"
        )
    return value


def _devices() -> str:
    value = os.environ.get("CGDMER_DEVICES") or "auto"
    if not re.fullmatch("auto|0*[1-9][0-9]{0,3}", value):
        allowed = "auto, or a whole number from 1 to 9999"
        raise ConfigError(f"CGDMER_DEVICES={value[:MAX_SHOWN]}", allowed=allowed, fix="export CGDMER_DEVICES=auto")
    return value


def _count(name: str, default: int) -> int:
    value = os.environ.get(name, "")
    if not value:
        return default
    if not re.fullmatch("0*[1-9][0-9]{0,5}", value):
        allowed = "a whole number from 1 to 999999"
        raise ConfigError(f"{name}={value[:MAX_SHOWN]}", allowed=allowed, fix=f"export {name}={default}")
    return int(value)


def _switch(name: str) -> bool:
    value = os.environ.get(name) or "on"
    if value not in ("on", "off"):
        raise ConfigError(f"{name}={value[:MAX_SHOWN]}", allowed="on, off", fix=f"export {name}=off")
    return value == "on"


TRIM, TOP_PAD, MMAP = -1, -2, -3
"""M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD of glibc's malloc.h: the free memory above which the heap shrinks,
the step by which it grows, and the size above which an allocation gets its own map."""
MALLOC_SETTINGS = ((TRIM, 2**31 - 1), (TOP_PAD, 64 << 20), (MMAP, 32 << 20))
"""Parameter and value in bytes."""


@functools.cache
def keep_freed_memory() -> bool:
    """Make the C library reuse freed memory instead of returning it; return True if the library supports this.

    A network frees and allocates the same megabytes in every layer. By default glibc returns them and the kernel clears
    each page again, which costs a tenth of a training step on a CPU.
    """
    try:
        tune = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return {tune(name, size) for name, size in MALLOC_SETTINGS} == {1}
