"""Back up what only the local stack holds, and restore it: runs, registry, artifacts, flow runs, histories.

`python -m flows.backup create FILE.tar` works while the servers run: databases are copied by SQLite's own backup, so
the copy is consistent. `python -m flows.backup restore FILE.tar` needs them stopped, and replaces nothing. Data, models
and results of the pipeline are not part of it: git and a DVC remote hold them.
"""

import contextlib
import hashlib
import re
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from cgdmer import paths
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import atomic, sha256, write_error
from flows import shell

DATABASES = (Path("mlflow.db"), paths.STATE / "prefect" / "prefect.db")
FOLDERS = (Path("mlartifacts"), paths.STATE / "monitoring", paths.STATE / "inference")
BESIDE = tuple(path.with_name(f"{path.name}-{end}") for path in DATABASES for end in ("wal", "shm", "journal"))
"""Changes that a killed server left beside its database. SQLite would apply them to a restored one."""
SUMS = "SHA256SUMS"
ESCAPES = {"\\": r"\\", "\n": r"\n", "\r": r"\r"}
"""How `sha256sum` writes these characters of a file name; the line then begins with a backslash."""


def create(target: Path) -> int:
    """Write the backup and return the number of files in it. ConfigError if it exists or there is nothing to save."""
    if target.exists():
        raise ConfigError(f"{target} exists already", allowed="a new file", fix="name another, or move it away")
    if not DATABASES[0].exists():
        raise ConfigError("there is no mlflow.db here", fix="run this in the project folder")
    with tempfile.TemporaryDirectory() as scratch, atomic(target) as temporary:
        sums = {}
        with tarfile.open(temporary, "w", dereference=True) as tar:
            for name, path in _files(Path(scratch)):
                with contextlib.suppress(FileNotFoundError):  # removed since it was listed
                    sums[name] = _add(tar, name, path)
            listed = Path(scratch) / SUMS
            listed.write_bytes("".join(map(_line, sums, sums.values())).encode("utf-8", "surrogateescape"))
            tar.add(listed, SUMS)
    return len(sums)


def _line(name: str, digest: str) -> str:
    """Return the line of a file as `sha256sum` writes it."""
    escaped = "".join(ESCAPES.get(character, character) for character in name)
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"


def _sums(text: str) -> dict[str, str]:
    """Return the sha256 of each file, by its name, from lines as `_line` writes them; ValueError for other lines."""
    characters = {escaped: character for character, escaped in ESCAPES.items()}
    sums = {}
    for line in filter(None, text.split("\n")):
        digest, name = line.removeprefix("\\").split("  ", 1)
        if line.startswith("\\"):
            name = re.sub(r"\\.", lambda match: characters[match[0]], name)
        sums[name] = digest
    return sums


def _add(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """Add a file and return the sha256 of what was added; what is appended to the file meanwhile is left out."""
    with path.open("rb") as stream:
        reader = _Reader(stream)
        tar.addfile(tar.gettarinfo(arcname=name, fileobj=stream), reader)  # type: ignore[arg-type]
    return reader.digest.hexdigest()


class _Reader:
    """Reads a file and computes the sha256 of what was read."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes."""
        block = self.stream.read(size)
        self.digest.update(block)
        return block


def _files(scratch: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files by their name in the project: copies of the databases, and what the folders hold."""
    for number, database in enumerate(DATABASES):
        if database.exists():
            copy = scratch / f"{number}.db"
            _copy(database, copy)
            yield database.as_posix(), copy
    for folder in FOLDERS:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            yield path.as_posix(), path


def _copy(database: Path, copy: Path) -> None:
    """Copy a database that may be in use; DataError if it is damaged, or the copy does not fit."""
    try:
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(copy)) as end,
        ):
            source.backup(end)
    except sqlite3.Error as error:
        raise DataError(
            f"{database} cannot be copied to {copy.parent}: {error}",
            allowed="an undamaged database, and space for a copy of it",
            fix="free space there, or export TMPDIR=/another/folder",
        ) from error


def restore(source: Path) -> int:
    """Unpack a backup into the project folder and return the number of files.

    ConfigError if anything that it would replace exists; DataError if the backup is damaged or the disk is full, before
    the first file gets its name.
    """
    if present := [str(path) for path in (*DATABASES, *BESIDE, *FOLDERS) if path.exists()]:
        raise ConfigError(f"{', '.join(present)} exist already", allowed="a project without them",
                          fix="make stop, then move them away")  # fmt: skip
    with tempfile.TemporaryDirectory(dir=".", prefix=".restore-") as scratch:
        top = Path(scratch)
        try:
            _unpack(source, top)
            sums = _sums((top / SUMS).read_bytes().decode("utf-8", "surrogateescape"))
        except (tarfile.TarError, OSError, ValueError, KeyError) as error:
            raise DataError(f"{source} is no backup, or damaged: {error}", fix="take an older one") from error
        _check(top, sums, source)
        for path in (*DATABASES, *FOLDERS):
            if (top / path).exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                (top / path).rename(path)
    return len(sums)


def _unpack(source: Path, top: Path) -> None:
    """Write the files of a backup below `top`.

    ValueError for another kind of member, or one that lies elsewhere; DataError if the disk is full or not writable.
    """
    with tarfile.open(source) as tar:
        for member in tar:
            path, content = (top / member.name).resolve(), tar.extractfile(member) if member.isfile() else None
            if content is None or not path.is_relative_to(top.resolve()):
                raise ValueError(f"{member.name} is no file of a backup")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with content, path.open("wb") as end:
                    shutil.copyfileobj(content, end)
            except OSError as error:
                raise write_error(Path(member.name), error) or error from error


def _check(top: Path, sums: dict[str, str], source: Path) -> None:
    """Raise DataError unless all files are there and have their sha256."""
    for name, digest in sums.items():
        path = top / name
        if not path.is_file() or sha256(path) != digest:
            raise DataError(f"{source} is damaged: {name}", fix="take an older one")


COMMANDS = {"create": create, "restore": restore}


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    parser = shell.parser("flows.backup", __doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("file", type=Path, metavar="FILE", help="the archive, for example backup.tar")
    options = parser.parse_args(words)
    return shell.exit_code(lambda: sys.stdout.write(f"{COMMANDS[options.command](options.file)} files\n"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
