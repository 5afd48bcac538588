"""The results of batch inference: a folder per model and options, to which each run adds a part per 1,024 recordings.

    OUTPUT/embed-3f2a1c8b9d0e/about.json            what the results were computed with
    OUTPUT/embed-3f2a1c8b9d0e/part-000001.parquet   one row per recording: id, sha256 of its content, results
    OUTPUT/embed-3f2a1c8b9d0e/rejects-000001.parquet   with the reason, and the environment that may be the cause

A part appears when it is complete, so a run that was killed goes on after its last part.

A recording that was rejected for a reason of the machine is read again by later runs: at most `TRIES` times in the
same environment, so that one that ends its worker does not slow down every run, and again in another environment.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl

import cgdmer
from cgdmer import tables
from cgdmer.commands.outputs import Columns, parquet
from cgdmer.errors import EXTRAS, ConfigError, DataError
from cgdmer.files import exclusive_lock, write_json
from cgdmer.recordings.discovery import Rejected

PART, REJECTS, ABOUT = "part", "rejects", "about.json"
NUMBERED = re.compile(rf"({PART}|{REJECTS})-(\d{{6}})\.parquet")
READERS = f"cgdmer or {', '.join(EXTRAS['formats'])}"
TRIES = 3
"""How often a recording is read in the same environment if the cause of its rejection may lie there."""


class Store:
    """The parts in one folder, and which recordings need not be read again because of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: set[bytes] = set()
        """Digests of the recordings that are not read again."""
        self.waiting: set[bytes] = set()
        """Those among them that are read again in another environment."""
        self.pending: list[str] = []
        """The `id` of each rejected recording that is to be read again."""
        self._number, self._environment = 0, environment()
        tries, ids = Counter[bytes](), dict[bytes, str]()
        for path in sorted(folder.glob("*.parquet")):
            if match := NUMBERED.fullmatch(path.name):
                self._number = max(self._number, int(match[2]))
                self._read(path, match[1], tries, ids)
        self.waiting = {key for key, count in tries.items() if count >= TRIES and key not in self.known}
        self.known |= self.waiting
        self.pending = [name for key, name in ids.items() if key not in self.known]

    def _read(self, path: Path, kind: str, tries: Counter[bytes], ids: dict[bytes, str]) -> None:
        """Add the digests of one part to `known`, or those to be tried again to `tries` and `ids`."""
        for name, digest, where in _rows(path, kind):
            key = bytes.fromhex(digest)
            if where == "":
                self.known.add(key)
            else:
                tries[key] += where == self._environment
                ids[key] = name

    def add(self, columns: Columns, rejected: Sequence[tuple[Rejected, str]], meta: dict[str, Any]) -> None:
        """Write one part; `columns` has `id` and `sha256` among others, `rejected` a digest beside each recording."""
        self._number += 1
        digests = [digest for each, digest in rejected if not each.may_pass]
        if rejected:
            rows = [
                (each.id, digest, each.reason, self._environment if each.may_pass else "") for each, digest in rejected
            ]
            columns_of_rejects = ["id", "sha256", "reason", "environment"]
            tables.write(pl.DataFrame(rows, columns_of_rejects, orient="row"), self._path(REJECTS))
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


def environment() -> str:
    """Return what may decide whether a recording can be read: the versions of cgdmer and of the readers of formats."""
    return ", ".join([f"cgdmer {cgdmer.__version__}", *(f"{name} {_version(name)}" for name in EXTRAS["formats"])])


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "missing"


def _rows(path: Path, kind: str) -> Iterable[tuple[str, str, str | None]]:
    """Return the id, digest and environment of the recordings in a part.

    The environment is empty where it played no role, and None in rejects of older versions, which did not state it.
    """
    try:
        if kind == PART:
            return [("", digest, "") for digest in pl.read_parquet(path, columns=["sha256"])["sha256"]]
        frame = pl.read_parquet(path)
        stated = frame["environment"] if "environment" in frame.columns else [None] * len(frame)
        return list(zip(frame["id"], frame["sha256"], stated, strict=True))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is damaged: {type(error).__name__}", fix=f"rm {path}, then run again") from error
