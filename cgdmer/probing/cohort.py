"""Owns joining features and labels by record id, and refusing what would give a number without a meaning."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cgdmer import tables
from cgdmer.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Part:
    """One split of a task: record ids, their rows in the embedding file, and labels (n, C) in {0, 1}."""

    ids: list[str]
    rows: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Cohort:
    """The records of one task that have features."""

    task: str
    classes: list[str]
    train: Part
    val: Part
    test: Part
    without_features: int
    """Records of the task that were quarantined before embedding."""


def cohort(task: str, index: pl.DataFrame, ids: Sequence[str]) -> Cohort:
    """Join the index with an embedding file's record ids.

    Raises ConfigError for an unknown task; DataError where the task's classes are missing from the index, the
    embeddings are of other records, a split is empty, or no class of the test split has both a positive and a negative.
    """
    source = source_of(task)
    members = tables.members(index, task)
    _same_records(index["id"], ids, source)
    rows = pl.DataFrame({"id": list(ids), "row": np.arange(len(ids))}, schema={"id": pl.String, "row": pl.Int64})
    joined = members.join(rows, on="id", how="inner", maintain_order="left")
    parts = {split: _part(joined.filter(pl.col("split") == split), task) for split in tables.SPLITS}
    for split, part in parts.items():
        if not part.ids:
            raise DataError(f"{task}: no record of the {split} split has features", fix=_remedy(source))
    classes = [name.split("/", 1)[1] for name in tables.label_columns(index, task)]
    if not scorable(parts["test"].labels).any():
        raise DataError(
            f"{task}: in the {len(parts['test'].ids)} test records every class is all positive or all negative",
            allowed="at least one class with a positive and a negative test record",
            fix=_remedy(source),
        )
    return Cohort(task, classes, **parts, without_features=members.height - joined.height)


def source_of(task: str) -> str:
    """Return the source of a task; ConfigError where there is no such task."""
    if task not in tables.TASKS:
        known = list(tables.TASKS)
        raise ConfigError(f"no task is called '{task}'{did_you_mean(task, known)}", allowed=", ".join(known))
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


def _same_records(known: pl.Series, ids: Sequence[str], source: str) -> None:
    """Every embedded record must be in the index, once."""
    given = pl.Series("id", list(ids), dtype=pl.String)
    strange = given.filter(~given.is_in(known.implode()))
    if len(strange) or given.n_unique() != len(given) or not len(given):
        fact = f"{len(strange)} of its {len(given)} records are not in the index, for example {strange[:3].to_list()}"
        raise DataError(
            f"the embedding file is of other records than the index of {source}: {fact}",
            allowed="ids of the index, each once",
            fix=f"dvc repro --force embed@<encoder>-{source}",
        )


def _part(frame: pl.DataFrame, task: str) -> Part:
    _, labels = tables.labels(frame, task)
    return Part(frame["id"].to_list(), frame["row"].to_numpy(), labels)


def _remedy(source: str) -> str:
    return f"add records to {source}, set corpora.{source}.splits to hash, or take it out of matrix.benchmarks"
