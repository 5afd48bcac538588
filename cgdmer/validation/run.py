"""Run the suites with Great Expectations: tables in, one plain entry per check out, the same on every run."""

import logging
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cgdmer.errors import DataError
from cgdmer.validation.suites import Check

EXAMPLES = 20
"""Most failing rows that are listed per expectation."""

CHANCE = 0.001
"""An expectation on a share fails only if so many failing rows are less probable than this at its limit."""

CHATTY = ("great_expectations", "great_expectations.data_context.types.base")
"""Loggers whose messages are of no use here; the second one sets its own level."""


def run(frames: Mapping[str, pl.DataFrame], checks: list[Check], *, docs: Path | None = None) -> list[dict[str, Any]]:
    """Run checks on the frames they name and return one entry per check, in their order.

    `docs` is a folder for Great Expectations' Data Docs, whose pages load fonts and styles from the network. Raises
    DataError if an expectation cannot be evaluated.
    """
    names = list(dict.fromkeys(check.table for check in checks if not check.skipped))
    with Engine() as engine:
        outcomes: dict[str, Any] = {}
        for name in names:
            on_table = [check for check in checks if check.table == name and not check.skipped]
            outcomes |= engine.validate(name, frames[name], on_table)
        if docs:
            engine.write_docs(docs)
    return [_entry(check, frames.get(check.table), outcomes.get(check.name)) for check in checks]


class Engine:
    """One ephemeral Great Expectations context. The library is slow to import, so that happens on entry."""

    def __init__(self) -> None:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

    def __enter__(self) -> "Engine":
        self.gx = _library()
        self.context = self.gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        self.source = self.context.data_sources.add_pandas("cgdmer")
        return self

    def __exit__(self, *_: object) -> None:
        self.context.data_sources.delete("cgdmer")

    def validate(self, name: str, frame: pl.DataFrame, checks: list[Check]) -> dict[str, Any]:
        """Run the checks of one table and return the result of Great Expectations by the name of the check."""
        asset = self.source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        suite = self.context.suites.add(
            self.gx.ExpectationSuite(name, expectations=[self._build(c, frame) for c in checks])
        )
        definition = self.gx.ValidationDefinition(name=name, data=asset, suite=suite)
        definition = self.context.validation_definitions.add(definition)
        columns = {c.arguments.get(key) for c in checks for key in ("column", "column_A", "column_B")}
        data = _to_pandas(frame.select([column for column in frame.columns if column in columns]))
        outcome = definition.run(batch_parameters={"dataframe": data}, result_format="BASIC")
        results = [result.to_json_dict() for result in outcome.results]
        return {result["expectation_config"]["meta"]["name"]: _evaluated(result) for result in results}

    def _build(self, check: Check, frame: pl.DataFrame) -> Any:
        kind, arguments = getattr(self.gx.expectations, check.kind), dict(check.arguments)
        if check.limit:
            count = frame[check.column].count()
            arguments["mostly"] = 1 - min(1.0, (allowed(check.limit, count) + 0.5) / max(count, 1))  # 0.5: no rounding
        return kind(**arguments, severity=check.severity, meta={"name": check.name, "notes": check.sentence})

    def write_docs(self, folder: Path) -> None:
        """Write Data Docs of everything validated so far."""
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        config = {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
        self.context.add_data_docs_site(site_name="cgdmer", site_config=config)
        self.context.build_data_docs(site_names=["cgdmer"])


def allowed(limit: float, rows: int) -> int:
    """Return how many of `rows` may fail at a limit on their share, with what chance explains (see `CHANCE`)."""
    from scipy.stats import binom

    return int(binom.ppf(1 - CHANCE, rows, limit)) if rows else 0


def _to_pandas(frame: pl.DataFrame) -> Any:
    """Return a pandas frame whose text stays in Arrow's buffers: Python strings take four times the memory."""
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    data = frame.drop(text).to_pandas()
    for name in text:
        data[name] = frame[name].to_pandas(use_pyarrow_extension_array=True)
    return data


def _library() -> Any:
    """Import Great Expectations without the warnings and log messages of its import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        import great_expectations

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    return great_expectations


def _evaluated(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result unless Great Expectations hides an exception in it. Raises DataError with that exception."""
    problem = result.get("exception_info") or {}
    if "raised_exception" in problem and not problem["raised_exception"]:
        return result
    name = result["expectation_config"]["meta"]["name"]
    first: Any = problem if "exception_message" in problem else next(iter(problem.values()), {})
    text = first.get("exception_message", "no reason given")
    raise DataError(f"expectation '{name}' could not be evaluated: {text}", fix="dvc repro --force on the index stage")


def _entry(check: Check, frame: pl.DataFrame | None, result: dict[str, Any] | None) -> dict[str, Any]:
    """Return the entry of one check in result.json."""
    entry: dict[str, Any] = {
        "name": check.name, "table": check.table, "column": check.column, "severity": check.severity,
        "says": check.sentence, "applicable": not check.skipped, "note": check.skipped, "success": True,
        "unexpected_count": 0, "unexpected_share": 0.0, "limit": check.limit, "allowed_count": 0, "observed": "",
        "examples": [], "values": [],
    }  # fmt: skip
    if frame is not None and not check.skipped:
        entry["observed"] = observed(frame, check)
        entry["allowed_count"] = allowed(check.limit, frame[check.column].count()) if check.limit else 0
    if result is not None:
        detail = result["result"]
        rows = [] if frame is None else failing(frame, check).head(EXAMPLES).to_dicts()
        entry |= {
            "success": bool(result["success"]),
            "unexpected_count": int(detail.get("unexpected_count") or 0),
            "unexpected_share": round(float(detail.get("unexpected_percent") or 0.0) / 100, 6),
            "examples": [str(row["id"]) for row in rows],
            "values": [_value(row, check) for row in rows],
        }
    return entry | {"state": _state(entry)}


def failing(frame: pl.DataFrame, check: Check) -> pl.DataFrame:
    """Return the rows that fail a check, in their order.

    Great Expectations counts them and judges; asked for their ids, it takes seconds for every 100,000 failing rows.
    """
    column, arguments = pl.col(check.column or "id"), check.arguments
    if check.column and frame.schema[check.column].is_float():
        column = column.fill_nan(None)
    fails = pl.lit(value=False)
    match check.kind:
        case "ExpectColumnValuesToBeBetween":
            low, high = arguments["min_value"], arguments["max_value"]
            fails = (column < low if low is not None else fails) | (column > high if high is not None else fails)
        case "ExpectColumnValuesToBeInSet":
            fails = ~column.is_in(arguments["value_set"])
        case "ExpectColumnValuesToBeUnique":
            fails = column.is_duplicated() & column.is_not_null()
        case "ExpectColumnValuesToNotBeNull":
            fails = column.is_null()
        case "ExpectColumnPairValuesToBeEqual":
            fails = column.ne_missing(pl.col(arguments["column_B"]))
    return frame.filter(fails)


def _value(row: Mapping[str, Any], check: Check) -> str:
    """Return the value of a failing row as text."""
    if "column_A" in check.arguments:
        return f"{row['observed']}, expected {row['expected']}"
    value = row.get(check.column)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _state(entry: Mapping[str, Any]) -> str:
    """Return the outcome; `flagged` means that some rows fail, but no more than the expectation allows."""
    if not entry["applicable"]:
        return "not applicable"
    if not entry["success"]:
        return "failed" if entry["severity"] == "critical" else "warning"
    return "flagged" if entry["unexpected_count"] else "passed"


def observed(frame: pl.DataFrame, check: Check) -> str:
    """Summarise a column: its range, its few values, or the number of distinct ones."""
    if "column_A" in check.arguments:
        return f"{frame.height:,} compared"
    if not check.column:
        return f"{frame.height:,} rows"
    values = frame[check.column].drop_nulls()
    if values.is_empty():
        return "no value"
    if values.dtype.is_numeric():
        low, high = (float(np.asarray(value)) for value in (values.min(), values.max()))
        return f"{low:,.6g} to {high:,.6g}"
    distinct = values.unique().sort()
    if distinct.len() > 6:
        return f"{distinct.len():,} distinct"
    return ", ".join("none" if value == "" else str(value).lower() for value in distinct)
