"""CODE-15 % exams as WFDB records with a table of age and sex; no diagnosis is used."""

from pathlib import Path

import polars as pl

from cgdmer.archives import Archive, open_archive
from cgdmer.errors import DataError, RecordError
from cgdmer.external.external_set import ExternalSet, Origin, canonicals
from cgdmer.settings import Signal
from cgdmer.waveforms import Record, read_record

ORIGIN = Origin("CODE-15%", "1.0.0", "CC BY 4.0", "https://doi.org/10.5281/zenodo.4916206")
TABLE = "exams_subset.csv"
COLUMNS = ("exam_id", "age", "sex", "patient_id")


def holds(folder: Path) -> bool:
    """Return True if a folder holds exams in this form."""
    return (folder / TABLE).is_file() and (folder / "records").is_dir()


def read(folder: Path, form: Signal) -> ExternalSet:
    """Read the exams below `folder` that have a record; DataError if the table lacks a column or names no record."""
    archive = open_archive(folder)
    try:
        exams = pl.read_csv(archive.read(TABLE), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{folder / TABLE} is damaged: {error}", fix="download it again") from error
    if missing := set(COLUMNS) - set(exams.columns):
        raise DataError(f"{folder / TABLE} lacks {', '.join(sorted(missing))}", allowed=", ".join(COLUMNS))
    present = [f"records/{name}.hea" in archive for name in exams["exam_id"]]
    exams = exams.filter(pl.Series(present, dtype=pl.Boolean))
    if exams.is_empty():
        raise DataError(f"{folder} holds no record that {TABLE} names", fix=f"ls {folder}/records")
    used = canonicals((_record(archive, name) for name in exams["exam_id"]), form, form.seconds)
    exams = exams[used.kept]
    sex = exams["sex"].str.to_lowercase()
    known = {
        "age": exams["age"].cast(pl.Float64, strict=False),
        "male": pl.select(pl.when(sex == "male").then(1.0).when(sex == "female").then(0.0)).to_series(),
    }
    measurements = {name: values.fill_null(float("nan")).to_numpy() for name, values in known.items()}
    return ExternalSet(
        ORIGIN, _patients(exams), used.signals, used.valid, {}, measurements, used.left_out
    )  # fmt: skip


def _patients(exams: pl.DataFrame) -> list[str]:
    """Return the patient of each exam; an exam without one counts as its own patient."""
    own = pl.concat_str(pl.lit("exam "), pl.col("exam_id"))
    return exams.select(pl.coalesce("patient_id", own))["patient_id"].to_list()


def _record(archive: Archive, name: str) -> Record | RecordError:
    try:
        return read_record(archive, f"records/{name}.hea")
    except RecordError as error:
        return error
