"""Owns writing made-up files into a zip and into tables: stored, in the order they come, the same bytes each time."""

import csv
import hashlib
import io
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can say."""

Members = Iterator[tuple[str, Iterable[bytes]]]
"""Name and content of each file; the content is read once, before the next file is asked for."""


def pack(path: Path, top: str, members: Members) -> None:
    """Write the files below the folder `top`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members:
            member = zipfile.ZipInfo(f"{top}/{name}", EPOCH)
            member.create_system, member.external_attr = 3, (stat.S_IFREG | 0o644) << 16
            with archive.open(member, "w") as sink:
                for part in content:
                    sink.write(part)


def placed(folder: str, files: Mapping[str, bytes]) -> Members:
    """Name a record's files in their folder."""
    for name, content in files.items():
        yield f"{folder}/{name}", [content]


def note(title: str, *sentences: str) -> tuple[str, Iterable[bytes]]:
    """Return the file that keeps a person from taking the records for real ones."""
    lines = [f"These records are simulated, in the layout of {title}.", "No patient stands behind them.", *sentences]
    return "SIMULATED.txt", ["".join(f"{line}\n" for line in lines).encode()]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yield a CSV line by line; None is an empty cell."""
    line = io.StringIO(newline="")
    writer = csv.writer(line, lineterminator="\n")
    for cells in chain([header], rows):
        writer.writerow(cells)
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def summed(members: Members, sums: list[str]) -> Members:
    """Pass files on, and add a line of SHA256SUMS.txt for each once it has been read."""
    for name, content in members:
        digest = hashlib.sha256()
        yield name, _told(content, digest.update)
        sums.append(f"{digest.hexdigest()} {name}\n")


def _told(content: Iterable[bytes], tell: Callable[[bytes], None]) -> Iterator[bytes]:
    for part in content:
        tell(part)
        yield part
