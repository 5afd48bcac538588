"""Owns the connection to MLflow: where it is, that it phones nobody, and the experiment."""

import logging
import os
import re
from pathlib import Path

from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient, set_registry_uri, set_tracking_uri

from cgdmer.errors import ConfigError

EXPERIMENT = "cgdmer"
SECRET = re.compile("PASSWORD|SECRET|TOKEN|CREDENTIAL|API_KEY|ACCESS_KEY")
"""Names of environment variables whose values are never said."""


def uri() -> str:
    """Return MLFLOW_TRACKING_URI, or a SQLite file in the project; ConfigError for the retired file store."""
    address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path('mlflow.db').resolve()}"
    if address.startswith("file:") or "://" not in address:
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={without_secrets(address)}: MLflow 3 refuses file stores",
            allowed="sqlite:///FILE, http://HOST:PORT, postgresql://...",
            fix="unset MLFLOW_TRACKING_URI for sqlite:///mlflow.db beside the project",
        )
    return address


def without_secrets(text: str) -> str:
    """Return a text without what stands between `//` and `@` of an address, and without secrets of the environment."""
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return re.sub(r"//[^/@\s]+@", "//***@", text)


def connect() -> MlflowClient:
    """Return a client of the tracking server and registry, telemetry off; `models:/` means its registry from here."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    set_tracking_uri(uri())
    set_registry_uri(uri())
    return MlflowClient()


def experiment(client: MlflowClient) -> str:
    """Return the id of the experiment `cgdmer`, made at first use; two makers at once are no error."""
    found: Experiment | None = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=_artifacts()))
        except MlflowException:
            found = client.get_experiment_by_name(EXPERIMENT)
            if found is None:
                raise
    return str(found.experiment_id)


def _artifacts() -> str | None:
    """Beside a SQLite file artifacts lie in `mlartifacts/`; a server decides for itself."""
    return Path("mlartifacts").resolve().as_uri() if uri().startswith("sqlite:") else None
