"""CPSC2018: headers with SNOMED codes, as in the PhysioNet challenges, or `.mat` structs with REFERENCE.csv."""

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
COLLECTIONS = (
    *("challenge-2021", "will-two-do-varying-dimensions-in-electrocardiography"),
    *("challenge-2020", "classification-of-12-lead-ecgs"),
)
"""The PhysioNet/CinC Challenges and the names of their zips; the other databases in them are never read."""
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
"""Codes of the nine classes, from the table of SNOMED CT codes of the challenge."""

NUMBERS = dict(zip("123456789", ("NORM", "AFIB", "1AVB", "CLBBB", "CRBBB", "PAC", "VPC", "STD", "STE"), strict=True))
"""The nine classes in REFERENCE.csv (docs/protocols.md A.4)."""

REFERENCE = "REFERENCE.csv"
REFERENCE_LABELS = ("First_label", "Second_label", "Third_label")

_RECORD = re.compile(r"(?:^|/)(A\d{4})\.(hea|mat)$")
_FILE = re.compile(r"(?:^|/)A\d{4}\.(hea|mat|dat)$")


def find(archive: "Archive") -> "Archive":
    """Return the archive rooted at the folder that holds the records of this corpus and no others.

    That is the parent of g1 to g7, the parent of several training folders, or one flat folder; one folder higher if
    REFERENCE.csv is beside the folder of the records. DataError if there is no record, or there are several copies, or
    records of other databases lie among them.
    """
    names = archive.names()
    records = record_files(names)
    if not records:
        raise metadata.wrong_dataset(names, TITLE, "A0001.hea or A0001.mat")
    folders = sorted({re.sub(r"(?:^|/)g\d$", "", posixpath.dirname(name)) for name in records})
    top = posixpath.commonpath(folders)
    ids = {posixpath.basename(name).split(".")[0] for name in records}
    shown = [folder or "." for folder in folders]
    if len(folders) > 1 and len(ids) < len(records):
        raise metadata.several_copies(TITLE, shown)
    if others := _others(names, top):
        raise DataError(
            f"{TITLE}: its records are in {', '.join(shown)}, among others, for example {others[0]}",
            allowed="a folder with the records A0001 to A6877 only",
            fix=f"set corpora.{NAME}.root in params.yaml to such a folder",
        )
    parent = posixpath.dirname(top)
    if top and posixpath.join(parent, REFERENCE) in archive and not _others(names, parent):
        top = parent
    return archive.rooted(top)


def _others(names: Sequence[str], top: str) -> list[str]:
    """Return the recordings below a folder that are not of this corpus."""
    inside = [name for name in names if not top or name.startswith(f"{top}/")]
    return [name for name in inside if name.endswith((".hea", ".mat", ".dat")) and not _FILE.search(name)]


def record_files(names: Sequence[str]) -> list[str]:
    """Return one file per record: its header, or the `.mat` struct if it has no header."""
    files = [name for name in names if _RECORD.search(name)]
    with_header = {name.removesuffix(".hea") for name in files if name.endswith(".hea")}
    return [name for name in files if name.endswith(".hea") or name.removesuffix(".mat") not in with_header]


def read_index(archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> CorpusIndex:
    """Read every record of either layout; ids are the published file names, Axxxx, and patients are unknown."""
    names = archive.names()
    rows = headers.record_rows(record_files(names), _RECORD.pattern)
    scan = headers.scan(archive, rows, NAME)
    records = labelled(headers.usable(scan, NAME, "A0001.hea with A0001.mat, or A0001.mat"), _reference(archive, names))
    table = published.split_table(protocol, NAME) if protocol else None
    frame, split = splits.assign(records, table, NAME, corpus, index)
    facts: dict[str, Any] = {
        "files": rows.height,
        "records_without_class": corpus_index.examples(frame.filter(pl.col("names").list.len() == 0)),
        "codes_without_class": labels.unknown(frame, "codes", SNOMED),
        "split": split,
        "published_labels": labels.agreements(frame, protocol, TASKS),
        **scan.facts,
    }
    return corpus_index.assemble(frame, [scan.quarantine], facts)


def labelled(frame: pl.DataFrame, reference: pl.DataFrame | None) -> pl.DataFrame:
    """Add age, sex and the nine labels, which are null for a record without a code of the nine classes."""
    rows = headers.with_comments(frame)
    names = labels.translated(pl.col("codes"), SNOMED)
    if reference is not None:
        rows = rows.join(reference, on="id", how="left", maintain_order="left")
        names = pl.coalesce(names, pl.col("reference"))
    elif rows["member"].str.ends_with(".mat").any():
        raise DataError(
            f"{TITLE}: the records are .mat structs, but {REFERENCE} with their labels is missing",
            allowed=f"{REFERENCE} anywhere in the corpus",
            fix=f"copy {REFERENCE} of the training set into the folder of the records",
        )
    rows = rows.with_columns(names=names.fill_null([]))
    return rows.with_columns(labels.columns(NAME, TASKS[NAME], "names"))


def reference_names(table: pl.DataFrame) -> pl.DataFrame:
    """Return `id` and the list `reference` of class names from the three label columns of REFERENCE.csv."""
    numbers = [pl.col(column).str.extract(r"^\s*([1-9])(?:\.0*)?\s*$") for column in REFERENCE_LABELS]
    names = labels.translated(pl.concat_list(numbers).list.drop_nulls(), NUMBERS)
    return table.select(pl.col("Recording").str.strip_chars().alias("id"), names.alias("reference")).unique(
        "id", keep="first", maintain_order=True
    )


def _reference(archive: "Archive", names: Sequence[str]) -> pl.DataFrame | None:
    references = [name for name in names if posixpath.basename(name) == REFERENCE]
    if not references:
        return None
    tables = [metadata.table(archive, name, ("Recording", *REFERENCE_LABELS)) for name in references]
    return reference_names(pl.concat(tables, how="diagonal"))
