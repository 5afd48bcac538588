"""Owns one corpus's validation: gather its tables, run the suites, add the facts a person wants beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from cgdmer import paths, tables
from cgdmer.errors import ConfigError, ValidationFailed, did_you_mean
from cgdmer.files import read_json
from cgdmer.settings import Signal, Validation
from cgdmer.validation import frames, suites
from cgdmer.validation.facts import facts, repeated
from cgdmer.validation.run import run
from cgdmer.validation.suites import Check


@dataclass(frozen=True)
class Inputs:
    """Everything that validation reads of one source."""

    index: pl.DataFrame
    rows: pl.DataFrame
    manifest: Mapping[str, Any]
    index_facts: Mapping[str, Any]
    quarantine: pl.DataFrame


def read(source: str) -> Inputs:
    """Read a source's index, shard rows and quarantines; DataError names a missing file."""
    folder = paths.shards(source)
    quarantines = (paths.index_quarantine(source), folder / "quarantine.parquet")
    told = paths.index_facts(source)
    return Inputs(
        index=tables.read(paths.index(source)),
        rows=tables.read(folder / "rows.parquet"),
        manifest=read_json(folder / "manifest.json"),
        index_facts=read_json(told) if told.is_file() else {},
        quarantine=pl.concat(
            [tables.read(path).select(pl.col("id", "reason").cast(pl.String)) for path in quarantines]
        ),
    )


def assess(source: str, validation: Validation, signal: Signal, docs: Path | None = None) -> dict[str, Any]:
    """Validate one source and return its result, ready for JSON."""
    inputs = read(source)
    looked_at, checks = _plan(source, inputs, validation, signal)
    entries = run(looked_at, checks, docs=docs)
    failed = [entry["name"] for entry in entries if entry["state"] == "failed"]
    whole = "index" in looked_at and "shards" in looked_at
    return {
        "source": source,
        "success": not failed,
        "critical_failed": failed,
        "warnings": [entry["name"] for entry in entries if entry["state"] == "warning"],
        "expectations": entries,
        "records": inputs.rows.height,
        "quarantined": dict(inputs.quarantine["reason"].value_counts().sort("reason").iter_rows()),
        "duplicates": repeated(inputs.rows) if "shards" in looked_at else [],
        "facts": facts(inputs.index, inputs.rows, inputs.index_facts) if whole else {},
        "settings": {"validation": validation.model_dump(), "signal": signal.model_dump()},
    }


def _plan(
    source: str, inputs: Inputs, validation: Validation, signal: Signal
) -> tuple[dict[str, pl.DataFrame], list[Check]]:
    """Return the tables and the checks on them; checks on a table whose columns are wrong are skipped and say so."""
    looked_at = {
        "index schema": frames.schema(inputs.index, tables.INDEX_COLUMNS),
        "shard schema": frames.schema(inputs.rows, frames.SHARD_COLUMNS),
        "shard form": frames.form(inputs.manifest, inputs.rows.height, signal),
    }
    checks = [
        suites.equal("index_schema", "index schema", "The index has every column, in its type."),
        suites.equal("shard_schema", "shard schema", "The shard rows have every column, in its type."),
        suites.equal("shard_form", "shard form", "Shards have the rate, length, leads and rows that were asked."),
    ]
    indexed, sharded = _agrees(looked_at["index schema"]), _agrees(looked_at["shard schema"])
    if indexed:
        looked_at["index"] = frames.index(inputs.index)
        if sharded:
            looked_at["shards"] = frames.shards(inputs.rows, inputs.index)
    about = suites.index(looked_at.get("index", pl.DataFrame()), validation)
    about += _totals(source, inputs, looked_at) if indexed else []
    about += suites.shards(validation, signal)
    missing = "not run: the columns it needs are missing or of another type"
    return looked_at, checks + [c if c.table in looked_at or c.skipped else replace(c, skipped=missing) for c in about]


def _agrees(frame: pl.DataFrame) -> bool:
    return bool((frame["observed"] == frame["expected"]).all())


def _totals(source: str, inputs: Inputs, looked_at: dict[str, pl.DataFrame]) -> list[Check]:
    """Return one check of published counts a task, and add its table where the counts apply."""
    checks = []
    split = inputs.index_facts.get("split", {})
    reason = frames.not_pinned(inputs.index, source, str(split.get("kind", "")))
    for task in frames.tasks(inputs.index):
        name = f"label totals {task}"
        if not reason:
            looked_at[name] = frames.label_totals(inputs.index, task)
        says = f"Records and positives of {task} equal the published counts in every split."
        checks.append(suites.equal(f"label_totals_{task}", name, says, skipped=reason))
    return checks


def failing_rows(source: str, expectation: str) -> pl.DataFrame:
    """Return every row that failed one expectation of the last validation, with the thresholds it used.

    Raises ConfigError for a name that is no expectation of this source.
    """
    settings = read_json(paths.validation(source) / "result.json")["settings"]
    validation, signal = Validation(**settings["validation"]), Signal(**settings["signal"])
    looked_at, checks = _plan(source, read(source), validation, signal)
    names = [check.name for check in checks]
    if expectation not in names:
        near = did_you_mean(expectation, names)
        raise ConfigError(f"{source} has no expectation '{expectation}'{near}", allowed=", ".join(names))
    check = checks[names.index(expectation)]
    if check.skipped:
        return pl.DataFrame(schema={"id": pl.String})
    frame = looked_at[check.table]
    ids = run(looked_at, [check], complete=True)[0]["examples"]
    shown = dict.fromkeys(name for name in ("id", "patient", "split", check.column, "observed", "expected") if name)
    return frame.filter(pl.col("id").is_in(ids)).select([name for name in shown if name in frame.columns])


def verdict(result: Mapping[str, Any]) -> None:
    """Raise ValidationFailed when a critical expectation failed: its name, how many rows, and what to do.

    It ends in logs, so it names no record.
    """
    failed = [entry for entry in result["expectations"] if entry["state"] == "failed"]
    if not failed:
        return
    source = result["source"]
    kind = "expectation" if len(failed) == 1 else "expectations"
    lines = [f"{source}: {len(failed)} critical {kind} failed; nothing downstream may run"]
    lines += [f"  {entry['name']}: {_count(entry)}. {entry['says']}" for entry in failed]
    command = f"python -m cgdmer check {source} --failed {failed[0]['name']}"
    page = paths.validation(source) / "index.html"
    raise ValidationFailed("\n".join(lines), fix=f"{command} lists the rows; {page} shows all; then mend the data")


def _count(entry: Mapping[str, Any]) -> str:
    if not entry["examples"]:
        return f"observed {entry['observed']}"
    return f"{entry['unexpected_count']:,} row{'' if entry['unexpected_count'] == 1 else 's'}"
