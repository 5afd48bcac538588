"""Plant faults in a written mirror, a few of each kind, and look for each of them in the quarantine of the pipeline."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.rehearsal.corpora import folder
from cgdmer import paths, tables
from cgdmer.demo_corpora.mimic_iv_ecg import GAIN, LEADS, MISSING
from cgdmer.report.rehearsal import Fault

SOURCE = "mimic_iv_ecg"
RATE = 1 / 2000
"""Faults of each kind per record with a report of more than `WORDS` words; at least one of each is planted."""
EXTREME_MV, POP_SAMPLES = 25.0, 125
"""Amplitude and half period of a square wave, such as a loose electrode gives."""
WORDS = 8
"""Reports of the damaged records have more words, so that no other rule drops these records."""
RECORDS, REPORTS = "record_list.csv", "machine_measurements.csv"


def plant(root: Path) -> list[Fault]:
    """Damage records of the simulated MIMIC-IV-ECG in place and return what was done; no record is damaged twice."""
    top = folder(root, SOURCE)
    rows = pl.read_csv(top / RECORDS, infer_schema=False)
    text = pl.concat_str(pl.col("^report_.*$"), separator=" ", ignore_nulls=True)
    reported = pl.read_csv(top / REPORTS, infer_schema=False).filter(text.str.split(" ").list.len() > WORDS)
    rows = rows.join(reported, on=["subject_id", "study_id"], how="semi")  # a short report is dropped, faults or not
    each = max(1, round(RATE * rows.height))
    drawn = rows.sample(each * (len(IN_RECORD) + len(IN_TABLE)), seed=0).iter_slices(each)
    faults = []
    for kind in (*IN_RECORD, *IN_TABLE):
        chosen = next(drawn)
        ids = [f"{subject}_{study}" for subject, study in chosen.select("subject_id", "study_id").iter_rows()]
        if kind in IN_TABLE:
            IN_TABLE[kind](top, set(ids))
        else:
            for path in chosen["path"]:
                IN_RECORD[kind](top / f"{path}.hea", top / f"{path}.dat")
        faults += [Fault(kind, one) for one in ids]
    return faults


def quarantined(faults: list[Fault], project: Path) -> list[Fault]:
    """Return the faults with the reason for which the pipeline in a project folder quarantined each, or ''."""
    files = (paths.index_quarantine(SOURCE), paths.shards(SOURCE) / "quarantine.parquet")
    rows = pl.concat([tables.read(project / file).select("id", "reason") for file in files])
    reasons = dict(rows.iter_rows())
    return [Fault(fault.kind, fault.id, reasons.get(fault.id, "")) for fault in faults]


def _truncate(_: Path, signal: Path) -> None:
    os.truncate(signal, signal.stat().st_size * 3 // 5)


def _wrong_checksum(header: Path, _: Path) -> None:
    first, line, *rest = header.read_text().splitlines()
    fields = line.split(" ")
    fields[6] = str((int(fields[6]) + 1) % 65536)
    header.write_text("\n".join([first, " ".join(fields), *rest, ""]))


def _unknown_lead(header: Path, _: Path) -> None:
    header.write_text(header.read_text().replace(f" {LEADS[-1]}\n", " X7\n"))


def _not_a_number(header: Path, signal: Path) -> None:
    samples = _read(signal)
    samples[1000:1500] = MISSING
    _save(header, signal, samples)


def _impossible(header: Path, signal: Path) -> None:
    samples = _read(signal)
    wave = np.where(np.arange(len(samples)) // POP_SAMPLES % 2, 1, -1)
    samples[:, 6] = wave * round(EXTREME_MV * GAIN)
    _save(header, signal, samples)


def _read(signal: Path) -> np.ndarray:
    """Return ADC units (T, 12)."""
    return np.frombuffer(signal.read_bytes(), "<i2").reshape(-1, len(LEADS)).copy()


def _save(header: Path, signal: Path, samples: np.ndarray) -> None:
    """Write a changed signal and its checksums."""
    signal.write_bytes(samples.tobytes())
    first, *lines = header.read_text().splitlines()
    sums = samples.sum(axis=0, dtype=np.int64) % 65536
    fields = [line.split(" ") for line in lines]
    fixed = [
        [*old[:5], str(value), str(sum_), *old[7:]] for old, value, sum_ in zip(fields, samples[0], sums, strict=True)
    ]
    header.write_text("\n".join([first, *(" ".join(line) for line in fixed), ""]))


def _no_report(top: Path, ids: set[str]) -> None:
    """Empty all report columns of some records."""
    name = top / REPORTS
    with name.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    columns = [index for index, column in enumerate(header) if column.startswith("report_")]
    for row in rows:
        if f"{row[0]}_{row[1]}" in ids:
            for column in columns:
                row[column] = ""
    _write_csv(name, [header, *rows])


def _repeated(top: Path, ids: set[str]) -> None:
    """Append a copy of the rows of some records to both tables."""
    for name in (top / RECORDS, top / REPORTS):
        with name.open(newline="") as stream:
            rows = list(csv.reader(stream))
        _write_csv(name, [*rows, *(row for row in rows[1:] if f"{row[0]}_{row[1]}" in ids)])


def _write_csv(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


IN_RECORD: dict[str, Callable[[Path, Path], None]] = {
    "truncated": _truncate,
    "wrong checksum": _wrong_checksum,
    "NaN": _not_a_number,
    "25 mV": _impossible,
    "unknown lead": _unknown_lead,
}
"""Faults in the files of a record: each takes its header and its signal file."""
IN_TABLE: dict[str, Callable[[Path, set[str]], None]] = {"empty report": _no_report, "duplicate id": _repeated}
"""Faults in the tables: each takes the folder of the corpus and the ids of the records."""
