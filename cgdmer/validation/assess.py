"""Validate one corpus: read its tables, run the suites, and add facts that no threshold judges."""

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
from cgdmer.validation.run import failing, run
from cgdmer.validation.suites import Check


@dataclass(frozen=True)
class Inputs:
    """All that validation reads of one source."""

    index: pl.DataFrame
    rows: pl.DataFrame
    manifest: Mapping[str, Any]
    index_facts: Mapping[str, Any]
    quarantine: pl.DataFrame


def read(source: str) -> Inputs:
    """Read the index, shard rows and quarantines of a source. Raises DataError, which names a missing file."""
    folder = paths.shards(source)
    quarantines = (paths.index_quarantine(source), folder / "quarantine.parquet")
    index_facts = paths.index_facts(source)
    return Inputs(
        index=tables.read(paths.index(source)),
        rows=tables.read(folder / "rows.parquet"),
        manifest=read_json(folder / "manifest.json"),
        index_facts=read_json(index_facts) if index_facts.is_file() else {},
        quarantine=pl.concat(
            [tables.read(path).select(pl.col("id", "reason").cast(pl.String)) for path in quarantines]
        ),
    )


def assess(source: str, validation: Validation, signal: Signal, docs: Path | None = None) -> dict[str, Any]:
    """Validate one source and return its result, ready for JSON; `docs` is a folder for Data Docs."""
    inputs = read(source)
    data, checks = _plan(source, inputs, validation, signal)
    complete = "index" in data and "shards" in data
    described = {
        "records": inputs.rows.height,
        "quarantined": dict(tables.kinds(inputs.quarantine["reason"]).value_counts().sort("reason").iter_rows()),
        "duplicates": repeated(inputs.rows) if "shards" in data else [],
        "facts": facts(inputs.index, inputs.rows, inputs.index_facts) if complete else {},
    }
    del inputs  # a million records take half a gigabyte, of which the expectations read half
    entries = run(data, checks, docs=docs)
    failed = [entry["name"] for entry in entries if entry["state"] == "failed"]
    return {
        "source": source,
        "success": not failed,
        "critical_failed": failed,
        "warnings": [entry["name"] for entry in entries if entry["state"] == "warning"],
        "expectations": entries,
        **described,
        "settings": {"validation": validation.model_dump(), "signal": signal.model_dump()},
    }


def _plan(
    source: str, inputs: Inputs, validation: Validation, signal: Signal
) -> tuple[dict[str, pl.DataFrame], list[Check]]:
    """Return the tables by name and the checks on them; those on a table with wrong columns are skipped."""
    data = {
        "index schema": frames.schema(inputs.index, tables.INDEX_COLUMNS),
        "shard schema": frames.schema(inputs.rows, frames.SHARD_COLUMNS),
        "shard form": frames.form(inputs.manifest, inputs.rows.height, signal),
    }
    checks = [
        suites.equal("index_schema", "index schema", "The index has every column, each of its type."),
        suites.equal("shard_schema", "shard schema", "The shard rows have every column, each of its type."),
        suites.equal("shard_form", "shard form", "Shards have the configured rate, length, leads and number of rows."),
    ]
    index_valid, shards_valid = _agrees(data["index schema"]), _agrees(data["shard schema"])
    if index_valid:
        data["index"] = frames.index(inputs.index)
        if shards_valid:
            data["shards"] = frames.shards(inputs.rows, inputs.index)
            data["records"] = frames.records(inputs.rows, inputs.quarantine)
    on_rows = suites.index(data.get("index", pl.DataFrame()), validation)
    on_rows += _totals(source, inputs, data) if index_valid else []
    on_rows += suites.shards(validation, signal)
    reason = "not run: the columns it needs are missing or of another type"
    return data, checks + [c if c.table in data or c.skipped else replace(c, skipped=reason) for c in on_rows]


def _agrees(frame: pl.DataFrame) -> bool:
    return bool((frame["observed"] == frame["expected"]).all())


def _totals(source: str, inputs: Inputs, data: dict[str, pl.DataFrame]) -> list[Check]:
    """Return one check of published counts per task, and add its table to `data` if the counts apply."""
    checks = []
    split = inputs.index_facts.get("split", {})
    reason = frames.why_not_comparable(inputs.index, source, str(split.get("kind", "")))
    for task in frames.tasks(inputs.index):
        name = f"label totals {task}"
        if not reason:
            data[name] = frames.label_totals(inputs.index, task)
        sentence = f"Records and positives of {task} equal the published counts in every split."
        checks.append(suites.equal(f"label_totals_{task}", name, sentence, skipped=reason))
    return checks


def failing_rows(source: str, expectation: str) -> pl.DataFrame:
    """Return every row that failed one expectation, by the thresholds of the last validation.

    Raises ConfigError if the source has no expectation of that name.
    """
    settings = read_json(paths.validation(source) / "result.json")["settings"]
    validation, signal = Validation(**settings["validation"]), Signal(**settings["signal"])
    data, checks = _plan(source, read(source), validation, signal)
    names = [check.name for check in checks]
    if expectation not in names:
        hint = did_you_mean(expectation, names)
        raise ConfigError(f"{source} has no expectation '{expectation}'{hint}", allowed=", ".join(names))
    check = checks[names.index(expectation)]
    if check.skipped:
        return pl.DataFrame(schema={"id": pl.String})
    wanted = ("id", "patient", "split", check.column, "observed", "expected", "reason")
    columns = dict.fromkeys(name for name in wanted if name)
    rows = failing(data[check.table], check)
    return rows.select([name for name in columns if name in rows.columns])


def verdict(result: Mapping[str, Any]) -> None:
    """Raise ValidationFailed if a critical expectation failed, with its name, rows, share, limit and what to do.

    The message is logged, so it names no record.
    """
    failed = [entry for entry in result["expectations"] if entry["state"] == "failed"]
    if not failed:
        return
    source = result["source"]
    kind = "expectation" if len(failed) == 1 else "expectations"
    lines = [f"{source}: {len(failed)} critical {kind} failed; no later stage may run"]
    lines += [f"  {entry['name']}: {_count(entry)}. {entry['says']}" for entry in failed]
    commands = "; ".join(f"python -m cgdmer check {source} --failed {entry['name']}" for entry in failed)
    page = paths.validation(source) / "index.html"
    fix = f"look at the rows ({commands}) and at {page}; docs/troubleshooting.md names usual causes"
    raise ValidationFailed("\n".join(lines), fix=fix)


def _count(entry: Mapping[str, Any]) -> str:
    if not entry["examples"]:
        return f"observed {entry['observed']}"
    rows = f"{entry['unexpected_count']:,} row{'' if entry['unexpected_count'] == 1 else 's'}"
    limit = f"{entry['limit']:.2%} may fail, here {entry['allowed_count']:,}" if entry["limit"] else "none may fail"
    return f"{rows} ({entry['unexpected_share']:.2%}), {limit}"
