"""Owns what a flow run shows in the Prefect UI: validation, progress of pretraining, the headline table, links."""

import os
import re
from collections.abc import Callable, Sequence
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

STEPS = re.compile(r"training: (\d+)/(\d+) steps(.*)")
"""The lines that training writes where there is no terminal."""


def page(path: Path) -> str:
    """Return the address of a file in reports/: below CGDMER_REPORTS_URL, which `make serve` sets, or a file's own."""
    root = os.environ.get("CGDMER_REPORTS_URL")
    return f"{root}/{path.relative_to(paths.REPORTS)}" if root else path.resolve().as_uri()


@task(cache_policy=NO_CACHE, task_run_name="show validation")
def validation(sources: Sequence[str]) -> None:
    """Show one row a corpus: records, quarantined, warnings."""
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
    """Show the headline table and a link to the report."""
    text = paths.REPORT_MD.read_text(encoding="utf-8")
    create_markdown_artifact(text, key="benchmark", description="The benchmark's numbers")
    create_link_artifact(page(paths.REPORT_HTML), key="report", link_text="The report", description="One HTML page")


def mlflow_run(run: str) -> None:
    """Link to a run in the UI of MLflow; one without a server has none."""
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    if server.startswith("http"):
        create_link_artifact(f"{server}/#/runs/{run}", key="mlflow-run", link_text="The run in MLflow")


class Training:
    """Passes a stage's lines on and moves a progress artifact by those of training."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say, self.shown = say, None

    shown: UUID | None

    def __call__(self, line: str) -> None:
        """Pass one line on; a server that does not answer costs the picture and nothing else."""
        self.say(line)
        if found := STEPS.match(line):
            done, total, rest = int(found[1]), int(found[2]), found[3]
            try:
                self._show(100 * done / total, f"pretraining: {done} of {total} steps{rest}")
            except Exception as error:  # whatever the client raises, training goes on
                get_run_logger().warning("no progress artifact: %s", error)

    def _show(self, percent: float, text: str) -> None:
        if self.shown is None:
            self.shown = create_progress_artifact(percent, key="pretraining", description=text)  # type: ignore[assignment]
        else:
            update_progress_artifact(self.shown, percent, description=text)
