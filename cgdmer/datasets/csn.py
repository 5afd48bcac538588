"""Owns CSN (Chapman-Shaoxing-Ningbo): SNOMED codes in headers, and its labels as published and corrected."""

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
"""`csn` as published: a class holds where its acronym is a substring of the record's joined acronyms, so that 7 columns
have false positives (docs/protocols.md A.5). `csn_exact`: where the acronym itself is there. Both have the same records
and columns; in `csn_exact` VB has 3 positives, none of them in the published test split, so evaluation leaves it out of
the macro average and says so."""

ALSO_PUBLISHED = "VPE"
"""The published tables hold the records that show one of the classes, and those of this acronym, which has no column:
`SB,VPE` is there without a positive label, SB alone is not (docs/protocols.md A.5)."""


def find(archive: "Archive") -> "Archive":
    """Return the archive rooted where `ConditionNames_SNOMED-CT.csv` lies."""
    return metadata.rooted(archive, CONDITIONS, TITLE)


def read_index(archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> CorpusIndex:
    """Read every header below the top, wherever it lies; nobody knows the patients, so a record is its own."""
    files = pl.Series("member", [name for name in archive.names() if name.endswith(".hea")], dtype=pl.String)
    rows = pl.DataFrame({"id": files.str.extract(r"([^/]+)\.hea$", 1), "member": files}).sort("id", "member")
    scan = headers.scan(archive, rows, NAME)
    acronyms = condition_names(archive)
    found = labelled(headers.usable(scan, NAME, "WFDBRecords/01/010/JS00001.hea and so on"), acronyms)
    table = published.split_table(protocol, NAME) if protocol else None
    frame, split = splits.assign(found, table, NAME, corpus, index, asked=pl.col(f"{NAME}/{CLASSES[0]}").is_not_null())
    facts: dict[str, Any] = {
        "files": rows.height,
        "records_with_unknown_code": headers.examples(frame.filter(pl.col("acronyms").is_null())),
        "unknown_codes": labels.unknown(frame, "codes", acronyms),
        "split": split,
        "published_labels": labels.agreements(frame, protocol, TASKS),
        **scan.facts,
    }
    return corpus_index.assemble(frame, [scan.quarantine], facts)


def labelled(frame: pl.DataFrame, acronyms: dict[str, str]) -> pl.DataFrame:
    """Add age, sex and the labels of both tasks from the headers' comments."""
    rows = frame.with_columns(
        patient=pl.col("id"),
        report=pl.lit(""),
        age=metadata.age(headers.comment("Age")),
        sex=metadata.sex(headers.comment("Sex")),
        codes=headers.comment("Dx").str.replace_all(r"\s", "").str.split(","),
    )
    names = labels.translated(pl.col("codes"), acronyms)
    complete = names.list.len() == pl.col("codes").list.len()
    return with_tasks(rows.with_columns(acronyms=pl.when(complete).then(names)))


def with_tasks(rows: pl.DataFrame) -> pl.DataFrame:
    """Add both tasks' columns from the list `acronyms`, which is null where any of the record's codes is unknown.

    Such a record is in neither task, as published.
    """
    joined, part = pl.col("joined"), pl.col("published")
    rows = rows.with_columns(joined=pl.col("acronyms").list.join(","))
    rows = rows.with_columns(published=joined.str.contains_any([*CLASSES, ALSO_PUBLISHED]).fill_null(False))
    substring = [
        pl.when(part).then(joined.str.contains(name, literal=True).cast(pl.UInt8)).alias(f"{NAME}/{name}")
        for name in CLASSES
    ]
    return rows.with_columns(*substring, *labels.columns("csn_exact", CLASSES, "acronyms", part)).drop(
        "joined", "published"
    )


def condition_names(archive: "Archive") -> dict[str, str]:
    """Return SNOMED CT code to acronym; of several acronyms with one code the first is used, as published."""
    table = metadata.table(archive, CONDITIONS, ("Snomed_CT",), also=r"Acronym ?Name")
    acronym = next((column for column in table.columns if column.startswith("Acronym")), "Acronym Name")
    metadata.require(table.columns, CONDITIONS, (acronym,))
    pairs = table.select(pl.all().str.strip_chars()).drop_nulls().unique("Snomed_CT", keep="first", maintain_order=True)
    return dict(pairs.select("Snomed_CT", acronym).iter_rows())
