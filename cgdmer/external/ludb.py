"""LUDB: 200 records with rhythm and diagnosis, and P, QRS and T waves delineated by cardiologists in every lead."""

import csv
import io
import re
from pathlib import Path

import numpy as np

from cgdmer.archives import Archive, open_archive
from cgdmer.errors import DataError, RecordError
from cgdmer.external.annotations import read_annotations, waves
from cgdmer.external.delineation import Delineated, measure
from cgdmer.external.external_set import Canonicals, ExternalSet, Labels, Origin, canonicals
from cgdmer.settings import Signal
from cgdmer.signals import LEADS, canonical_leads
from cgdmer.waveforms import Record, read_record

ORIGIN = Origin("LUDB", "1.0.1", "ODC-By 1.0", "https://physionet.org/content/ludb/1.0.1/")
TABLE = "ludb.csv"
RHYTHM = "Rhythms"
DIAGNOSES = (
    "Conduction abnormalities", "Extrasystolies", "Hypertrophies", "Cardiac pacing", "Ischemia",
    "Non-specific repolarization abnormalities", "Other states",
)  # fmt: skip
DISSOCIATED = "iii degree av-block"
"""With this diagnosis, P waves and QRS complexes are independent: there is no PR interval."""
Row = dict[str, str]


def holds(folder: Path) -> bool:
    """Return True if a folder is the top folder of LUDB."""
    return (folder / TABLE).is_file() and (folder / "data").is_dir()


def read(folder: Path, form: Signal) -> ExternalSet:
    """Read the records below `folder`, their labels and delineations; DataError if there is none."""
    archive = open_archive(folder)
    text = archive.read(TABLE).decode("utf-8-sig")
    rows = [row for row in csv.DictReader(io.StringIO(text)) if f"data/{row['ID']}.hea" in archive]
    if not rows:
        raise DataError(f"{folder} holds no record that {TABLE} names", fix=f"ls {folder}/data")
    records = [_record(archive, row["ID"]) for row in rows]
    used = canonicals(records, form, form.seconds)
    measured = [_measure(archive, rows[number], records[number]) for number in used.kept]
    return _assemble([rows[number] for number in used.kept], measured, used)


def _assemble(rows: list[Row], measured: list[dict[str, float | None]], used: Canonicals) -> ExternalSet:
    every = np.ones(len(rows), dtype=bool)
    tasks = {
        "rhythm": Labels(*table([entries(row[RHYTHM]) for row in rows]), every),
        "diagnosis": Labels(*table([diagnoses(row) for row in rows]), every),
    }
    names = list(dict.fromkeys(name for one in measured for name in one))
    values = {name: np.array([_float(one.get(name)) for one in measured]) for name in names}
    return ExternalSet(
        ORIGIN, [row["ID"] for row in rows], used.signals, used.valid, tasks, values, used.left_out
    )  # fmt: skip


def _record(archive: Archive, name: str) -> Record | RecordError:
    """Read a record; stored integers that satisfy Einthoven's identity are microvolt, whatever the header says.

    The gains of the published headers are measured ones and break the identity by up to 0.17 mV.
    """
    try:
        record = read_record(archive, f"data/{name}.hea")
    except RecordError as error:
        return error
    leads = canonical_leads(record.leads)
    digital = record.digital
    if digital is None:
        return record
    first, second, third = (digital[leads.index(lead)].astype(np.int64) for lead in LEADS[:3])
    if (second - first != third).any():
        return record
    return Record((digital / 1000).astype(np.float32), record.fs, record.leads, record.comments, digital)


def _measure(archive: Archive, row: Row, record: Record | RecordError) -> dict[str, float | None]:
    if isinstance(record, RecordError):
        raise record
    leads, delineated = canonical_leads(record.leads), delineation(archive, row["ID"])
    signal = {lead: record.signal[leads.index(lead)] for lead in ("I", "aVF")}
    measured = measure(delineated, signal, record.fs)
    if DISSOCIATED in diagnoses(row):
        measured["pr"] = None
    age, sex = row["Age"].strip().lstrip(">"), row["Sex"].strip()
    measured["age"] = float(age) if age else None
    measured["male"] = {"M": 1.0, "F": 0.0}.get(sex)
    return measured


def delineation(archive: Archive, name: str) -> Delineated:
    """Return the waves of each lead of a record; a lead without an annotation file has none."""
    members = {lead: f"data/{name}.{lead.lower()}" for lead in LEADS}
    return {
        lead: list(waves(read_annotations(archive.read(member), member))) if member in archive else []
        for lead, member in members.items()
    }


def entries(cell: str) -> list[str]:
    """Return the statements of a cell, one per line, in lower case."""
    return [line.strip().lower() for line in cell.splitlines() if line.strip()]


def diagnoses(row: Row) -> list[str]:
    """Return the diagnoses of a record without their sites and types: `ischemia: inferior wall` is `ischemia`."""
    statements = [entry for column in DIAGNOSES for entry in entries(row[column])]
    return list(dict.fromkeys(re.split("[:,]", entry)[0].strip() for entry in statements))


def table(names: list[list[str]]) -> tuple[list[str], np.ndarray]:
    """Return the classes that occur, sorted, and the labels uint8 (N, C)."""
    classes = sorted({name for row in names for name in row})
    return classes, np.array([[name in row for name in classes] for row in names], np.uint8)


def _float(value: float | None) -> float:
    return np.nan if value is None else value
