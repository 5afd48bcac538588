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
    texts: Mapping[str, Any] | None = None, files: tuple[Path, ...] = (),
) -> str:  # fmt: skip
    """Log a run and return its id; `texts` become JSON artifacts. Neither may name a recording or a folder.

    Unavailable if the server does not answer.
    """
    with server.explained():
        client = server.connect()
        run = client.create_run(server.experiment(client, experiment), run_name=name, tags=dict(tags)).info.run_id
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
