"""The connection to MLflow: its address, the client, the experiment, and logging in batches that MLflow accepts."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from mlflow.entities import Experiment, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient, set_registry_uri, set_tracking_uri
from sqlalchemy.exc import SQLAlchemyError

from cgdmer.errors import EXTRAS, ConfigError, DataError, Unavailable
from cgdmer.settings.profiles import PARAMS as PARAMS_FILE
from cgdmer.tracking import relocation

EXPERIMENT = "cgdmer"
SECRET = re.compile("PASSWORD|SECRET|TOKEN|CREDENTIAL|API_KEY|ACCESS_KEY")
"""Environment variables with these words in their names hold secrets; their values appear in no message."""
CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
"""Variables from which MLflow's client reads name and password."""
PARAMS, METRICS = 100, 1000
"""Most params and metrics that MLflow accepts in one request."""


ANSWER_SECONDS = 5.0
"""How long a server may take to answer anything at all."""
ADDRESS = re.compile(r"(https?|sqlite|postgresql|mysql|mssql|databricks)(\+\w+)?://[^\s\x00-\x1f]{0,2000}")


def uri() -> str:
    """Return MLFLOW_TRACKING_URI, or a SQLite file in the project; ConfigError for what cannot be a store of MLflow."""
    address = os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        return _own_store()
    if problem := _problem(address):
        raise ConfigError(
            f"MLFLOW_TRACKING_URI={redact(address)[:200]}: {problem}",
            allowed="sqlite:///FILE, http://HOST:PORT, postgresql+psycopg2://...",
            fix="unset MLFLOW_TRACKING_URI to use sqlite:///mlflow.db in the project folder",
        )
    return address


def _own_store() -> str:
    """Return the address of the store in the project's folder."""
    return f"sqlite:///{relocation.DATABASE.resolve()}"


def require_store() -> None:
    """Raise ConfigError if the store is a SQLite file that does not exist: reading from MLflow must not create one."""
    address = uri()
    file = Path(address.removeprefix("sqlite:///"))
    if address.startswith("sqlite:///") and not file.is_file():
        raise ConfigError(
            f"there is no MLflow store {file.name} in {file.parent}",
            fix="run from the project's folder, or set MLFLOW_TRACKING_URI to the server that has the model",
        )


def _problem(address: str) -> str:
    """Return why an address cannot be a store of MLflow, or nothing."""
    if address.startswith("file:") or "://" not in address:
        return "MLflow 3 refuses file stores"
    if not ADDRESS.fullmatch(address):
        return "no address of a server or a database"
    file = Path(address.partition(":///")[2] or ".")
    if address.startswith("sqlite:///") and os.path.lexists(file) and not file.is_file():
        return "not a database file"
    try:
        named = urlsplit(address).port != 0 and bool(urlsplit(address).hostname)
    except ValueError:
        named = False
    return "" if named or not address.startswith("http") else "no host and port"


@contextmanager
def explained() -> Iterator[None]:
    """Raise an error without traceback and password where MLflow's server or database fails, or does not answer.

    Unavailable if nothing answers within ANSWER_SECONDS.
    """
    where = f"MLflow at {redact(uri())}"
    _require_answer(where)
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        if denied := refused(error):
            raise denied from error
        kind = Unavailable if uri().startswith("http") else DataError
        why = redact(str(error).strip().partition("\n")[0])[:300]
        raise kind(f"{where}: {why}", fix="python -m cgdmer doctor; look at the server's log") from error
    except ModuleNotFoundError as error:
        if any(error.name in modules for modules in EXTRAS.values()):
            raise
        raise ConfigError(
            f"{where}: its driver {error.name} is not installed",
            fix=f"pip install {error.name}; or pip install 'cgdmer[postgres]' and postgresql+psycopg2://...",
        ) from error


def refused(error: Exception) -> ConfigError | None:
    """Return the error of a server that refuses name and password, or None if `error` is another one."""
    if not isinstance(error, MlflowException) or error.error_code != "UNAUTHENTICATED":
        return None
    missing = [name for name in CREDENTIALS if not os.environ.get(name)]
    return ConfigError(
        f"MLflow at {redact(uri())} asks for a password: "
        + (f"{' and '.join(missing)} not set" if missing else "it refuses that of MLFLOW_TRACKING_PASSWORD"),
        fix=f"export {' '.join(f'{name}=...' for name in CREDENTIALS)}",
    )


def _require_answer(where: str) -> None:
    """Raise Unavailable if the address is that of a server which does not answer; any answer will do."""
    if not uri().startswith("http"):
        return
    try:
        requests.get(uri().rstrip("/") + "/health", timeout=ANSWER_SECONDS, stream=True).close()
    except requests.exceptions.SSLError:  # MLflow may know the certificate
        return
    except (requests.ConnectionError, requests.Timeout) as error:
        raise Unavailable(
            f"{where} does not answer: {type(error).__name__}", fix="start the server; or unset MLFLOW_TRACKING_URI"
        ) from error
    except (requests.RequestException, ValueError) as error:
        raise ConfigError(
            f"{where}: {type(error).__name__}", fix="export MLFLOW_TRACKING_URI=http://HOST:PORT"
        ) from error


def redact(text: str) -> str:
    """Return a text with user and password of each address, and secrets of the environment, replaced by `***`."""
    for name, value in os.environ.items():
        if SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return re.sub(r"//[^/@\s]+@", "//***@", text)


def connect() -> MlflowClient:
    """Return a client of the tracking server and registry, with telemetry off; `models:/` addresses use them too.

    ConfigError in a folder that is no project, where MLflow would create a store of its own.
    """
    _require_project()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    set_tracking_uri(uri())
    set_registry_uri(uri())
    return MlflowClient()


def _require_project() -> None:
    """Raise ConfigError if no store is stated, and the working directory has neither a store nor settings."""
    if os.environ.get("MLFLOW_TRACKING_URI") or relocation.DATABASE.is_file() or PARAMS_FILE.is_file():
        return
    raise ConfigError(
        f"{Path.cwd()} is no project: it has neither {PARAMS_FILE} nor {relocation.DATABASE}",
        allowed="the folder of a project, or any folder if MLFLOW_TRACKING_URI is set",
        fix="run from the project's root, or export MLFLOW_TRACKING_URI=http://HOST:PORT",
    )


def experiment(client: MlflowClient, name: str = EXPERIMENT) -> str:
    """Return the id of an experiment. The first call creates it; two processes may do so at once."""
    if uri() == _own_store():
        relocation.require_at_home()
    existing: Experiment | None = client.get_experiment_by_name(name)
    if existing is None:
        try:
            return str(client.create_experiment(name, artifact_location=_artifacts()))
        except MlflowException:
            existing = client.get_experiment_by_name(name)
            if existing is None:
                raise
    return str(existing.experiment_id)


def _artifacts() -> str | None:
    """Return the folder `mlartifacts/` beside a SQLite file; a server decides for itself."""
    if not uri().startswith("sqlite:"):
        return None
    return Path(uri().removeprefix("sqlite:///")).resolve().with_name(relocation.ARTIFACTS.name).as_uri()


def log_params(client: MlflowClient, run: str, params: Mapping[str, str]) -> None:
    entities = [Param(key, value[:6000]) for key, value in sorted(params.items())]
    for start in range(0, len(entities), PARAMS):
        client.log_batch(run, params=entities[start : start + PARAMS])


def log_numbers(client: MlflowClient, run: str, numbers: Mapping[str, float]) -> None:
    """Log final metrics with a fixed time and step, so that two states differ only if their numbers do."""
    log_points(client, run, [Metric(key, float(value), 0, 0) for key, value in sorted(numbers.items())])


def log_points(client: MlflowClient, run: str, points: list[Metric]) -> None:
    for start in range(0, len(points), METRICS):
        client.log_batch(run, metrics=points[start : start + METRICS])


def leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of a nested mapping by their path, `a/b/c`."""
    numbers: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            numbers |= leaves(value, f"{prefix}{key}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers[f"{prefix}{key}"] = float(value)
    return numbers
