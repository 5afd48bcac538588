"""Owns reading the headers of a corpus: rate, length and leads of every record, or the reason it cannot be used."""

import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from cgdmer.datasets.corpus_index import quarantine
from cgdmer.errors import DataError, RecordError
from cgdmer.progress import progress
from cgdmer.signals import LEADS, canonical_lead
from cgdmer.waveforms import parse_header, read_record
from cgdmer.waveforms.header import HEADER_LIMIT, NO_FILE

if TYPE_CHECKING:
    from cgdmer.archives import Archive

THREADS = 8
"""Reading waits for the disk or the network far longer than it parses."""
BATCH = 512
MIN_FS, MAX_FS = 50.0, 20_000.0
"""Hz. Diagnostic recordings lie between 100 and 2,000; what lies beyond these is a damaged header."""

ABSENT = "absent"
"""The reason of a record whose header is not in this copy: not counted against the copy."""


class Found(NamedTuple):
    """One header, or why there is none."""

    fs: float | None = None
    samples: int | None = None
    leads: list[str] | None = None
    comments: list[str] | None = None
    other_leads: bool = False
    reason: str | None = None


SCHEMA = {
    "fs": pl.Float64(),
    "samples": pl.Int64(),
    "leads": pl.List(pl.String()),
    "comments": pl.List(pl.String()),
    "other_leads": pl.Boolean(),
    "reason": pl.String(),
}


@dataclass(frozen=True)
class Scan:
    """The rows whose headers can be used, with `fs`, `samples`, `leads`, `comments`; the others; counts."""

    frame: pl.DataFrame
    quarantine: pl.DataFrame
    facts: dict[str, Any]


def scan(archive: "Archive", rows: pl.DataFrame, source: str) -> Scan:
    """Read the header of every row (`id`, `member`), keeping order; nothing but leaving the corpus stops it.

    A record whose header is not in the archive is not part of this copy and only counted; one whose header is there
    and cannot be used is quarantined.
    """
    found = pl.DataFrame(_read_all(archive, rows["member"].to_list(), source), schema=SCHEMA, orient="row")
    read = rows.hstack(found)
    bad = read.filter(pl.col("reason").is_not_null(), pl.col("reason") != ABSENT)
    good = read.filter(pl.col("reason").is_null())
    facts = {
        "rows_without_signal": int((read["reason"] == ABSENT).sum()),
        "records_with_missing_leads": examples(good.filter(pl.col("leads").list.len() < len(LEADS))),
        "records_with_other_leads": examples(good.filter("other_leads")),
    }
    return Scan(good.drop("reason", "other_leads"), quarantine(bad, pl.col("reason")), facts)


def usable(scan: Scan, source: str, where: str) -> pl.DataFrame:
    """Return the rows that can be used; DataError when there are none, with the first reason or where files belong."""
    if scan.frame.is_empty():
        reasons = scan.quarantine["reason"].head(1).to_list()
        raise DataError(
            f"no record of {source} can be used: {reasons[0]}"
            if reasons
            else f"no record of {source} has its files here",
            allowed=where,
            fix=f"cgdmer check {source}, then complete the copy",
        )
    return scan.frame


def examples(rows: pl.DataFrame) -> dict[str, Any]:
    """Return how many rows there are and the first ids."""
    return {"records": rows.height, "first": rows["id"].head(5).to_list()}


def comment(key: str) -> pl.Expr:
    """Return the text behind `key:` in the header's comments, or null."""
    value = pl.element().str.extract(rf"(?i)^[#\s]*{key}:\s*(.*?)\s*$", 1)
    return pl.col("comments").list.eval(value).list.drop_nulls().list.first()


def _read_all(archive: "Archive", members: list[str | None], source: str) -> list[Found]:
    """Read headers in batches on a few threads, with their progress."""
    batches = [members[start : start + BATCH] for start in range(0, len(members), BATCH)]
    found: list[Found] = []
    with (
        ThreadPoolExecutor(THREADS) as pool,
        progress(total=len(members), desc=f"headers of {source}", unit="record") as bar,
    ):
        for batch in pool.map(lambda batch: [read_one(archive, member) for member in batch], batches):
            found += batch
            bar.update(len(batch))
    return found


def read_one(archive: "Archive", member: str | None) -> Found:
    """Read one header, or the whole record where no header tells its length; a failure becomes the reason."""
    if not member:
        return Found(reason="the table names no file")
    try:
        if member not in archive:
            return Found(reason=ABSENT)
        if member.endswith(".mat"):
            return _whole(archive, member)
        header = parse_header(archive.read(member, HEADER_LIMIT), member)
        if header.segments:
            return _whole(archive, member)
        for name in dict.fromkeys(header.files):
            if name != NO_FILE and posixpath.join(posixpath.dirname(member), name) not in archive:
                raise RecordError(f"signal file missing: {name}")
        if not header.samples:
            return _whole(archive, member)
        return _checked(header.fs, header.samples, header.leads, header.comments)
    except RecordError as error:
        return Found(reason=error.reason(member))


def _whole(archive: "Archive", member: str) -> Found:
    record = read_record(archive, member)
    return _checked(record.fs, record.signal.shape[1], record.leads, record.comments)


def _checked(fs: float, samples: int, names: Sequence[str], comments: list[str]) -> Found:
    """Check what a header says; leads beyond the twelve are passed over, absent ones are marked later."""
    known = [lead for name in names if (lead := canonical_lead(name))]
    if not MIN_FS <= fs <= MAX_FS:
        raise RecordError(f"sampling rate of {fs:g} Hz")
    if samples < 1:
        raise RecordError("no samples")
    if not known:
        raise RecordError(f"no standard lead among {', '.join(names) or 'none'}")
    if len(set(known)) < len(known):
        raise RecordError(f"a lead occurs twice: {', '.join(names)}")
    return Found(float(fs), int(samples), known, list(comments), len(known) < len(names))
