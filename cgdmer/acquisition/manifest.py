"""The manifest of a corpus: its files and checksums, and the check that the corpus still matches them."""

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


def prepare_folder(folder: Path, names: Iterable[str]) -> None:
    """Remove the files of an earlier or killed run from an output folder, the manifest first.

    `names` are the files that a run may have left besides the manifest and hidden temporary files. Any other file may
    be the user's only copy of a corpus: then nothing is removed and DataError says where it belongs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = sorted(folder.iterdir())
    foreign = [path for path in present if path.name not in {NAME, *names} and not path.name.startswith(".")]
    if foreign:
        raise DataError(
            f"{folder} holds {foreign[0].name}, which this stage did not write and does not remove",
            allowed=f"in this output folder only {', '.join([NAME, *names])}",
            fix=f"mv {foreign[0]} elsewhere, and point CGDMER_RAW_ROOT or corpora.<source>.root to it",
        )
    (folder / NAME).unlink(missing_ok=True)
    for path in present:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def output_names(source: str) -> tuple[str, str]:
    """Return the names of the files that the folder of a corpus may hold besides the manifest."""
    return f"{source}.zip", TABLE


def write_archive(folder: Path, source: str, way: str, digest: str | None = None) -> None:
    """Write the manifest of `<source>.zip` in the folder; `digest` is its sha256 if already computed."""
    path = folder / f"{source}.zip"
    row = {"path": [path.name], "size": [path.stat().st_size], "sha256": [digest or sha256(path)]}
    _write(folder, way, source, pl.DataFrame(row))


def read(folder: Path) -> dict[str, Any]:
    """Return a manifest; raise DataError if the corpus was not acquired."""
    path = folder / NAME
    if not path.is_file():
        raise DataError(f"{path} is missing: {folder.name} was not acquired", fix=f"dvc repro acquire@{folder.name}")
    content: dict[str, Any] = read_json(path)
    return content


def check(folder: Path, root: Path) -> None:
    """Raise DataError if the corpus at `root` is not the one that `data/raw/<source>` describes.

    `root` is the local copy, or the archive inside the folder. All names and sizes are compared, and the content of
    files whose times differ from the cached ones: seconds for a million files.
    """
    content = read(folder)
    if content["way"] != "local":
        _check_archive(folder, content)
        return
    table = tables.read(folder / TABLE)
    current = tree.scan(root)
    both = table.join(current, on="path", how="full", coalesce=True, suffix="_now")
    altered = both.filter(pl.col("size").ne_missing(pl.col("size_now")))["path"].sort().to_list()
    altered = altered or _rewritten(table, root, current)
    if altered:
        raise DataError(
            f"{len(altered)} files of {root} differ from {folder / TABLE}, for example {', '.join(altered[:3])}",
            allowed="the files that were acquired, unchanged",
            fix=f"to use the corpus as it is now: dvc repro --force acquire@{folder.name} && dvc repro",
        )


def _rewritten(table: pl.DataFrame, root: Path, current: pl.DataFrame) -> list[str]:
    """Return the files of equal size whose content differs; only files with other times than cached are read."""
    cache = tree.cache_path(root)
    looked_up = tree.with_cached(current, cache)
    summed = looked_up.drop_nulls("sha256")
    if cache.is_file():
        cached = tables.read(cache).select("path")
        touched = looked_up.filter(pl.col("sha256").is_null()).drop("sha256").join(cached, on="path", how="semi")
        summed = pl.concat([summed, tree.checksums(root, touched, cache.with_suffix(".touched.parquet"))])
    return summed.join(table, on=["path", "sha256"], how="anti")["path"].sort().to_list()


def _check_archive(folder: Path, content: dict[str, Any]) -> None:
    path = folder / f"{folder.name}.zip"
    size = path.stat().st_size if path.is_file() else None
    if size != content["bytes"]:
        raise DataError(
            f"{path} {'is missing' if size is None else f'has {size} bytes'}; {folder / NAME} says {content['bytes']}",
            fix=f"dvc checkout {folder}, or: dvc repro --force acquire@{folder.name}",
        )


def _write(folder: Path, way: str, source: str, table: pl.DataFrame) -> None:
    """Write `manifest.json`, the last file of a run; `digest` is the sha256 of the output of `sha256sum`."""
    digest = hashlib.sha256()
    for chunk in table.select("sha256", "path").iter_slices(tree.CHUNK):
        digest.update("".join(f"{summed}  {name}\n" for summed, name in chunk.iter_rows()).encode())
    content = {
        "way": way,
        "source": source,
        "files": table.height,
        "bytes": int(table["size"].sum()),
        "digest": digest.hexdigest(),
    }
    write_json(folder / NAME, content)


def write_local(source: str, root: Path, folder: Path) -> None:
    """Write the manifest of a local copy, the folder or zip `root`, and its list of files into `folder`.

    Raises DataError if `root` holds no file, or is inside `folder`, which is emptied before each run.
    """
    if folder.resolve() in (root.resolve(), *root.resolve().parents):
        raise DataError(
            f"the copy of {source} at {root} is inside {folder}, which is an output and is emptied before each run",
            fix=f"mv {root} elsewhere and set corpora.{source}.root to it",
        )
    files = tree.scan(root)
    if files.is_empty():
        raise DataError(
            f"{root} holds no file", allowed=f"a copy of {source}", fix=f"set corpora.{source}.root in params.yaml"
        )
    prepare_folder(folder, output_names(source))
    table = tree.checksums(root, files).select(COLUMNS).sort("path")
    tables.write(table, folder / TABLE)
    _write(folder, "local", source, table)
    log.info("%s: %d files, %.1f MB, used in place at %s", source, files.height, int(files["size"].sum()) / 1e6, root)
