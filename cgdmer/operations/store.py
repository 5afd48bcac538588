"""The results of batch inference: a folder per model and options, to which each run adds a part per 1,024 recordings.

    OUTPUT/embed-3f2a1c8b9d0e/about.json            what the results were computed with
    OUTPUT/embed-3f2a1c8b9d0e/part-000001.parquet   one row per recording: id, sha256 of its content, results
    OUTPUT/embed-3f2a1c8b9d0e/rejects-000001.parquet

A part appears when it is complete, so a run that was killed goes on after its last part.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.commands.outputs import Columns, parquet
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import exclusive_lock, write_json
from cgdmer.recordings.discovery import Rejected

PART, REJECTS, ABOUT = "part", "rejects", "about.json"
NUMBERED = re.compile(rf"({PART}|{REJECTS})-(\d{{6}})\.parquet")


class Store:
    """The parts in one folder, and the digests of the recordings that they hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: set[bytes] = set()
        self._number = 0
        for path in sorted(folder.glob("*.parquet")):
            if match := NUMBERED.fullmatch(path.name):
                self._number = max(self._number, int(match[2]))
                self.known.update(map(bytes.fromhex, _digests(path)))

    def add(self, columns: Columns, rejected: Sequence[tuple[Rejected, str]], meta: dict[str, Any]) -> None:
        """Write one part; `columns` has `id` and `sha256` among others, `rejected` a digest beside each recording."""
        self._number += 1
        digests = [digest for _, digest in rejected]
        if rejected:
            frame = pl.DataFrame({"id": [each.id for each, _ in rejected], "sha256": digests,
                                  "reason": [each.reason for each, _ in rejected]})  # fmt: skip
            tables.write(frame, self._path(REJECTS))
        if columns:
            with parquet(self._path(PART), meta) as write:
                write(columns)
            digests += list(columns["sha256"])
        self.known.update(map(bytes.fromhex, digests))

    def _path(self, kind: str) -> Path:
        return self.folder / f"{kind}-{self._number:06d}.parquet"


@contextmanager
def opened(output: Path, kind: str, identity: Mapping[str, Any]) -> Iterator[Store]:
    """Open the folder of a kind of result, created if it is new; a second process waits.

    `identity` is everything that decides the results. ConfigError if the output is no folder.
    """
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    folder = output / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if output.exists() and not output.is_dir():
        raise ConfigError(f"the output {output} is no folder", allowed="a new folder, or one of earlier runs")
    with exclusive_lock(folder / ".lock"):
        if not (folder / ABOUT).exists():
            write_json(folder / ABOUT, dict(identity))
        yield Store(folder)


def _digests(path: Path) -> list[str]:
    try:
        return pl.read_parquet(path, columns=["sha256"])["sha256"].to_list()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}", fix=f"rm {path}, then run again") from error
