"""Disk, memory and the accelerator of this machine."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from cgdmer import environment, paths
from cgdmer.commands.doctor.finding import Finding, State, existing, writable
from cgdmer.errors import CgdmerError

MIN_FREE, RECOMMENDED_FREE = 1 << 30, 10 << 30
"""Bytes free on disk: what the demo needs, and what a real corpus needs in part."""
RECOMMENDED_MEMORY = 8 << 30


def disk() -> Iterator[Finding]:
    """Check the free space and the permissions of each folder that is written to."""
    for folder in (paths.DATA, paths.REPORTS, paths.STATE, Path(tempfile.gettempdir())):
        parent = existing(folder)
        if not writable(parent):
            yield Finding("bad", f"{folder} cannot be written", f"ls -ld {parent}; chown or mount it writable")
            continue
        free = shutil.disk_usage(parent).free
        state: State = "bad" if free < MIN_FREE else "note" if free < RECOMMENDED_FREE else "ok"
        fix = "" if state == "ok" else "dvc gc --workspace, or another disk: dvc cache dir /big/disk"
        yield Finding(state, f"{folder}: writable, {free / (1 << 30):.1f} GiB free", fix)


def memory() -> Iterator[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    workers = environment_or(lambda: environment.read().workers, "?")
    fact = f"{total / (1 << 30):.0f} GiB of memory, {workers} workers"
    if total < RECOMMENDED_MEMORY:
        yield Finding("note", fact, "export CGDMER_WORKERS=1")
    else:
        yield Finding("ok", fact)


def accelerator() -> Iterator[Finding]:
    import torch

    asked = environment_or(lambda: environment.read().device, "auto")
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        yield Finding("ok", f"{count} GPU: {torch.cuda.get_device_name(0)}, bf16 {torch.cuda.is_bf16_supported()}")
    elif asked.startswith("cuda"):
        yield Finding(
            "bad",
            f"CGDMER_DEVICE={asked}, and torch {torch.__version__} sees no GPU",
            "nvidia-smi; export CGDMER_DEVICE=cpu",
        )
    else:
        yield Finding("note", f"no GPU (torch {torch.__version__}): the demo needs none, pretraining at scale does")


def environment_or(read: Callable[[], object], default: str) -> str:
    """Return a value of the environment as text, or the default if it is malformed, which `configuration` reports."""
    try:
        return str(read())
    except CgdmerError:
        return default
