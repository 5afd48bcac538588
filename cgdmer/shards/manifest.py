"""`manifest.json` of a shard folder: its content, and whether the files beside it are the ones it describes."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cgdmer import paths
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, write_json

NAME = "manifest.json"
ROWS = "rows.parquet"
QUARANTINE = "quarantine.parquet"
SETTLED = 2_000_000_000
"""Nanoseconds. A file that changed more recently may change again within one clock tick, so it is read again."""


@dataclass(frozen=True)
class Manifest:
    """Description of a shard folder: int16 microvolt arrays (records, leads, samples) and the tables beside them."""

    fs: float
    """Sampling rate in Hz."""
    samples: int
    """Samples per row."""
    leads: tuple[str, ...]
    """Names of the leads, in order."""
    records: int
    """Records of all shards."""
    settings: dict[str, Any]
    """The settings that decided the signals."""
    shards: dict[str, int]
    """Number of records by signal file, in row order."""
    files: dict[str, str]
    """Hex sha256 by file, signal files and tables alike."""
    bytes: dict[str, int]
    """Size in bytes by file."""
    digest: str
    """Hex sha256 over everything above; equal digests mean equal content."""


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"signals-{number:05d}.npy"


def describe(
    folder: Path,
    *,
    fs: float,
    samples: int,
    leads: Sequence[str],
    settings: dict[str, Any],
    shards: Mapping[str, int],
    digests: Mapping[str, str] | None = None,
) -> Manifest:
    """Write the manifest of a complete folder and return it.

    `shards` maps signal files to their number of records; `digests` may hold the sha256 of files that were hashed when
    they were written.
    """
    names = [*shards, ROWS, QUARANTINE]
    files = {name: (digests or {}).get(name) or sha256(folder / name) for name in names}
    content: dict[str, Any] = {
        "fs": fs,
        "samples": samples,
        "leads": tuple(leads),
        "records": sum(shards.values()),
        "settings": settings,
        "shards": dict(shards),
        "files": files,
        "bytes": {name: (folder / name).stat().st_size for name in names},
    }
    manifest = Manifest(**content, digest=_digest(content))
    write_json(folder / NAME, asdict(manifest))
    return manifest


def check(folder: Path, verify: bool = False) -> Manifest:
    """Read the manifest and check the size of every file, with `verify` its sha256 too; DataError names the file.

    A file is not read again while its inode, size and times are those at which its sha256 was last compared: the stages
    would read 48 GB of MIMIC-IV-ECG six times.
    """
    manifest = _read(folder)
    compared = _compared(folder) if verify else {}
    started = time.time_ns()
    for name, size in manifest.bytes.items():
        path = folder / name
        if not path.is_file():
            raise damaged(path, "is missing")
        if path.stat().st_size != size:
            raise damaged(path, f"has {path.stat().st_size} bytes, the manifest says {size}")
        if not verify or compared.get(name) == (state := _state(path, manifest.files[name])):
            continue
        if sha256(path) != manifest.files[name]:
            raise damaged(path, "differs from the sha256 in the manifest")
        compared[name] = state if max(state[-2:]) < started - SETTLED else []
    if verify:
        write_json(_memory(folder), compared)
    return manifest


def _state(path: Path, digest: str) -> list[Any]:
    """Return what changes when a file does: modification time and status-change time in ns are last."""
    status = path.stat()
    return [digest, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _compared(folder: Path) -> dict[str, list[Any]]:
    """Return the state of each file when its sha256 was last compared."""
    try:
        content: dict[str, list[Any]] = read_json(_memory(folder))
        return dict(content)
    except (OSError, ValueError, TypeError):
        return {}


def _memory(folder: Path) -> Path:
    """Return the scratch file that remembers these states."""
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return paths.STATE / "verified" / f"{name}.json"


def damaged(path: Path, fact: str) -> DataError:
    """Return the error for a damaged file of a shard folder, with the command that restores the folder."""
    folder = path.parent
    fix = f"rm -r {folder} && dvc checkout {folder}, or dvc repro --force shards@{folder.name}"
    return DataError(f"{path} {fact}", fix=fix)


def _read(folder: Path) -> Manifest:
    path = folder / NAME
    if not path.is_file():
        raise damaged(path, "is missing")
    try:
        content = read_json(path)
        digest = content.pop("digest")
        content["leads"] = tuple(content["leads"])
        manifest = Manifest(**content, digest=digest)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(path, f"cannot be read: {error}") from error
    if _digest(content) != digest:
        raise damaged(path, "does not match its own digest")
    return manifest


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
