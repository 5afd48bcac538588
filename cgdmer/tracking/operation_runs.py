"""Runs of operations in MLflow: batch inference, monitoring and validation, each in an experiment of its own."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cgdmer.errors import redacted
from cgdmer.tracking import server

INFERENCE, MONITORING, VALIDATION = "cgdmer-inference", "cgdmer-monitoring", "cgdmer-validation"
UNUSUAL = re.compile(r"[^\w\-. :/]")
"""Characters that MLflow refuses in the name of a metric."""


def record(
    experiment: str, name: str, tags: Mapping[str, str], metrics: Mapping[str, float], *,
    texts: Mapping[str, Any] | None = None, files: tuple[Path, ...] = (), key: str = "",
) -> str:  # fmt: skip
    """Log a run and return its id; `texts` become JSON artifacts. Neither may name a recording or a folder.

    A retry with the same `key` replaces the run that a failed attempt left. Unavailable if the server does not answer.
    """
    with server.explained():
        client = server.connect()
        where = server.experiment(client, experiment)
        for left in client.search_runs([where], f"tags.key = '{key}'") if key else ():
            client.delete_run(left.info.run_id)
        own = {**tags, "key": key} if key else dict(tags)
        run = client.create_run(where, run_name=name, tags=own).info.run_id
        server.log_numbers(client, run, {UNUSUAL.sub("_", key): value for key, value in metrics.items()})
        for file, content in (texts or {}).items():
            client.log_text(run, json.dumps(content, indent=1, sort_keys=True), file)
        for path in files:
            client.log_artifact(run, str(path))
        client.set_terminated(run)
    return str(run)


def counted(reasons: Mapping[str, int]) -> dict[str, int]:
    """Return how often each reason occurs, without what it quotes: names and numbers could tell a patient."""
    totals: Counter[str] = Counter()
    for reason, count in reasons.items():
        totals[redacted(reason)] += count
    return dict(totals)
