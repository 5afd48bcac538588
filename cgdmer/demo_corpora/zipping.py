"""Deterministic zips and CSV tables: members are stored uncompressed, in order, without timestamps."""

import csv
import hashlib
import io
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can record."""

Members = Iterator[tuple[str, Iterable[bytes]]]
"""Name and content of each file. The content is read once, before the next file is requested."""
Files = list[tuple[str, list[bytes]]]
"""Name and content of each file of a record, in memory."""


def pack(path: Path, top: str, members: Members) -> None:
    """Write the files into a zip, below the folder `top`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(f"{top}/{name}", EPOCH)
            member.create_system, member.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            with archive.open(member, "w") as sink:
                for block in content:
                    sink.write(block)


def in_folder(folder: str, files: Mapping[str, bytes]) -> Files:
    """Return the files of a record with the folder before their names."""
    return [(f"{folder}/{name}", [content]) for name, content in files.items()]


def note(title: str, *sentences: str) -> tuple[str, Iterable[bytes]]:
    """Return a file that says that the records are simulated."""
    lines = [f"These records are simulated, in the layout of {title}.", "No patient stands behind them.", *sentences]
    return "SIMULATED.txt", ["".join(f"{line}\n" for line in lines).encode()]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield a CSV line by line; None gives an empty cell."""
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\n")
    for cells in chain([header], rows):
        writer.writerow(cells)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def with_checksums(members: Members, sums: list[str]) -> Members:
    """Pass files through and append a line of SHA256SUMS.txt to `sums` for each file that was read."""
    for name, content in members:
        digest = hashlib.sha256()
        yield name, _observed(content, digest.update)
        sums.append(f"{digest.hexdigest()} {name}\n")


def _observed(content: Iterable[bytes], observe: Callable[[bytes], object]) -> Iterator[bytes]:
    """Pass blocks through and call `observe` with each."""
    for block in content:
        observe(block)
        yield block
