"""Where a command may write: never over an input, a sidecar or a file that this program did not write.

A file of this program is recognised by its content: CSV by its sha256 in the metadata beside it, Parquet and pictures
by the sha256 in their mark, workbooks by a mark at their end. What was edited since is the user's.
"""

import csv
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from cgdmer import embeddings
from cgdmer.commands import marks, spreadsheet
from cgdmer.errors import ConfigError, printable
from cgdmer.files import read_json, sha256, without_digest
from cgdmer.recordings.array_metadata import METADATA_SUFFIX
from cgdmer.recordings.discovery import RecordingPath, Rejected
from cgdmer.recordings.skipped import REJECTS_HEADER, REJECTS_SUFFIX

KEY = "cgdmer"
"""Key of the program's version in the metadata of an output; in Parquet, of all the metadata."""
COMPANIONS = (".json", ".hea", ".dat", ".mat")
"""Suffixes of the files beside a recording that are read with it."""
SMALL = 1 << 24
"""Bytes of the largest metadata file."""


def metadata_beside(output: Path) -> Path:
    """Return the file of a table's metadata; recordings never take a file of this name for a sidecar."""
    return output.with_name(output.name + METADATA_SUFFIX)


def rejects_beside(output: Path) -> Path:
    """Return the list of the recordings that were rejected."""
    return output.with_name(output.stem + REJECTS_SUFFIX)


def claim(output: Path, inputs: Sequence[str], *, overwrite: bool) -> None:
    """Check that an output and what is written beside it may be written; ConfigError says which file is in the way.

    `overwrite` allows to replace files of others, but never an input of the same command or a file in an input folder.
    """
    if output.name in ("", "..", "-"):
        raise ConfigError(f"--output '{output}' names no file", allowed="a name such as result.parquet")
    if output.suffix == "" and _kind(output):
        _claim_folder(output, inputs, overwrite)
    for target in _targets(output):
        claim_file(target, inputs, overwrite)


def _targets(output: Path) -> list[Path]:
    """Return the files that a command writes for an output, apart from those inside a folder."""
    files = [output] if output.suffix else []
    files += [metadata_beside(output)] if output.suffix == ".csv" else []
    return files + ([] if output.suffix in (".svg", ".png") else [rejects_beside(output)])


def check_inputs(output: Path, inputs: Sequence[Path]) -> None:
    """Raise ConfigError if an output would replace a file that the command reads besides the recordings."""
    for target in _targets(output):
        if target.exists() and any(_same(str(target), str(path)) for path in inputs):
            raise _read_too(target)


def claim_file(target: Path, inputs: Sequence[str], overwrite: bool) -> None:
    """Raise ConfigError unless one file may be written: a new one, or a result of this program that is no input."""
    kind = _kind(target)
    if kind is None:
        return
    if not stat.S_ISREG(kind) and not stat.S_ISLNK(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "no regular file"
        raise ConfigError(f"--output: {printable(str(target))} is {what}", allowed="the name of a file")
    if is_input(target, inputs):
        raise _read_too(target)
    if not overwrite and not written_here(target):
        raise _foreign(target)


def _claim_folder(folder: Path, inputs: Sequence[str], overwrite: bool) -> None:
    if not folder.is_dir():
        raise ConfigError(f"--output: {printable(str(folder))} is no folder", allowed="a new or empty folder")
    names = sorted(os.listdir(folder))
    if names and not overwrite and not (folder / embeddings.META).is_file():
        raise _foreign(folder / names[0], f"{printable(str(folder))} holds other files, for example ")
    for path in _not_ours(folder, overwrite):
        if is_input(path, inputs):
            raise _read_too(path)
        if not overwrite:
            raise _foreign(path)


def _not_ours(folder: Path, overwrite: bool) -> list[Path]:
    """Return the files that may be replaced in a folder of arrays and that no earlier run wrote as they are."""
    arrays = sorted(path for path in folder.iterdir() if path.suffix == ".npy" or path.name == embeddings.IDS)
    try:
        digests = _digests(folder) if (folder / embeddings.META).exists() else {}
    except ConfigError:
        if not overwrite:
            raise
        digests = {}
    return [path for path in arrays if digests.get(path.name) is None or sha256(path) != digests[path.name]]


def _digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file that an earlier run wrote into a folder; ConfigError if its list is no such."""
    try:
        files = without_digest(_json(folder / embeddings.META))["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _foreign(folder / embeddings.META) from error


def unless_replaced(
    recordings: Iterable[RecordingPath | Rejected], output: Path, inputs: Sequence[str]
) -> Iterator[RecordingPath | Rejected]:
    """Yield the recordings; ConfigError for one of a list that an output would replace with `--overwrite`.

    A list is read while the recordings are, so `claim` has not seen what it names. A result of this program that it
    names may be replaced. Arrays that an earlier run wrote into the output folder are left out.
    """
    targets: list[Path] = []
    if "-" in inputs:
        targets += [path for path in _targets(output) if path.exists() and not written_here(path)]
        targets += _not_ours(output, overwrite=True) if output.suffix == "" and output.is_dir() else []
    for each in recordings:
        if targets and isinstance(each, RecordingPath):
            file = each.root if os.path.isfile(each.root) else os.path.join(each.root, each.member)
            if read := [target for target in targets if _same(str(target), file)]:
                raise _read_too(read[0])
        if not (output.suffix == "" and isinstance(each, RecordingPath) and _is_array_of(output, each)):
            yield each


def _is_array_of(folder: Path, recording: RecordingPath) -> bool:
    """Return True for an array in a folder of arrays; `claim` has refused a folder that holds arrays of others."""
    place, name = os.path.split(os.path.join(recording.root, recording.member))
    return name.endswith(".npy") and place == os.path.realpath(folder)


def _foreign(path: Path, before: str = "") -> ConfigError:
    return ConfigError(
        f"--output: {before}{printable(str(path))}, which this program did not write or which was changed since",
        allowed="a new name, or a result of this program",
        fix="choose another name, or pass --overwrite",
    )


def _read_too(path: Path) -> ConfigError:
    return ConfigError(
        f"--output: {printable(str(path))} would be replaced, but this command reads it",
        allowed="another name, or another folder",
        fix="--output results/NAME",
    )


def _kind(path: Path) -> int | None:
    """Return the file mode of a path, which is not followed if it is a link; None if nothing is there."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"--output {printable(str(path))[:200]}: {reason}", allowed="the name of a file") from error


def is_input(target: Path, inputs: Iterable[str]) -> bool:
    """Return True if a file is an input, lies in an input folder without being a result, or is beside an input."""
    real = os.path.realpath(target)
    beside, suffix = os.path.splitext(real)
    for name in inputs:
        source = os.path.realpath(name)
        stem = os.path.splitext(source)[0]
        if os.path.isdir(source):
            if real.startswith(source.rstrip("/") + "/") and not written_here(target):
                return True
        elif real == source or _same(real, source) or (beside == stem and suffix.lower() in COMPANIONS):
            return True
    return False


def _same(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def written_here(path: Path) -> bool:
    """Return True if the content of a file shows that this program wrote it and that it was not edited since."""
    if path.name.endswith(METADATA_SUFFIX):
        test: Callable[[Path], bool] = _is_metadata
    elif path.name.endswith(REJECTS_SUFFIX):
        test = _is_rejects
    elif path.suffix not in _TESTS:
        return False
    else:
        test = _TESTS[path.suffix]
    try:
        return path.is_file() and test(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error, BadZipFile):
        return False


def _is_table(path: Path) -> bool:
    return bool(_json(metadata_beside(path))["table_sha256"] == sha256(path))


def _is_metadata(path: Path) -> bool:
    return {KEY, "table_sha256"} <= set(_json(path))


def _is_rejects(path: Path) -> bool:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        return tuple(next(rows, ())) == REJECTS_HEADER and all(len(row) == len(REJECTS_HEADER) for row in rows)


def _is_parquet(path: Path) -> bool:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        stated, columns = file.metadata.metadata or {}, file.schema_arrow.names
    digest = marks.parquet_digest(path, columns)
    return KEY.encode() in stated and stated.get(marks.PARQUET_KEY) == digest.encode()


_TESTS: dict[str, Callable[[Path], bool]] = {
    ".parquet": _is_parquet,
    ".csv": _is_table,
    ".xlsx": spreadsheet.written_here,
    ".svg": marks.is_marked,
    ".png": marks.is_marked,
}


def _json(path: Path) -> Any:
    return read_json(path, SMALL)
