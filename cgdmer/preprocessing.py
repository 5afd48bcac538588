"""Turn an indexed corpus into shards: jobs of equal size that any worker can run, assembled in index order.

A job is a range of index rows. It writes one shard and then a note beside it, so a shard with a note is complete: after
a kill, only jobs without a note are run again.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer import executor, stage_code, tables
from cgdmer.archives import Archive
from cgdmer.errors import DataError, RecordError, redacted
from cgdmer.files import atomic, read_json, sha256, sync, work_key, write_json
from cgdmer.progress import progress
from cgdmer.settings import Signal
from cgdmer.shards.manifest import QUARANTINE, ROWS, Manifest, describe, shard_name
from cgdmer.signals import LEADS, Canonical, canonical
from cgdmer.signals.leads import standard_rows
from cgdmer.waveforms import read_record

logger = logging.getLogger(__name__)

REFUSALS = {"max_amplitude_mv", "verify_checksums"}
"""Settings that only refuse records, so the manifest omits them: its digest covers the records and the quarantine."""


@dataclass(frozen=True)
class Job:
    """A range of index rows that becomes one shard; paths are absolute, because workers may run in other folders."""

    shard: Path
    archive: Archive
    ids: list[str]
    members: list[str]
    settings: Signal
    seconds: float

    @property
    def note(self) -> Path:
        return self.shard.with_suffix(".json")


def preprocess(
    index: pl.DataFrame, archive: Archive, folder: Path, scratch: Path, settings: Signal, seconds: float
) -> Manifest:
    """Write the shards of a corpus to `folder`; finished jobs in `scratch` survive a kill.

    DataError as soon as a larger share of the records than `settings.max_quarantined` cannot be used. The bytes depend
    only on the index, the recordings and the settings.
    """
    work = _work_folder(scratch, index, archive, settings, seconds)
    jobs = list(_jobs(index, archive, work, settings, seconds))
    quarantined = 0
    bar = progress(total=len(index), unit="record", desc=folder.name)
    with bar, closing(executor.map_unordered(write_shard, jobs)) as results:
        for job, refused in results:
            quarantined += refused
            bar.update(len(job.ids))
            if quarantined > settings.max_quarantined * len(index):
                raise _too_many(jobs, len(index), settings)
    manifest = _assemble(index, jobs, folder, settings, seconds)
    shutil.rmtree(scratch)
    logger.info("%s: %d records in %d shards, %d quarantined", folder, manifest.records, len(jobs), quarantined)
    return manifest


def write_shard(job: Job) -> int:
    """Decode, canonicalise and write the records of an unfinished job; return how many were refused."""
    if job.note.is_file() and job.shard.is_file():
        note = read_json(job.note)
        if sha256(job.shard) == note["sha256"]:
            return len(note["quarantine"])
    signals = np.empty((len(job.ids), len(LEADS), job.settings.samples), dtype=np.int16)
    rows: list[dict[str, Any]] = []
    quarantine: list[dict[str, str]] = []
    for name, member in zip(job.ids, job.members, strict=True):
        try:
            recording = _usable(job, member)
        except RecordError as error:
            quarantine.append({"id": name, "member": member, "reason": error.reason(member)})
            continue
        signals[len(rows)] = recording.signal
        rows.append({"id": name, "valid": recording.valid, **recording.quality})
    with atomic(job.shard) as temporary:
        np.save(temporary, signals[: len(rows)])
    write_json(job.note, {"sha256": sha256(job.shard), "rows": rows, "quarantine": quarantine})
    return len(quarantine)


def _usable(job: Job, member: str) -> Canonical:
    """Return a record in canonical form; RecordError if it cannot be read or cannot be an electrocardiogram."""
    record = read_record(job.archive, member, verify=job.settings.verify_checksums)
    if record.checksum_ok is False:
        raise RecordError("the samples contradict the checksums of the header")
    signal, leads = drop_extra_leads(record.signal, record.leads)
    recording = canonical(signal, record.fs, leads, job.settings, job.seconds)
    amplitude, limit = recording.quality["amplitude_uv"] / 1000, job.settings.max_amplitude_mv
    if amplitude > limit:
        raise RecordError(f"amplitude of {amplitude:.3f} mV, at most {limit:g} mV is possible")
    return recording


def drop_extra_leads(signal: np.ndarray, leads: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Drop leads beyond the twelve standard ones, such as V7 or Frank leads, if all twelve are there."""
    rows = standard_rows(leads)
    if len(rows) < len(LEADS) or len(rows) == len(leads):
        return signal, list(leads)
    return signal[rows], [leads[row] for row in rows]


def _jobs(index: pl.DataFrame, archive: Archive, work: Path, settings: Signal, seconds: float) -> Iterator[Job]:
    for number, chunk in enumerate(index.select("id", "member").iter_slices(settings.shard_records)):
        ids, members = chunk["id"].to_list(), chunk["member"].to_list()
        yield Job(work / shard_name(number), archive, ids, members, settings, seconds)


def _work_folder(scratch: Path, index: pl.DataFrame, archive: Archive, settings: Signal, seconds: float) -> Path:
    """Return the folder in `scratch` for this work, and remove whatever else is there."""
    work = scratch.absolute() / _key(index, archive, settings, seconds)
    work.mkdir(parents=True, exist_ok=True)
    for other in scratch.iterdir():
        if other.name != work.name:
            shutil.rmtree(other) if other.is_dir() else other.unlink()
    return work


def _key(index: pl.DataFrame, archive: Archive, settings: Signal, seconds: float) -> str:
    """Return the key of the jobs: index, files of the corpus, settings and code decide their shards and notes."""
    members = index["member"].to_list()
    corpus = [str(archive.path), archive.prefix, index["id"].to_list(), members, archive.state(members)]
    code = stage_code.digest({"cgdmer.preprocessing"})
    return work_key(settings.model_dump(exclude={"max_quarantined"}), seconds, corpus, code)


def _assemble(index: pl.DataFrame, jobs: list[Job], folder: Path, settings: Signal, seconds: float) -> Manifest:
    """Assemble shards, rows and manifest beside `folder`, then replace it in one rename."""
    quality, refused, counts, digests = _notes(jobs)
    staged = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir(parents=True)
    for job in jobs:
        _link(job.shard, staged / job.shard.name)
    rows = quality.join(
        index.select(tables.ROWS_FROM_INDEX), on="id", how="left", maintain_order="left", validate="1:1"
    )
    tables.write(rows.select(*tables.ROWS_COLUMNS), staged / ROWS)
    tables.write(refused, staged / QUARANTINE)
    manifest = describe(
        staged,
        fs=settings.fs,
        samples=settings.samples,
        leads=LEADS,
        settings={**settings.model_dump(exclude=REFUSALS), "used_seconds": seconds},
        shards=counts,
        digests=digests,
    )
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(staged, folder)
    sync(folder.parent)
    return manifest


def _notes(jobs: list[Job]) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int], dict[str, str]]:
    """Return the rows with their quality, the quarantine, and the records and sha256 of each shard.

    One note is in memory at a time, because a million rows of Python objects take a gigabyte.
    """
    schema = {"id": pl.String(), **tables.QUALITY_COLUMNS}
    quality, refused = [pl.DataFrame(schema=schema)], [_quarantine([])]
    counts, digests = {}, {}
    for job in jobs:
        note = read_json(job.note)
        quality.append(pl.DataFrame(note["rows"], schema=schema))
        refused.append(_quarantine([note]))
        counts[job.shard.name], digests[job.shard.name] = len(note["rows"]), note["sha256"]
    return pl.concat(quality, rechunk=True), pl.concat(refused, rechunk=True), counts, digests


def _link(source: Path, target: Path) -> None:
    """Link a file to a second name, or copy it if `target` is on another disk."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
        sync(target)


def _quarantine(notes: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame([row for note in notes for row in note["quarantine"]], schema=tables.QUARANTINE_COLUMNS)


def _too_many(jobs: list[Job], records: int, settings: Signal) -> DataError:
    refused = _quarantine([read_json(job.note) for job in jobs if job.note.is_file()])
    listing = jobs[0].shard.parent.parent / QUARANTINE
    tables.write(refused, listing)
    rows = refused.select("reason", "member").iter_rows()
    reasons = Counter(redacted(reason, member) for reason, member in rows).most_common(3)
    return DataError(
        f"{len(refused)} of {records} records cannot be used; most often: "
        + "; ".join(f"{reason} ({count})" for reason, count in reasons),
        allowed=f"a share of {settings.max_quarantined:g} (signal.max_quarantined)",
        fix=f"look at {listing}, then fix the corpus or raise signal.max_quarantined in params.yaml",
    )
