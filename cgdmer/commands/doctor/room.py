"""The disk space that a profile needs, computed; how fast the disk writes; and how DVC links its cache."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cgdmer import paths
from cgdmer.commands.doctor import project
from cgdmer.commands.doctor.corpora import LEADS, Copy
from cgdmer.commands.doctor.finding import GB, Finding, existing
from cgdmer.objectives import Objective
from cgdmer.settings import Settings

INT16 = 2
FLOAT = 4
FICLONE = 0x40049409
"""ioctl of Linux that makes a file share the blocks of another."""
CACHE = Path(".dvc/cache")
WRITTEN, BLOCK, SLOW = 128 << 20, 4 << 20, 100e6
"""Bytes written to measure the disk, bytes of one write, and bytes per second below which a disk is slow."""


@dataclass(frozen=True)
class Need:
    """Bytes that the outputs of a profile take."""

    simulated: int
    shards: int
    embeddings: int
    checkpoints: int
    """What training keeps until it ends: `train.keep` checkpoints, one being written, and the best weights."""
    model: int

    def total(self, copies: int) -> int:
        """Return all bytes; `copies` is 2 where DVC's cache cannot link and holds each output a second time."""
        return copies * (self.simulated + self.shards + self.embeddings + self.model) + self.checkpoints


def need(chosen: Settings, found: dict[str, Copy], task: Objective) -> Need:
    """Compute the bytes of all outputs from numbers of recordings and of parameters."""
    records = sum(copy.records for copy in found.values())
    benchmark = sum(found[source].records for source in chosen.matrix.benchmarks if source in found)
    encoders = len({*chosen.matrix.encoders, *chosen.matrix.controls})
    features = 4 * chosen.model.pooled_width + chosen.model.projection  # shared, specific, pooled (both) and aligned
    trained = sum(parameter.numel() for parameter in task.parameters() if parameter.requires_grad)
    frozen = sum(parameter.numel() for parameter in task.parameters()) - trained
    state = FLOAT * ((4 if chosen.train.ema else 3) * trained + frozen)  # weights, two moments, the average
    weights = FLOAT * (trained + frozen)
    return Need(
        simulated=sum(copy.size for copy in found.values() if copy.way == "simulate"),
        shards=records * LEADS * chosen.signal.samples * INT16,
        embeddings=benchmark * encoders * features * FLOAT,
        checkpoints=(chosen.train.keep + 1) * state + weights,
        model=weights,
    )


def findings(chosen: Settings, found: dict[str, Copy], task: Objective) -> Iterator[Finding]:
    """Compare the space that the profile needs with what is free, and look at the disk."""
    link = link_type(existing(paths.DATA), existing(project.cache_folder() or CACHE))
    if link == "copy":
        yield Finding("note", "DVC's cache copies: every output is on the disk twice",
                      "dvc cache dir FOLDER on the disk of data/, or a file system with links")  # fmt: skip
    else:
        yield Finding("ok", f"DVC's cache and data/ share files by {link}")
    bytes_needed = need(chosen, found, task)
    copies = 2 if link == "copy" else 1
    total, held = bytes_needed.total(copies), size_of(paths.DATA) + size_of(paths.STATE)
    free = shutil.disk_usage(existing(paths.DATA)).free
    parts = {"shards": bytes_needed.shards, "features": bytes_needed.embeddings,
             "checkpoints while training": bytes_needed.checkpoints, "model": bytes_needed.model}  # fmt: skip
    listed = ", ".join(f"{name} {size / GB:.2f} GB" for name, size in parts.items())
    fact = f"disk, computed: {total / GB:.1f} GB in all ({listed}{', twice' if copies == 2 else ''})"
    fact += f"; {held / GB:.1f} GB are there already, {free / GB:.1f} GB free"
    if total - held > free:
        yield Finding("bad", fact, "free space, or move data, .dvc/cache and .cgdmer to a larger disk and link them")
    else:
        yield Finding("ok", fact)
    yield from speed(existing(paths.STATE), bytes_needed.checkpoints // (chosen.train.keep + 2))


def speed(folder: Path, checkpoint: int) -> Iterator[Finding]:
    """Measure how fast the disk of a folder writes, and compute what that means for a checkpoint."""
    try:
        rate = write_speed(folder)
    except OSError as error:
        yield Finding("bad", f"{folder.absolute()} cannot be written: {error.strerror}", "free space there")
        return
    fact = f"the disk of .cgdmer writes {rate / 1e6:,.0f} MB/s: a checkpoint of {checkpoint / GB:.2f} GB takes "
    fact += f"{checkpoint / rate:.1f} s (computed), in the background"
    slow = "link .cgdmer to a faster disk" if rate < SLOW else ""
    yield Finding("note" if slow else "ok", fact, slow)


def write_speed(folder: Path) -> float:
    """Return the bytes per second at which a file is written and forced to the disk."""
    block = os.urandom(BLOCK)
    begin = time.perf_counter()
    with tempfile.TemporaryFile(dir=folder) as stream:
        for _ in range(WRITTEN // BLOCK):
            stream.write(block)
        stream.flush()
        os.fsync(stream.fileno())
    return WRITTEN / (time.perf_counter() - begin)


def link_type(data: Path, cache: Path) -> str:
    """Return how a file of the cache can appear in data/: `reflink`, `hardlink` or `copy`, by trying it."""
    try:
        with tempfile.NamedTemporaryFile(dir=cache) as original:
            original.write(b"x" * 4096)
            original.flush()
            clone = data / f".{Path(original.name).name}.link"
            try:
                return _linked(Path(original.name), clone)
            finally:
                clone.unlink(missing_ok=True)
    except OSError:
        return "copy"


def _linked(original: Path, clone: Path) -> str:
    """Try to reflink, then to hard-link `original` as `clone`."""
    with original.open("rb") as source, clone.open("wb") as target:
        try:
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        except OSError:
            target.close()
            clone.unlink()
        else:
            return "reflink"
    os.link(original, clone)
    return "hardlink"


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; files with several names count once."""
    sizes = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())
