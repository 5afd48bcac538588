"""The index table: its columns, dtypes and invariants, and the label columns of the seven tasks."""

from pathlib import Path

import numpy as np
import polars as pl

from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sha256

SPLITS = ("train", "val", "test")
UNASSIGNED = ""
"""The split of a record that the split in use does not name: it is indexed and sharded, but never trained or scored."""

INDEX_COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "patient": pl.String(),
    "member": pl.String(),
    "fs": pl.Float64(),
    "samples": pl.Int64(),
    "leads": pl.List(pl.String()),
    "report": pl.String(),
    "age": pl.Float64(),
    "sex": pl.String(),
    "split": pl.String(),
}
"""One row per record. `member` is the POSIX path of the header (or `.mat` file) inside the corpus; `fs` in Hz; `leads`
by canonical name in stored order; `report` cleaned text or ''; `age` in years or null; `sex` male, female or null.
UInt8 label columns named `<task>/<class>` follow, null for a record that is not a member of the task."""

QUARANTINE_COLUMNS: dict[str, pl.DataType] = {"id": pl.String(), "member": pl.String(), "reason": pl.String()}

_MEASURED = r"\b\d[\d,]*\.\d+"

QUALITY_COLUMNS: dict[str, pl.DataType] = {
    "valid": pl.Int32(),
    "missing": pl.UInt16(),
    "flat": pl.UInt16(),
    "clipped": pl.Float32(),
    "amplitude_uv": pl.Int32(),
    "identity_uv": pl.Float32(),
    "bridged": pl.Int32(),
    "signal_digest": pl.String(),
}
"""Columns of `rows.parquet` that are computed from the signal; `cgdmer.signals.Quality` explains them."""

ROWS_FROM_INDEX = ("id", "patient", "split", "report", "age", "sex")
"""Columns of `rows.parquet` that are copied from the index."""

ROWS_COLUMNS = {name: INDEX_COLUMNS[name] for name in ROWS_FROM_INDEX} | QUALITY_COLUMNS
"""`rows.parquet` of a shard folder: one row per record, in the order of the signals."""

TASKS: dict[str, str] = {
    "ptb_xl_super": "ptb_xl",
    "ptb_xl_sub": "ptb_xl",
    "ptb_xl_form": "ptb_xl",
    "ptb_xl_rhythm": "ptb_xl",
    "cpsc2018": "cpsc2018",
    "csn": "csn",
    "csn_exact": "csn",
}
"""Task to source."""


def kinds(reasons: pl.Series) -> pl.Series:
    """Return quarantine reasons with measured values (decimal numbers) as `#`, so that equal causes count together."""
    return reasons.str.replace_all(_MEASURED, "#")


def label_tasks(index: pl.DataFrame) -> list[str]:
    """Return the tasks that have label columns, in stored order."""
    return list(dict.fromkeys(name.split("/")[0] for name in index.columns if "/" in name))


def label_columns(index: pl.DataFrame, task: str) -> list[str]:
    """Return the label columns of a task in stored order; raise DataError if the task has none."""
    columns = [name for name in index.columns if name.startswith(f"{task}/")]
    if not columns:
        raise DataError(
            f"the index has no label column of task '{task}'",
            allowed=", ".join(sorted(label_tasks(index))) or "no task: the index has no labels",
            fix=f"dvc repro --force index@{TASKS.get(task, '<source>')}",
        )
    return columns


def labels(index: pl.DataFrame, task: str) -> tuple[list[str], np.ndarray]:
    """Return the class names and a uint8 matrix (records, classes); filter with `members` first, nulls are an error."""
    columns = label_columns(index, task)
    matrix = index.select(columns)
    if matrix.null_count().sum_horizontal().item():
        raise DataError(
            f"{task}: some of these records are not members of the task and have no labels",
            fix="filter the index with tables.members() first",
        )
    return [name.split("/", 1)[1] for name in columns], matrix.to_numpy().astype(np.uint8)


def members(index: pl.DataFrame, task: str) -> pl.DataFrame:
    """Return the records that are members of a task and have one of the three splits."""
    first = label_columns(index, task)[0]
    return index.filter(pl.col(first).is_not_null() & pl.col("split").is_in(SPLITS))


def check_invariants(index: pl.DataFrame, source: str) -> None:
    """Raise DataError if ids repeat, a patient is in two splits, or a column is missing or has the wrong dtype."""
    for name, dtype in INDEX_COLUMNS.items():
        if name not in index.columns or index.schema[name] != dtype:
            raise DataError(
                f"index of {source}: column '{name}' is {index.schema.get(name, 'missing')}, not {dtype}",
                allowed=", ".join(INDEX_COLUMNS),
                fix=f"dvc repro --force index@{source}",
            )
    repeated = index.filter(pl.col("id").is_duplicated())["id"].unique().sort()
    if len(repeated):
        raise DataError(
            f"index of {source}: {len(repeated)} ids occur more than once",
            allowed="every record id once",
            fix=f"cgdmer check {source}",
        )
    leaked = shared_patients(index)
    if leaked:
        raise DataError(
            f"index of {source}: {len(leaked)} patients are in more than one split",
            allowed="each patient in one split",
            fix=f"set corpora.{source}.splits to hash in params.yaml and run: dvc repro",
        )
    unknown = set(index["split"].unique()) - {*SPLITS, UNASSIGNED}
    if unknown:
        raise DataError(f"index of {source}: unknown split {sorted(map(str, unknown))}", allowed=", ".join(SPLITS))


def shared_patients(index: pl.DataFrame) -> list[str]:
    """Return the patients whose records are in more than one split."""
    counts = index.filter(pl.col("split") != UNASSIGNED).group_by("patient").agg(pl.col("split").n_unique())
    return counts.filter(pl.col("split") > 1)["patient"].sort().to_list()


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write Parquet atomically, with the same bytes on every machine."""
    with atomic(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", statistics=False, row_group_size=1 << 16)


def read(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Read all or some columns of a Parquet file; raise DataError if it is missing or damaged.

    If `<name>.facts.json` in the same folder states a sha256, the file is first compared with it.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing", fix=f"dvc repro, or dvc checkout {path}")
    _compare(path)
    try:
        return pl.read_parquet(path, columns=columns)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}", fix=f"rm {path} && dvc checkout {path}") from error


def _compare(path: Path) -> None:
    facts = path.with_suffix(".facts.json")
    try:
        stated = read_json(facts).get("sha256") if facts.is_file() else None
    except ValueError as error:
        raise DataError(f"{facts} is damaged: {error}", fix=f"rm {facts} && dvc checkout {facts}") from error
    if stated and sha256(path) != stated:
        raise DataError(f"{path} differs from its sha256 in {facts.name}", fix=f"rm {path} && dvc checkout {path}")
