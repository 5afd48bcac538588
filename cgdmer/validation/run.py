"""Owns running the suites with Great Expectations: tables in, one plain result out, the same on every run."""

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
"""Failing rows named for each expectation."""

CHATTY = ("great_expectations", "great_expectations.data_context.types.base")
"""Loggers that report what concerns no one here; the second sets a level of its own."""


def run(
    frames: Mapping[str, pl.DataFrame], checks: list[Check], *, docs: Path | None = None, complete: bool = False
) -> list[dict[str, Any]]:
    """Run checks on the frames they name and return one entry a check, in their order.

    `complete` lists every failing row and not the first few; `docs` is a folder for Great Expectations' own Data Docs
    (they load fonts and styles from the network). Raises DataError when an expectation cannot be evaluated at all.
    """
    names = list(dict.fromkeys(check.table for check in checks if not check.skipped))
    with Engine(complete) as engine:
        outcomes: dict[str, Any] = {}
        for name in names:
            chosen = [check for check in checks if check.table == name and not check.skipped]
            outcomes |= engine.validate(name, frames[name], chosen)
        if docs:
            engine.write_docs(docs)
    return [_entry(check, frames.get(check.table), outcomes.get(check.name)) for check in checks]


class Engine:
    """One ephemeral Great Expectations context; the library is imported when it is entered."""

    def __init__(self, complete: bool) -> None:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        self.format = {
            "result_format": "COMPLETE" if complete else "SUMMARY",
            "unexpected_index_column_names": ["id"],
            "partial_unexpected_count": EXAMPLES,
        }

    def __enter__(self) -> "Engine":
        self.gx = _library()
        self.context = self.gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        self.source = self.context.data_sources.add_pandas("cgdmer")
        return self

    def __exit__(self, *_: object) -> None:
        self.context.data_sources.delete("cgdmer")

    def validate(self, name: str, frame: pl.DataFrame, checks: list[Check]) -> dict[str, Any]:
        """Run the checks of one table and return Great Expectations' own result for each name."""
        asset = self.source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        suite = self.context.suites.add(self.gx.ExpectationSuite(name, expectations=[self._build(c) for c in checks]))
        definition = self.gx.ValidationDefinition(name=name, data=asset, suite=suite)
        definition = self.context.validation_definitions.add(definition)
        columns = {"id", *(c.arguments.get(key) for c in checks for key in ("column", "column_A", "column_B"))}
        data = frame.select([column for column in frame.columns if column in columns]).to_pandas()
        outcome = definition.run(batch_parameters={"dataframe": data}, result_format=self.format)
        results = [result.to_json_dict() for result in outcome.results]
        return {result["expectation_config"]["meta"]["name"]: _sound(result) for result in results}

    def _build(self, check: Check) -> Any:
        kind = getattr(self.gx.expectations, check.kind)
        return kind(**check.arguments, severity=check.severity, meta={"name": check.name, "notes": check.says})

    def write_docs(self, folder: Path) -> None:
        """Build Data Docs of everything validated so far."""
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder.absolute())}
        index = {"class_name": "DefaultSiteIndexBuilder"}
        config = {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
        self.context.add_data_docs_site(site_name="cgdmer", site_config=config)
        self.context.build_data_docs(site_names=["cgdmer"])


def _library() -> Any:
    """Import Great Expectations without what it says while it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        logging.getLogger("great_expectations").setLevel(logging.WARNING)
        import great_expectations

    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    return great_expectations


def _sound(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result that was computed; Great Expectations hides its own exceptions in one that was not."""
    problem = result.get("exception_info") or {}
    if "raised_exception" in problem and not problem["raised_exception"]:
        return result
    name = result["expectation_config"]["meta"]["name"]
    first: Any = problem if "exception_message" in problem else next(iter(problem.values()), {})
    text = first.get("exception_message", "no reason given")
    raise DataError(f"expectation '{name}' could not be evaluated: {text}", fix="dvc repro --force on the index stage")


def _entry(check: Check, frame: pl.DataFrame | None, result: dict[str, Any] | None) -> dict[str, Any]:
    """Return what result.json says of one check."""
    entry: dict[str, Any] = {
        "name": check.name, "table": check.table, "column": check.column, "severity": check.severity,
        "says": check.says, "applicable": not check.skipped, "note": check.skipped, "success": True,
        "unexpected_count": 0, "unexpected_share": 0.0, "observed": "", "examples": [], "values": [],
    }  # fmt: skip
    if frame is not None and not check.skipped:
        entry["observed"] = observed(frame, check)
    if result is not None:
        detail = result["result"]
        rows = detail.get("unexpected_index_list") or detail.get("partial_unexpected_index_list") or []
        entry |= {
            "success": bool(result["success"]),
            "unexpected_count": int(detail.get("unexpected_count") or 0),
            "unexpected_share": round(float(detail.get("unexpected_percent") or 0.0) / 100, 6),
            "examples": [str(row["id"]) for row in rows],
            "values": [_value(row, check) for row in rows],
        }
    return entry | {"state": _state(entry)}


def _value(row: Mapping[str, Any], check: Check) -> str:
    """Return what a failing row holds, as text."""
    if "column_A" in check.arguments:
        return f"{row['observed']}, expected {row['expected']}"
    value = row.get(check.column)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _state(entry: Mapping[str, Any]) -> str:
    """Name the outcome: flagged means that rows fail, but no more than the expectation allows."""
    if not entry["applicable"]:
        return "not applicable"
    if not entry["success"]:
        return "failed" if entry["severity"] == "critical" else "warning"
    return "flagged" if entry["unexpected_count"] else "passed"


def observed(frame: pl.DataFrame, check: Check) -> str:
    """Say in a few words what a column holds: its range, its few values, or how many are distinct."""
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
