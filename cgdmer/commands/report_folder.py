"""The folder that `cgdmer report` writes: whole or not at all, and never in place of files of others."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cgdmer
from cgdmer.commands import destinations
from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.files import read_json, sha256, sync, with_digest, without_digest, write_error, write_json

MANIFEST = "report.json"
"""Names every file of the folder with its sha256."""
LARGEST = 1 << 26
"""Bytes of the largest manifest."""


def claim(folder: Path, inputs: Sequence[str], *, overwrite: bool) -> None:
    """Raise ConfigError unless a folder is new, empty, or holds nothing but an earlier report.

    With `overwrite`, pages that were edited since are replaced too; files of others never are, nor an input.
    """
    shown = printable(str(folder))
    if folder.name in ("", "..", "-") or ((folder.is_symlink() or folder.exists()) and not _is_folder(folder)):
        raise ConfigError(f"--output: {shown} is no folder", allowed="a new or empty folder", fix="--output pages")
    real = os.path.realpath(folder)
    for path in inputs:
        source = os.path.realpath(path)
        if f"{source}/".startswith(f"{real}/"):
            raise ConfigError(f"--output: {shown} holds what this command reads", allowed="another folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    written = _written(folder)
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    }
    others = sorted(present - set(written) - ({MANIFEST} if written else set()))
    if others:
        raise ConfigError(
            f"--output: {shown} holds other files, for example {printable(others[0])[:200]}",
            allowed="a new folder, or one with nothing but an earlier report",
            fix="choose another name",
        )
    changed = [
        name for name in written if not overwrite and (folder / name).is_file() and _differs(folder, written, name)
    ]
    if changed:
        raise ConfigError(
            f"--output: {shown}/{changed[0]} was changed since this program wrote it",
            allowed="a new folder, or an earlier report that nobody edited",
            fix="choose another name, or pass --overwrite",
        )


def _is_folder(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink()


def _differs(folder: Path, written: dict[str, str], name: str) -> bool:
    return (folder / name).is_symlink() or sha256(folder / name) != written[name]


def _written(folder: Path) -> dict[str, str]:
    """Return the sha256 of each file of an earlier report; {} if the folder holds none."""
    try:
        content = without_digest(read_json(folder / MANIFEST, LARGEST))
        return {str(name): str(digest) for name, digest in content["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@contextmanager
def writing(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    """Yield a new folder that takes the place of `folder` once it is complete, with its manifest.

    DataError if it cannot be written; then an earlier report stays as it is.
    """
    temporary = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        fresh = temporary / "new"
        fresh.mkdir()
        yield fresh
        names = sorted(path.relative_to(fresh).as_posix() for path in fresh.rglob("*") if path.is_file())
        files = {name: sha256(fresh / name) for name in names}
        content = {destinations.KEY: cgdmer.__version__, **about, "files": files}
        write_json(fresh / MANIFEST, with_digest(content))
        for path in (*fresh.rglob("*"), fresh):
            sync(path)
        _exchange(fresh, folder, temporary / "old")
    except OSError as error:
        raise write_error(folder, error) or DataError(
            f"{printable(str(folder))} cannot be written: {error.strerror or error}", fix=f"df -h {folder.parent}"
        ) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def _exchange(fresh: Path, folder: Path, old: Path) -> None:
    """Give the new folder its name; if that fails, the old one gets it back."""
    if not folder.exists():
        fresh.rename(folder)
        return
    folder.rename(old)
    try:
        fresh.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    sync(folder.parent)
