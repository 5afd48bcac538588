"""Assign each record to a split: the published split if it covers the corpus, else a hash of the patient."""

import hashlib
from typing import Any

import polars as pl

from cgdmer import protocol
from cgdmer.errors import ConfigError
from cgdmer.settings import Corpus, Index
from cgdmer.tables import SPLITS, UNASSIGNED

MIN_COVERAGE = 0.9
"""With `auto`, the published split is used if it names at least this share of the records (settings.Corpus.splits)."""


def assign(
    frame: pl.DataFrame,
    published: pl.DataFrame | None,
    source: str,
    corpus: Corpus,
    index: Index,
    expected: pl.Expr | None = None,
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the frame (with `id` and `patient`) plus `split`, and the facts of the choice.

    `published` has the columns `id` and `split`. Coverage is the share of the records selected by `expected` that it
    names; all records by default. CSN, for example, leaves half of its records out on purpose. Raises ConfigError if
    a published split is required and there is none.
    """
    if corpus.splits == "published" and published is None:
        raise _no_split(source)
    covered = (
        0.0 if published is None else coverage(frame.filter(expected if expected is not None else True), published)
    )
    if published is not None and (
        corpus.splits == "published" or (corpus.splits == "auto" and covered >= MIN_COVERAGE)
    ):
        kind, split = "published", by_name(frame, published)
    else:
        kind, split = "hash", by_hash(frame["patient"], index)
    counts = {name: int((split == name).sum()) for name in SPLITS} | {"unassigned": int((split == UNASSIGNED).sum())}
    facts = {"kind": kind, "asked": corpus.splits, "published_coverage": round(covered, 4), **counts}
    return frame.with_columns(split.alias("split")), facts


def _no_split(source: str) -> ConfigError:
    """Return the error for a published split that is required and is not there."""
    if source not in protocol.TABLES:
        return ConfigError(
            f"{source} has no published split", allowed="auto or hash", fix=f"set corpora.{source}.splits: hash"
        )
    return ConfigError(
        f"corpora.{source}.splits is published, and the published split of {source} is not in data/raw/protocol",
        allowed="published with the protocol files, auto or hash",
        fix="set protocol.way: download in params.yaml, or protocol.way: local and export CGDMER_PROTOCOL_ROOT; "
        f"then: dvc repro; or ask for hash splits by name: corpora.{source}.splits: hash",
    )


def coverage(frame: pl.DataFrame, published: pl.DataFrame) -> float:
    """Return the share of records that a published split names."""
    named = frame["id"].is_in(published["id"].implode())
    return float(named.mean() or 0.0)  # type: ignore[arg-type]


def by_name(frame: pl.DataFrame, published: pl.DataFrame) -> pl.Series:
    """Return the published split of each record, or UNASSIGNED."""
    named = published.select("id", "split").unique("id", keep="first")
    joined = frame.select("id").join(named, on="id", how="left", maintain_order="left")
    return joined["split"].fill_null(UNASSIGNED)


def by_hash(patients: pl.Series, index: Index) -> pl.Series:
    """Return the split of each patient: sha256 of seed and patient as a number in [0, 1), cut at the two fractions.

    A patient has the same split in every subset of a corpus and on every machine.
    """
    positions = {patient: _unit_interval(f"{index.hash_seed}:{patient}") for patient in patients.unique().to_list()}
    test, val = index.test_fraction, index.test_fraction + index.val_fraction
    cut = {patient: "test" if x < test else "val" if x < val else "train" for patient, x in positions.items()}
    return patients.replace_strict(cut, return_dtype=pl.String)


def _unit_interval(key: str) -> float:
    """Hash a key to a number in [0, 1)."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
