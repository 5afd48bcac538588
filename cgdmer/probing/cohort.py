"""Join features and labels by record id, and refuse data that would give a meaningless number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Split:
    """One split of a task: record ids, their rows in the embedding file, and labels (n, C) in {0, 1}."""

    ids: list[str]
    rows: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Cohort:
    """The records of one task that have features."""

    task: str
    classes: list[str]
    train: Split
    val: Split
    test: Split
    without_features: int
    """Number of records of the task that were quarantined before embedding."""


def cohort(task: str, index: pl.DataFrame, ids: Sequence[str]) -> Cohort:
    """Join the index with an embedding file's record ids.

    Raises ConfigError for an unknown task; DataError if the index lacks the task's classes, the embeddings
    are of other records, a split is empty, or no class of the test split has both a positive and a negative.
    """
    source = source_of(task)
    members = tables.members(index, task)
    _check_same_records(index["id"], ids, source)
    rows = pl.DataFrame({"id": list(ids), "row": np.arange(len(ids))}, schema={"id": pl.String, "row": pl.Int64})
    joined = members.join(rows, on="id", how="inner", maintain_order="left")
    splits = {name: _split(joined.filter(pl.col("split") == name), task) for name in tables.SPLITS}
    for name, split in splits.items():
        if not split.ids:
            raise DataError(f"{task}: no record of the {name} split has features", fix=_remedy(source))
    classes = [name.split("/", 1)[1] for name in tables.label_columns(index, task)]
    if not scorable(splits["test"].labels).any():
        raise DataError(
            f"{task}: in the {len(splits['test'].ids)} test records every class is all positive or all negative",
            allowed="at least one class with a positive and a negative test record",
            fix=_remedy(source),
        )
    return Cohort(task, classes, **splits, without_features=members.height - joined.height)


def source_of(task: str) -> str:
    """Return the source of a task; ConfigError for an unknown task."""
    if task not in tables.TASKS:
        tasks = list(tables.TASKS)
        raise ConfigError(f"no task is called '{task}'{did_you_mean(task, tasks)}", allowed=", ".join(tasks))
    return tables.TASKS[task]


def tasks_of(source: str) -> list[str]:
    """Return the tasks whose labels a source carries."""
    return [task for task, owner in tables.TASKS.items() if owner == source]


def scorable(labels: np.ndarray) -> np.ndarray:
    """Return for each class of `labels` (n, C) whether it has both a positive and a negative record."""
    positives: np.ndarray = labels.sum(axis=0, dtype=np.int64)
    varied: np.ndarray = (positives > 0) & (positives < len(labels))
    return varied


def check_finite(features: np.ndarray, ids: Sequence[str], name: str, source: str) -> None:
    """Raise DataError when features (N, D) hold NaN or infinity, naming the first records."""
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        examples = [ids[row] for row in bad[:3]]
        raise DataError(
            f"{name} features of {len(bad)} records of {source} are not finite, for example {examples}",
            allowed="finite numbers",
            fix=f"dvc repro --force embed@<encoder>-{source}",
        )


def _check_same_records(indexed: pl.Series, ids: Sequence[str], source: str) -> None:
    """Raise DataError unless every embedded record is in the index exactly once."""
    embedded = pl.Series("id", list(ids), dtype=pl.String)
    strangers = embedded.filter(~embedded.is_in(indexed.implode()))
    if len(strangers) or embedded.n_unique() != len(embedded) or not len(embedded):
        examples = strangers[:3].to_list()
        raise DataError(
            f"the embedding file is of other records than the index of {source}: {len(strangers)} of its "
            f"{len(embedded)} records are not in the index, for example {examples}",
            allowed="every id of the index at most once",
            fix=f"dvc repro --force embed@<encoder>-{source}",
        )


def _split(frame: pl.DataFrame, task: str) -> Split:
    _, labels = tables.labels(frame, task)
    return Split(frame["id"].to_list(), frame["row"].to_numpy(), labels)


def _remedy(source: str) -> str:
    return f"add records to {source}, set corpora.{source}.splits to hash, or take it out of matrix.benchmarks"
