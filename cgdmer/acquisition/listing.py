"""Parse SHA256SUMS.txt, PhysioNet's list of the files of a corpus and their checksums."""

import re

from cgdmer.archives.members import UNSAFE
from cgdmer.errors import DataError

NAME = "SHA256SUMS.txt"

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *]?(.+)")


def parse(text: str, origin: str, wanted: str = "") -> dict[str, str]:
    """Return path to sha256, sorted by path, for the files whose path matches the regular expression `wanted`.

    `origin` names the list in errors. Raises DataError for a malformed line, a path that leads out of the corpus, a
    path listed with two checksums, or if no file is wanted.
    """
    sums: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            path, digest = _entry(line, f"{origin}, line {number}")
            if sums.setdefault(path, digest) != digest:
                raise _invalid(f"{origin}, line {number}: {path} is listed with two checksums")
    selected = {path: sums[path] for path in sorted(sums) if re.search(wanted, path)}
    if not selected:
        raise _invalid(f"{origin} lists {len(sums)} files, none of which matches {wanted or 'any name'}")
    return selected


def _entry(line: str, location: str) -> tuple[str, str]:
    match = _LINE.fullmatch(line.rstrip())
    if not match:
        raise _invalid(f"{location} is '{line[:80]}'")
    path = match[2].removeprefix("./")
    if UNSAFE.search(path):
        raise _invalid(f"{location}: '{path}' leads out of the corpus and is refused")
    return path, match[1].lower()


def _invalid(problem: str) -> DataError:
    return DataError(
        problem,
        allowed="lines with a sha256, a space and a relative path",
        fix="check the corpus's url in params.yaml",
    )
