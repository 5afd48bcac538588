"""MIMIC-IV-ECG: records joined with machine reports on subject and study, split by subject."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cgdmer import report_text
from cgdmer.datasets import corpus_index, headers, metadata, splits
from cgdmer.datasets.corpus_index import CorpusIndex
from cgdmer.settings import Corpus, Index

if TYPE_CHECKING:
    from cgdmer.archives import Archive

NAME = "mimic_iv_ecg"
TITLE = "MIMIC-IV-ECG 1.0 (diagnostic electrocardiogram matched subset)"
ALIASES = (
    *("mimic-iv-ecg", "mimic_ecg", "mimiciv-ecg"),
    "mimic-iv-ecg-diagnostic-electrocardiogram-matched-subset-1.0",
)
COLLECTIONS: tuple[str, ...] = ()
URL = "https://physionet.org/files/mimic-iv-ecg/1.0/"
WANTED = r"^(record_list\.csv|machine_measurements\.csv|LICENSE\.txt)$|^files/"
LICENCE = "Open Data Commons Open Database License 1.0"

TASKS: dict[str, tuple[str, ...]] = {}
"""This corpus has reports and no labels."""

RECORDS, REPORTS = "record_list.csv", "machine_measurements.csv"
KEY = ["subject_id", "study_id"]
ID, MEMBER = pl.concat_str(KEY, separator="_"), pl.col("path") + ".hea"
NO_REPORT = "its report is empty"
"""Reason of the quarantine. A record whose report has some words, but too few, is not in it: the rule is published."""


def find(archive: "Archive") -> "Archive":
    """Return the archive rooted at the folder of `record_list.csv`."""
    return metadata.rooted(archive, RECORDS, TITLE)


def read_index(archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> CorpusIndex:
    """Join, clean, drop reports with too few words, read headers, split by subject; no published split exists."""
    keys = [metadata.integer(pl.col(name)) for name in KEY]
    records = metadata.table(archive, RECORDS, (*KEY, "path")).with_columns(keys)
    lines = metadata.table(archive, REPORTS, (*KEY, "report_0"), also=r"report_\d+").with_columns(keys)
    joined, repeated = join(records, lines)
    cleaned = with_reports(joined)
    silent = cleaned.filter(pl.col("words") == 0, index.min_report_words > 0)
    silent = silent.filter(pl.Series([bool(name) and name in archive for name in silent["member"]], dtype=pl.Boolean))
    reported = cleaned.filter(pl.col("words") >= index.min_report_words)
    scan = headers.scan(archive, reported, NAME)
    usable = headers.usable(scan, NAME, "signal files at the paths of the column path")
    frame, split = splits.assign(usable, None, NAME, corpus, index)
    facts: dict[str, Any] = {
        "rows": records.height,
        "reports": lines.height,
        "rows_with_report": joined.height,
        "rows_with_enough_words": reported.height,
        "reports_not_utf8": metadata.count_not_utf8(frame["report"]),
        "subjects": frame["patient"].n_unique(),
        "split": split,
        **scan.facts,
    }
    quarantines = [*repeated, corpus_index.quarantine(silent, pl.lit(NO_REPORT)), scan.quarantine]
    return corpus_index.assemble(frame, quarantines, facts)


def join(records: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Join on (subject_id, study_id), in the order of the record list; also return the quarantine of repeated rows.

    The tables are never joined by row position, because their orders may differ (docs/protocols.md A.1.2). Of the rows
    of a table that share a subject and study, the first is used.
    """
    joined = records.unique(KEY, keep="first", maintain_order=True)
    joined = joined.join(lines.unique(KEY, keep="first"), on=KEY, how="inner", maintain_order="left")
    paths = joined.select(*KEY, "path")
    quarantines = []
    for name, table in ((RECORDS, records), (REPORTS, lines)):
        repeated = table.select(KEY).filter(~pl.struct(KEY).is_first_distinct()).join(paths, on=KEY, how="left")
        rows = repeated.select(id=ID, member=MEMBER)
        quarantines.append(corpus_index.quarantine(rows, pl.lit(f"{name}: {corpus_index.REPEATED}")))
    return joined, quarantines


def with_reports(joined: pl.DataFrame) -> pl.DataFrame:
    """Return `id`, `patient`, `member`, `report` and `words`, the word count before the final period is added.

    Machine reports repeat heavily, so each distinct text is cleaned once. Source: docs/protocols.md A.1.1.
    """
    columns = sorted((name for name in joined.columns if name.startswith("report_")), key=lambda name: int(name[7:]))
    filled = [pl.when(pl.col(name) != "").then(pl.col(name)) for name in columns]
    rows = joined.select(
        id=ID,
        patient=pl.col("subject_id"),
        member=MEMBER,
        text=pl.concat_str(filled, separator=report_text.SEPARATOR, ignore_nulls=True),
        age=pl.lit(None, pl.Float64),
        sex=pl.lit(None, pl.String),
    )
    texts = rows["text"].unique().to_list()
    words = [report_text.word_count(text) for text in texts]
    cleaned = [report_text.clean_joined(text) if count else "" for text, count in zip(texts, words, strict=True)]
    schema = {"text": pl.String(), "report": pl.String(), "words": pl.Int64()}
    table = pl.DataFrame({"text": texts, "report": cleaned, "words": words}, schema=schema)
    return rows.join(table, on="text", how="left", maintain_order="left")
