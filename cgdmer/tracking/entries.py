"""Owns writing params and numbers into a run, in the portions MLflow takes."""

from collections.abc import Mapping
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

PARAMS, METRICS = 100, 1000
"""What MLflow takes in one call."""


def log_params(client: MlflowClient, run: str, params: Mapping[str, str]) -> None:
    entities = [Param(key, value[:6000]) for key, value in sorted(params.items())]
    for start in range(0, len(entities), PARAMS):
        client.log_batch(run, params=entities[start : start + PARAMS])


def log_numbers(client: MlflowClient, run: str, numbers: Mapping[str, float]) -> None:
    """Log final metrics with a fixed time and step, so that two states differ only where their numbers do."""
    log_points(client, run, [Metric(key, float(value), 0, 0) for key, value in sorted(numbers.items())])


def log_points(client: MlflowClient, run: str, points: list[Metric]) -> None:
    for start in range(0, len(points), METRICS):
        client.log_batch(run, metrics=points[start : start + METRICS])


def leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a nested mapping by their path."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= leaves(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{key}"] = float(value)
    return found
