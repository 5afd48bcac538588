"""Which row of a table of labels belongs to which recording: by id, path, file name or name without suffix."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cgdmer.errors import DataError, printable
from cgdmer.recordings import RecordingPath
from cgdmer.recordings.discovery import SIGNAL_FILES, Rejected

DEPTH = 32
"""Folders above a recording that a row may name."""
SHOWN = 3
"""Examples that a message names."""
LONGEST = 120
"""Characters of a name that a message quotes, from its end."""


@dataclass(frozen=True)
class Matches:
    """The recordings that have a row, and what has no counterpart."""

    recordings: list[RecordingPath | Rejected]
    rows: list[int]
    """The row of each recording."""
    rows_without_recording: list[str]
    recordings_without_row: list[str]
    unreadable: list[Rejected]
    """Paths that are no recording and have no row."""


def match(names: Sequence[str], recordings: Sequence[RecordingPath | Rejected]) -> Matches:
    """Find the recording of each row by what the row calls it.

    A name is the id that `embed` writes, or the end of the recording's path, with or without the suffix. DataError if
    a name fits several recordings, or if several rows are of one recording.
    """
    ids = {_normal(one.id): number for number, one in enumerate(recordings)}
    by_end: dict[str, list[int]] = {}
    for number, one in enumerate(recordings):
        for key in dict.fromkeys(_ends(one.id)):
            by_end.setdefault(key, []).append(number)
    row_of: dict[int, int] = {}
    missing = []
    for row, name in enumerate(names):
        fitting = _recording(name, ids, by_end, recordings)
        if fitting is None:
            missing.append(name)
        elif fitting in row_of:
            raise DataError(
                f"two rows are of the recording {printable(recordings[fitting].id)}: "
                f"'{_short(names[row_of[fitting]])}' and '{_short(name)}'",
                allowed="one row for each recording", fix="remove one of them from the table",
            )  # fmt: skip
        else:
            row_of[fitting] = row
    used = sorted(row_of)
    rest = [one for number, one in enumerate(recordings) if number not in row_of]
    return Matches(
        [recordings[number] for number in used],
        [row_of[number] for number in used],
        missing,
        [one.id for one in rest if isinstance(one, RecordingPath)],
        [one for one in rest if isinstance(one, Rejected)],
    )


def _recording(
    name: str, ids: dict[str, int], by_end: dict[str, list[int]], recordings: Sequence[RecordingPath | Rejected]
) -> int | None:
    """Return the number of the recording that a row names, None if there is none."""
    if (number := ids.get(_normal(name))) is not None:
        return number
    path = os.path.normpath(_normal(name))
    key = os.path.abspath(path) if path.startswith("..") else path
    fitting = by_end.get(key, [])
    stem, suffix = os.path.splitext(key)
    if not fitting and suffix.lower() in SIGNAL_FILES:  # read through the header beside them
        fitting = by_end.get(stem, [])
    if len(fitting) > 1:
        raise DataError(
            f"'{_short(name)}' may be any of {len(fitting)} recordings: "
            f"{examples([recordings[one].id for one in fitting])}",
            allowed="a name that fits one recording", fix="write more of its path into the table",
        )  # fmt: skip
    return fitting[0] if fitting else None


def _ends(name: str) -> Iterator[str]:
    """Yield the ends of a path, from the file's name to the whole path, each with and without the suffix."""
    path = os.path.abspath(_normal(name))
    parts = path.strip("/").split("/")
    for end in ["/".join(parts[-count:]) for count in range(1, min(len(parts), DEPTH) + 1)] + [path]:
        yield end
        yield os.path.splitext(end)[0]


def _normal(name: str) -> str:
    """Return a name in composed form: some systems write an accent as a character of its own."""
    return unicodedata.normalize("NFC", name)


def examples(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    text = ", ".join(_short(name) for name in names[:SHOWN])
    return text + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")


def _short(name: str) -> str:
    return printable(name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}")
