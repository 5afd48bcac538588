"""Owns the question whether a download fits on the disk, asked before it starts."""

import logging
import shutil
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from cgdmer.acquisition.connection import address
from cgdmer.acquisition.fetch import Client
from cgdmer.errors import DataError

log = logging.getLogger(__name__)

SAMPLE = 32
"""Files of one suffix whose length is asked for. Recordings of one kind are alike: the mean of 32 stands for all."""
RESERVE = 1 << 28
"""Bytes that stay free for everything else."""


def estimate(client: Client, base: str, paths: Iterable[str]) -> int:
    """Return the bytes of files on the server: exact for up to SAMPLE files a suffix, else by the mean of a sample.

    Files whose length the server does not tell count nothing; then the disk may still run full, with its own error.
    """
    kinds: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        kinds[PurePosixPath(path).suffix].append(path)
    total = 0.0
    with ThreadPoolExecutor(client.policy.connections) as pool:
        for members in kinds.values():
            asked = members[:: -(-len(members) // SAMPLE)]
            sizes = pool.map(lambda path: client.size(address(base, path)), asked)
            known = [size for size in sizes if size is not None]
            total += sum(known) / len(known) * len(members) if known else 0
    return round(total)


def require(folder: Path, size: int, what: str) -> None:
    """Raise DataError when `folder`'s disk has no room for `size` bytes and the reserve."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    log.info("%s needs %.2f GB more; %.2f GB are free", what, size / 1e9, free / 1e9)
    if size + RESERVE > free:
        raise DataError(
            f"{what} needs {size / 1e9:.2f} GB more on the disk of {folder}, which has {free / 1e9:.2f} GB free",
            allowed=f"{(size + RESERVE) / 1e9:.2f} GB with the reserve",
            fix="free space, or link .cgdmer and data to a larger disk; then run the same command again",
        )
