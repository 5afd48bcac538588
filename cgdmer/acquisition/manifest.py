"""Owns a corpus's manifest: of which files with which checksums it consists, and noticing when that is no longer so."""

import hashlib
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import tables
from cgdmer.acquisition import tree
from cgdmer.errors import DataError
from cgdmer.files import read_json, sha256, write_json

log = logging.getLogger(__name__)

NAME = "manifest.json"
TABLE = "files.parquet"
COLUMNS = ("path", "size", "sha256")


def begin(folder: Path, ours: Iterable[str]) -> None:
    """Empty an output folder of what an earlier or a killed run left, the manifest first.

    `ours` are the names a run may have left besides the manifest and hidden temporary files. Anything else is a
    person's, perhaps the only copy of a corpus: then nothing is removed, and DataError says where it belongs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = sorted(folder.iterdir())
    foreign = [path for path in present if path.name not in {NAME, *ours} and not path.name.startswith(".")]
    if foreign:
        raise DataError(
            f"{folder} holds {foreign[0].name}, which this stage did not write and will not remove",
            allowed=f"in an output folder, only {', '.join([NAME, *ours])}",
            fix=f"mv {foreign[0]} elsewhere; a local copy is named by CGDMER_RAW_ROOT or corpora.<source>.root",
        )
    (folder / NAME).unlink(missing_ok=True)
    for path in present:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def outputs(source: str) -> tuple[str, str]:
    """Return the names that a corpus's folder may hold besides the manifest."""
    return f"{source}.zip", TABLE


def write_tree(folder: Path, source: str, files: pl.DataFrame) -> None:
    """Write the manifest of a corpus that stays outside: one row a file in `files.parquet`, sorted by path."""
    table = files.select(COLUMNS).sort("path")
    tables.write(table, folder / TABLE)
    _write(folder, "local", source, table)


def write_archive(folder: Path, source: str, way: str, digest: str | None = None) -> None:
    """Write the manifest of `<source>.zip`, which lies in the folder; `digest` is its sha256 where that is known."""
    path = folder / f"{source}.zip"
    row = {"path": [path.name], "size": [path.stat().st_size], "sha256": [digest or sha256(path)]}
    _write(folder, way, source, pl.DataFrame(row))


def read(folder: Path) -> dict[str, Any]:
    """Return a manifest; DataError where the corpus was not acquired."""
    path = folder / NAME
    if not path.is_file():
        raise DataError(f"{path} is missing: {folder.name} was not acquired", fix=f"dvc repro acquire@{folder.name}")
    content: dict[str, Any] = read_json(path)
    return content


def check(folder: Path, root: Path) -> None:
    """Raise DataError when the corpus at `root` is not the one that `data/raw/<source>` describes.

    `root` is the local copy, or the archive inside the folder. Names and sizes of all files are compared, and the
    content of those whose times differ from the remembered ones: seconds for a million files.
    """
    content = read(folder)
    if content["way"] != "local":
        _check_archive(folder, content)
        return
    table = tables.read(folder / TABLE)
    found = tree.scan(root)
    both = table.join(found, on="path", how="full", coalesce=True, suffix="_now")
    altered = both.filter(pl.col("size").ne_missing(pl.col("size_now")))["path"].sort().to_list()
    altered = altered or _rewritten(table, root, found)
    if altered:
        raise DataError(
            f"{len(altered)} files of {root} differ from {folder / TABLE}, for example {', '.join(altered[:3])}",
            allowed="the files that were acquired, unchanged",
            fix=f"dvc repro --force acquire@{folder.name} && dvc repro, to take the corpus as it is now",
        )


def _rewritten(table: pl.DataFrame, root: Path, found: pl.DataFrame) -> list[str]:
    """Return the files of equal size whose content differs, read again only where times are not as remembered."""
    memory = tree.memory_of(root)
    known = tree.remembered(found, memory)
    now = known.drop_nulls("sha256")
    if memory.is_file():
        earlier = tables.read(memory).select("path")
        touched = known.filter(pl.col("sha256").is_null()).drop("sha256").join(earlier, on="path", how="semi")
        now = pl.concat([now, tree.checksums(root, touched, memory.with_suffix(".touched.parquet"))])
    return now.join(table, on=["path", "sha256"], how="anti")["path"].sort().to_list()


def _check_archive(folder: Path, content: dict[str, Any]) -> None:
    path = folder / f"{folder.name}.zip"
    size = path.stat().st_size if path.is_file() else None
    if size != content["bytes"]:
        raise DataError(
            f"{path} {'is missing' if size is None else f'has {size} bytes'}, {folder / NAME} says {content['bytes']}",
            fix=f"dvc checkout {folder}, or: dvc repro --force acquire@{folder.name}",
        )


def _write(folder: Path, way: str, source: str, table: pl.DataFrame) -> None:
    """Write `manifest.json`, last of all; `digest` is the sha256 of what `sha256sum` would print for the files."""
    lines = "".join(f"{row['sha256']}  {row['path']}\n" for row in table.iter_rows(named=True))
    content = {
        "way": way,
        "source": source,
        "files": table.height,
        "bytes": int(table["size"].sum()),
        "digest": hashlib.sha256(lines.encode()).hexdigest(),
    }
    write_json(folder / NAME, content)


def take(source: str, root: Path, folder: Path) -> None:
    """Write the manifest of the folder or zip `root` into `folder`.

    Errors: DataError when it holds no file, or lies in `folder`, which is emptied before each run.
    """
    if folder.resolve() in (root.resolve(), *root.resolve().parents):
        raise DataError(
            f"the copy of {source} at {root} lies in {folder}, which is an output and is emptied before each run",
            fix=f"mv {root} elsewhere and set corpora.{source}.root to it",
        )
    files = tree.scan(root)
    if files.is_empty():
        raise DataError(
            f"{root} holds no file", allowed=f"a copy of {source}", fix=f"set corpora.{source}.root in params.yaml"
        )
    begin(folder, outputs(source))
    write_tree(folder, source, tree.checksums(root, files))
    log.info("%s: %d files, %.1f MB stay at %s", source, files.height, int(files["size"].sum()) / 1e6, root)
