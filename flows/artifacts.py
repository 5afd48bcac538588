"""What a flow run shows in the Prefect UI: validation, progress of pretraining, the headline table, links."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.tracking.server import redact
from flows.dvc import Log

STEPS = re.compile(r"training: (\d+)/(\d+) steps(.*)")
"""Matches the progress lines that training writes when it has no terminal."""


def page(path: Path) -> str:
    """Return the address of a file in reports/: below CGDMER_REPORTS_URL if that is set, else as file://."""
    root = os.environ.get("CGDMER_REPORTS_URL")
    return f"{root}/{path.relative_to(paths.REPORTS)}" if root else path.resolve().as_uri()


@task(cache_policy=NO_CACHE, task_run_name="show validation")
def validation(sources: Sequence[str]) -> None:
    """Show one row per corpus: verdict, records, quarantined records, warnings."""
    lines = ["| corpus | verdict | records | quarantined | warnings |", "|---|---|---:|---:|---|"]
    for source in sources:
        result: dict[str, Any] = read_json(paths.validation(source) / "result.json")
        verdict = "passed" if result["success"] else "failed"
        quarantined = sum(result["quarantined"].values())
        warnings = ", ".join(result["warnings"]) or "none"
        link = page(paths.validation(source) / "index.html")
        lines.append(f"| [{source}]({link}) | {verdict} | {result['records']} | {quarantined} | {warnings} |")
    create_markdown_artifact("\n".join(lines), key="validation", description="Great Expectations, by corpus")


@task(cache_policy=NO_CACHE, task_run_name="show the table")
def headline() -> None:
    """Show the headline table and a link to the benchmark page."""
    text = paths.REPORT_MD.read_text(encoding="utf-8")
    create_markdown_artifact(text, key="benchmark", description="The benchmark's numbers")
    create_link_artifact(
        page(paths.REPORT_HTML), key="report", link_text="The benchmark page", description="One HTML page"
    )


@task(cache_policy=NO_CACHE, task_run_name="show the costs")
def costs() -> None:
    """Show what the present results cost, as far as this machine measured it, and write the page."""
    from cgdmer import settings
    from cgdmer.commands import costs
    from cgdmer.publishing import cost_page
    from cgdmer.report.costs import by_stage
    from cgdmer.report.table import markdown

    if present := costs.of_results(settings.load()):
        text = markdown(by_stage(present))
        address = page(cost_page.write(present))
        create_markdown_artifact(f"{text}\n\n[By stage call]({address})", key="costs", description="Costs by stage")


def mlflow_page(run: str) -> str:
    """Return the address of a run in the MLflow UI; empty if no server has one."""
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    return f"{redact(server)}/#/runs/{run}" if server.startswith("http") else ""


def mlflow_run(run: str) -> None:
    """Link to a run in the MLflow UI, if a server has one."""
    if address := mlflow_page(run):
        create_link_artifact(address, key="mlflow-run", link_text="The run in MLflow")


class Training:
    """Passes a stage's lines on and updates a progress artifact from the progress lines of training."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.artifact: UUID | None = None

    def __call__(self, line: str) -> None:
        """Pass one line on; if the server does not answer, only the progress artifact is missing."""
        self.log(line)
        if match := STEPS.match(line):
            done, total, details = int(match[1]), int(match[2]), match[3]
            try:
                self._show(100 * done / total, f"pretraining: {done} of {total} steps{details}")
            except Exception as error:  # whatever the client raises, training continues
                get_run_logger().warning("cannot update the progress artifact: %s", error)

    def _show(self, percent: float, text: str) -> None:
        if self.artifact is None:
            self.artifact = create_progress_artifact(percent, key="pretraining", description=text)  # type: ignore[assignment]
        else:
            update_progress_artifact(self.artifact, percent, description=text)
