"""Owns CPSC2018: headers with SNOMED codes, as in the PhysioNet challenges, or `.mat` structs and REFERENCE.csv."""

import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from cgdmer import protocol as published
from cgdmer.datasets import corpus_index, headers, labels, metadata, splits
from cgdmer.datasets.corpus_index import CorpusIndex
from cgdmer.errors import DataError
from cgdmer.settings import Corpus, Index

if TYPE_CHECKING:
    from cgdmer.archives import Archive

NAME = "cpsc2018"
TITLE = "CPSC2018 (as in the PhysioNet/CinC Challenge 2021, or as first published)"
ALIASES = ("cpsc_2018", "cpsc-2018", "cpsc2018_original", "icbeb2018", "icbeb")
URL = "https://physionet.org/files/challenge-2021/1.0.3/"
WANTED = r"^training/cpsc_2018/"
LICENCE = "CC BY 4.0"

TASKS: dict[str, tuple[str, ...]] = {"cpsc2018": ("AFIB", "VPC", "NORM", "1AVB", "CRBBB", "STE", "PAC", "CLBBB", "STD")}
"""Published names and order (docs/protocols.md A.4)."""

SNOMED = {
    "426783006": "NORM",
    "164889003": "AFIB",
    "270492004": "1AVB",
    "164909002": "CLBBB",
    "59118001": "CRBBB",
    "284470004": "PAC",
    "164884008": "VPC",
    "429622005": "STD",
    "164931005": "STE",
}
"""Codes the challenge gave to the nine classes (its table of SNOMED CT codes)."""

NUMBERS = dict(zip("123456789", ("NORM", "AFIB", "1AVB", "CLBBB", "CRBBB", "PAC", "VPC", "STD", "STE"), strict=True))
"""The nine classes in REFERENCE.csv (docs/protocols.md A.4)."""

REFERENCE = "REFERENCE.csv"
REFERENCE_LABELS = ("First_label", "Second_label", "Third_label")

_RECORD = re.compile(r"(?:^|/)(A\d{4})\.(hea|mat)$")


def find(archive: "Archive") -> "Archive":
    """Return the archive rooted at the folder that holds all records: g1 to g7, one flat folder, or below training/."""
    names = archive.names()
    folders = {posixpath.dirname(name) for name in record_files(names)}
    if not folders:
        raise metadata.wrong_dataset(names, TITLE, "A0001.hea or A0001.mat")
    top = posixpath.commonpath([re.sub(r"(?:^|/)g\d$", "", folder) for folder in folders])
    return archive.rooted(top) if top else archive


def record_files(names: Sequence[str]) -> list[str]:
    """Return one file a record: its header, or the `.mat` struct where no header lies beside it."""
    files = [name for name in names if _RECORD.search(name)]
    with_header = {name.removesuffix(".hea") for name in files if name.endswith(".hea")}
    return [name for name in files if name.endswith(".hea") or name.removesuffix(".mat") not in with_header]


def read_index(archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> CorpusIndex:
    """Read every record of either layout; ids are the published file names, Axxxx, and nobody knows the patients."""
    names = archive.names()
    files = pl.Series("member", record_files(names), dtype=pl.String)
    rows = pl.DataFrame({"id": files.str.extract(_RECORD.pattern, 1), "member": files}).sort("id", "member")
    scan = headers.scan(archive, rows, NAME)
    found = labelled(headers.usable(scan, NAME, "A0001.hea with A0001.mat, or A0001.mat"), _reference(archive, names))
    table = published.split_table(protocol, NAME) if protocol else None
    frame, split = splits.assign(found, table, NAME, corpus, index)
    facts: dict[str, Any] = {
        "files": rows.height,
        "records_without_class": headers.examples(frame.filter(pl.col("names").list.len() == 0)),
        "codes_without_class": labels.unknown(frame, "codes", SNOMED),
        "split": split,
        "published_labels": labels.agreements(frame, protocol, TASKS),
        **scan.facts,
    }
    return corpus_index.assemble(frame, [scan.quarantine], facts)


def labelled(frame: pl.DataFrame, reference: pl.DataFrame | None) -> pl.DataFrame:
    """Add age, sex and the nine labels; null for a record none of whose codes is one of the nine."""
    rows = frame.with_columns(
        patient=pl.col("id"),
        report=pl.lit(""),
        age=metadata.age(headers.comment("Age")),
        sex=metadata.sex(headers.comment("Sex")),
        codes=headers.comment("Dx").str.replace_all(r"\s", "").str.split(","),
    )
    names = labels.translated(pl.col("codes"), SNOMED)
    if reference is not None:
        rows = rows.join(reference, on="id", how="left", maintain_order="left")
        names = pl.coalesce(names, pl.col("reference"))
    elif rows["member"].str.ends_with(".mat").any():
        raise DataError(
            f"{TITLE}: records as .mat structs, but no {REFERENCE} with their labels",
            allowed=f"{REFERENCE} anywhere in the corpus",
            fix=f"put {REFERENCE} of the training set beside the records",
        )
    rows = rows.with_columns(names=names.fill_null([]))
    return rows.with_columns(labels.columns(NAME, TASKS[NAME], "names"))


def reference_names(table: pl.DataFrame) -> pl.DataFrame:
    """Return `id` and the list `reference` of class names from REFERENCE.csv's three label columns."""
    numbers = [pl.col(column).str.extract(r"^\s*([1-9])(?:\.0*)?\s*$") for column in REFERENCE_LABELS]
    names = labels.translated(pl.concat_list(numbers).list.drop_nulls(), NUMBERS)
    return table.select(pl.col("Recording").str.strip_chars().alias("id"), names.alias("reference")).unique(
        "id", keep="first", maintain_order=True
    )


def _reference(archive: "Archive", names: Sequence[str]) -> pl.DataFrame | None:
    found = [name for name in names if posixpath.basename(name) == REFERENCE]
    if not found:
        return None
    tables = [metadata.table(archive, name, ("Recording", *REFERENCE_LABELS)) for name in found]
    return reference_names(pl.concat(tables, how="diagonal"))
