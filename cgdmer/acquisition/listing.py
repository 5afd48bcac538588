"""Owns SHA256SUMS.txt, PhysioNet's list of a corpus's files and their checksums."""

import re

from cgdmer.archives.members import UNSAFE
from cgdmer.errors import DataError

NAME = "SHA256SUMS.txt"

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")


def parse(text: str, origin: str, wanted: str = "") -> dict[str, str]:
    """Return path to sha256 of the files whose path `wanted` (a regular expression) is found in, sorted by path.

    `origin` names the list in errors: DataError for a line of another form, a path that leads out of the corpus, a
    path listed with two sums, or nothing wanted.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            path, digest = _entry(line, f"{origin}, line {number}")
            if sums.setdefault(path, digest) != digest:
                raise _refused(f"{origin}, line {number}: {path} is listed with two checksums")
    chosen = {path: sums[path] for path in sorted(sums) if re.search(wanted, path)}
    if not chosen:
        raise _refused(f"{origin}: {len(sums)} files are listed, and none that is needed ({wanted or 'all are'})")
    return chosen


def _entry(line: str, where: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line.rstrip())
    if not match:
        raise _refused(f"{where} is '{line[:80]}'")
    path = match[2].removeprefix("./")
    if UNSAFE.search(path):
        raise _refused(f"{where}: '{path}' leads out of the corpus and is refused")
    return path, match[1].lower()


def _refused(fact: str) -> DataError:
    return DataError(
        fact, allowed="lines of a sha256, a blank and a relative path", fix="check the corpus's url in params.yaml"
    )
