"""Read the headers of a corpus: sampling rate, length and leads of each record, or the reason it cannot be used."""

import posixpath
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from cgdmer.datasets import metadata
from cgdmer.datasets.corpus_index import REPEATED, examples, quarantine
from cgdmer.errors import DataError, RecordError, redacted
from cgdmer.progress import progress
from cgdmer.signals import LEADS, canonical_lead
from cgdmer.waveforms import parse_header, read_record
from cgdmer.waveforms.header import HEADER_LIMIT, NO_FILE

if TYPE_CHECKING:
    from cgdmer.archives import Archive

THREADS = 8
"""Reading waits far longer for the disk or the network than it parses, so more threads than cores are used."""
BATCH = 512
MIN_FS, MAX_FS = 50.0, 20_000.0
"""Hz. Diagnostic recordings have 100 to 2,000 Hz; a rate outside these limits means a damaged header."""

ABSENT = "absent"
"""The reason of a record whose header is not in this copy; such records are not quarantined."""


class HeaderResult(NamedTuple):
    """The content of one header, or the reason it cannot be used."""

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
    """Usable rows with `fs`, `samples`, `leads` and `comments`; quarantined rows; counts."""

    frame: pl.DataFrame
    quarantine: pl.DataFrame
    facts: dict[str, Any]


def record_rows(files: Sequence[str], id_pattern: str) -> pl.DataFrame:
    """Return `id` and `member` of record files, sorted; the first group of `id_pattern` in the path is the id."""
    member = pl.Series("member", files, dtype=pl.String)
    return pl.DataFrame({"id": member.str.extract(id_pattern, 1), "member": member}).sort("id", "member")


def scan(archive: "Archive", rows: pl.DataFrame, source: str) -> Scan:
    """Read the header of every row (`id`, `member`) in order; a header that cannot be read does not stop the scan.

    A record whose header is not in the archive is not part of this copy and is only counted; a record whose header
    cannot be used, or whose id an earlier usable record has, is quarantined.
    """
    results = pl.DataFrame(_read_all(archive, rows["member"].to_list(), source), schema=SCHEMA, orient="row")
    read = rows.hstack(results)
    refused = read.filter(pl.col("reason").is_not_null(), pl.col("reason") != ABSENT)
    readable = read.filter(pl.col("reason").is_null())
    repeats = readable.filter(~pl.col("id").is_first_distinct())
    accepted = readable.filter(pl.col("id").is_first_distinct()) if repeats.height else readable
    facts = {
        "rows_without_signal": int((read["reason"] == ABSENT).sum()),
        "records_with_missing_leads": examples(accepted.filter(pl.col("leads").list.len() < len(LEADS))),
        "records_with_other_leads": examples(accepted.filter("other_leads")),
    }
    quarantined = pl.concat([quarantine(refused, pl.col("reason")), quarantine(repeats, pl.lit(REPEATED))])
    return Scan(accepted.drop("reason", "other_leads"), quarantined, facts)


def usable(scan: Scan, source: str, expected: str) -> pl.DataFrame:
    """Return the usable rows; if there are none, raise DataError with the first reason and the `expected` files."""
    if scan.frame.is_empty():
        reasons = scan.quarantine.select("reason", pl.col("member").fill_null("")).head(1).rows()
        raise DataError(
            f"no record of {source} can be used: {redacted(*reasons[0])}"
            if reasons
            else f"no record of {source} has its files here",
            allowed=expected,
            fix=f"cgdmer check {source}, then complete the copy",
        )
    return scan.frame


def comment(key: str) -> pl.Expr:
    """Return the text after `key:` in the comments of a header, or null."""
    value = pl.element().str.extract(rf"(?i)^[#\s]*{key}:\s*(.*?)\s*$", 1)
    return pl.col("comments").list.eval(value).list.drop_nulls().list.first()


def with_comments(frame: pl.DataFrame) -> pl.DataFrame:
    """Add age, sex and `codes` (a list of SNOMED CT codes) from the header comments of the PhysioNet challenges.

    These corpora have no reports and no patient ids, so every record counts as its own patient.
    """
    return frame.with_columns(
        patient=pl.col("id"),
        report=pl.lit(""),
        age=metadata.age(comment("Age")),
        sex=metadata.sex(comment("Sex")),
        codes=comment("Dx").str.replace_all(r"\s", "").str.split(","),
    )


def _read_all(archive: "Archive", members: list[str | None], source: str) -> list[HeaderResult]:
    """Read headers in batches on several threads, with a progress bar."""
    batches = [members[start : start + BATCH] for start in range(0, len(members), BATCH)]
    results: list[HeaderResult] = []
    with (
        ThreadPoolExecutor(THREADS) as pool,
        progress(total=len(members), desc=f"headers of {source}", unit="record") as bar,
    ):
        for batch in pool.map(lambda batch: [read_one(archive, member) for member in batch], batches):
            results += batch
            bar.update(len(batch))
    return results


def read_one(archive: "Archive", member: str | None) -> HeaderResult:
    """Read one header, or the whole record if no header states its length; a RecordError becomes the reason."""
    if not member:
        return HeaderResult(reason="the table names no file")
    try:
        if member not in archive:
            return HeaderResult(reason=ABSENT)
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
        return HeaderResult(reason=error.reason(member))


def _whole(archive: "Archive", member: str) -> HeaderResult:
    record = read_record(archive, member)
    return _checked(record.fs, record.signal.shape[1], record.leads, record.comments)


def _checked(fs: float, samples: int, names: Sequence[str], comments: list[str]) -> HeaderResult:
    """Check the content of a header; leads beyond the twelve are ignored, absent ones are marked in `shards`."""
    standard = [lead for name in names if (lead := canonical_lead(name))]
    if not MIN_FS <= fs <= MAX_FS:
        raise RecordError(f"sampling rate of {fs:g} Hz")
    if samples < 1:
        raise RecordError("no samples")
    if not standard:
        raise RecordError(f"no standard lead: {', '.join(names)[:80] or 'none'}")
    if len(set(standard)) < len(standard):
        raise RecordError(f"a lead occurs twice: {', '.join(names)[:80]}")
    return HeaderResult(float(fs), int(samples), standard, list(comments), len(standard) < len(names))
