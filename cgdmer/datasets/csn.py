"""CSN (Chapman-Shaoxing-Ningbo): SNOMED codes in headers, and its labels as published and corrected."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cgdmer import protocol as published
from cgdmer.datasets import corpus_index, headers, labels, metadata, splits
from cgdmer.datasets.corpus_index import CorpusIndex
from cgdmer.settings import Corpus, Index

if TYPE_CHECKING:
    from cgdmer.archives import Archive

NAME = "csn"
TITLE = "Chapman-Shaoxing-Ningbo (PhysioNet ecg-arrhythmia 1.0.0)"
ALIASES = ("ecg-arrhythmia", "chapman", "chapman-shaoxing-ningbo", "a-large-scale-12-lead-electrocardiogram-database")
COLLECTIONS: tuple[str, ...] = ()
URL = "https://physionet.org/files/ecg-arrhythmia/1.0.0/"
WANTED = r"^(ConditionNames_SNOMED-CT\.csv|LICENSE\.txt)$|^WFDBRecords/"
LICENCE = "CC BY 4.0"

CONDITIONS = "ConditionNames_SNOMED-CT.csv"

CLASSES = (
    *("AQW", "UW", "SR", "WPW", "2AVB", "AT", "VB", "ARS", "STTC", "SA", "STE", "VPB", "TWO", "STTU", "ALS", "APB"),
    *("2AVB1", "PRIE", "CCR", "CR", "AF", "AVB", "QTIE", "LBBB", "VEB", "SVT", "RBBB", "1AVB", "STDD", "MI", "AFIB"),
    *("TWC", "PWC", "ERV", "RVH", "LVH", "ST", "JEB"),
)
"""Published names and order (docs/protocols.md A.5). AF is atrial flutter, AFIB fibrillation, ST sinus tachycardia."""

TASKS: dict[str, tuple[str, ...]] = {"csn": CLASSES, "csn_exact": CLASSES}
"""`csn` as published: a class is positive if its acronym is a substring of the joined acronyms of the record, so 7
columns have false positives (docs/protocols.md A.5). `csn_exact`: only if the acronym itself is present. Both have the
same records and columns; in `csn_exact` VB has 3 positives, none of them in the published test split, so evaluation
leaves it out of the macro average and lists it."""

ALSO_PUBLISHED = "VPE"
"""The published tables hold the records with one of the classes, and those with this acronym, which has no column:
`SB,VPE` is included without a positive label, `SB` alone is not (docs/protocols.md A.5)."""


def find(archive: "Archive") -> "Archive":
    """Return the archive rooted at the folder of `ConditionNames_SNOMED-CT.csv`."""
    return metadata.rooted(archive, CONDITIONS, TITLE)


def read_index(archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> CorpusIndex:
    """Read every header below the top folder; patients are unknown, so each record counts as its own patient."""
    rows = headers.record_rows([name for name in archive.names() if name.endswith(".hea")], r"([^/]+)\.hea$")
    scan = headers.scan(archive, rows, NAME)
    acronyms = condition_names(archive)
    records = labelled(headers.usable(scan, NAME, "WFDBRecords/01/010/JS00001.hea and so on"), acronyms)
    table = published.split_table(protocol, NAME) if protocol else None
    frame, split = splits.assign(records, table, NAME, corpus, index, pl.col(f"{NAME}/{CLASSES[0]}").is_not_null())
    facts: dict[str, Any] = {
        "files": rows.height,
        "records_with_unknown_code": corpus_index.examples(frame.filter(pl.col("acronyms").is_null())),
        "unknown_codes": labels.unknown(frame, "codes", acronyms),
        "split": split,
        "published_labels": labels.agreements(frame, protocol, TASKS),
        **scan.facts,
    }
    return corpus_index.assemble(frame, [scan.quarantine], facts)


def labelled(frame: pl.DataFrame, acronyms: dict[str, str]) -> pl.DataFrame:
    """Add age, sex and the labels of both tasks from the comments of the headers."""
    rows = headers.with_comments(frame)
    names = labels.translated(pl.col("codes"), acronyms)
    complete = names.list.len() == pl.col("codes").list.len()
    return with_tasks(rows.with_columns(acronyms=pl.when(complete).then(names)))


def with_tasks(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the label columns of both tasks from the list `acronyms`, which is null if a code of the record is unknown.

    Such a record is in neither task, as published.
    """
    joined, is_member = pl.col("joined"), pl.col("is_member")
    rows = rows.with_columns(joined=pl.col("acronyms").list.join(","))
    rows = rows.with_columns(is_member=joined.str.contains_any([*CLASSES, ALSO_PUBLISHED]).fill_null(False))
    substring = [
        pl.when(is_member).then(joined.str.contains(name, literal=True).cast(pl.UInt8)).alias(f"{NAME}/{name}")
        for name in CLASSES
    ]
    return rows.with_columns(*substring, *labels.columns("csn_exact", CLASSES, "acronyms", is_member)).drop(
        "joined", "is_member"
    )


def condition_names(archive: "Archive") -> dict[str, str]:
    """Return SNOMED CT code to acronym; if a code has several acronyms the first one is used, as published."""
    table = metadata.table(archive, CONDITIONS, ("Snomed_CT",), also=r"Acronym ?Name")
    acronym = next((column for column in table.columns if column.startswith("Acronym")), "Acronym Name")
    metadata.require(table.columns, CONDITIONS, (acronym,))
    pairs = table.select(pl.all().str.strip_chars()).drop_nulls().unique("Snomed_CT", keep="first", maintain_order=True)
    return dict(pairs.select("Snomed_CT", acronym).iter_rows())
