"""Owns what a flow run shows in the Prefect UI: the validation summary, the headline table, links."""

from collections.abc import Sequence
from typing import Any

from prefect import task
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from cgdmer import paths
from cgdmer.files import read_json


@task(cache_policy=NO_CACHE, task_run_name="show validation")
def validation(sources: Sequence[str]) -> None:
    """Show one row a corpus: records, quarantined, warnings."""
    lines = ["| corpus | verdict | records | quarantined | warnings |", "|---|---|---:|---:|---|"]
    for source in sources:
        result: dict[str, Any] = read_json(paths.validation(source) / "result.json")
        verdict = "passed" if result["success"] else "failed"
        quarantined = sum(result["quarantined"].values())
        warnings = ", ".join(result["warnings"]) or "none"
        lines.append(f"| {source} | {verdict} | {result['records']} | {quarantined} | {warnings} |")
    create_markdown_artifact("\n".join(lines), key="validation", description="Great Expectations, by corpus")


@task(cache_policy=NO_CACHE, task_run_name="show the table")
def headline() -> None:
    """Show the headline table and a link to the report."""
    text = paths.REPORT_MD.read_text(encoding="utf-8")
    create_markdown_artifact(text, key="benchmark", description="The benchmark report")
    create_link_artifact(paths.REPORT_HTML.resolve().as_uri(), key="report", link_text="report.html")
