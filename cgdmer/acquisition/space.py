"""Check that a download fits on the disk before it starts."""

import logging
import shutil
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from cgdmer.acquisition.connection import file_url
from cgdmer.acquisition.fetch import Client
from cgdmer.errors import DataError

log = logging.getLogger(__name__)

SAMPLE = 32
"""Files per suffix whose length is requested. Files with one suffix are alike, so the mean of 32 stands for all."""
RESERVE = 1 << 28
"""Bytes that stay free for everything else."""


def estimate(client: Client, base: str, paths: Iterable[str]) -> int:
    """Return the bytes of files on the server: exact for up to SAMPLE files per suffix, else from the mean of a sample.

    Files whose length the server does not state count as zero; the disk may then still fill up, with its own error.
    """
    by_suffix: defaultdict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_suffix[PurePosixPath(path).suffix].append(path)
    total = 0.0
    with ThreadPoolExecutor(client.policy.connections) as pool:
        for members in by_suffix.values():
            sample = members[:: -(-len(members) // SAMPLE)]
            lengths = pool.map(lambda path: client.size(file_url(base, path)), sample)
            sizes = [size for size in lengths if size is not None]
            total += sum(sizes) / len(sizes) * len(members) if sizes else 0
    return round(total)


def require(folder: Path, size: int, what: str) -> None:
    """Raise DataError if the disk of `folder` has no room for `size` bytes and the reserve."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    log.info("%s needs %.2f GB more; %.2f GB are free", what, size / 1e9, free / 1e9)
    if size + RESERVE > free:
        raise DataError(
            f"{what} needs {size / 1e9:.2f} GB more on the disk of {folder}, which has {free / 1e9:.2f} GB free",
            allowed=f"at least {(size + RESERVE) / 1e9:.2f} GB free, including the reserve",
            fix="free space, or link .cgdmer and data to a larger disk; then run the same command again",
        )
