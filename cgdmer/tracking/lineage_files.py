"""Registered versions by address, and the artifacts of a run from which its results are reproduced and compared."""

import re
from pathlib import Path

from mlflow.exceptions import MlflowException

from cgdmer.errors import ConfigError, DataError
from cgdmer.tracking import server
from cgdmer.tracking.aliases import ABSENT, Version
from cgdmer.tracking.registry import ECG

ADDRESS = re.compile(r"models:/([\w.-]+)(?:@([\w-]+)|/([0-9]{1,9}))")


def resolve(uri: str) -> Version:
    """Return the version behind `models:/NAME@ALIAS` or `models:/NAME/VERSION`; ConfigError if there is none."""
    allowed = f"models:/{ECG}@champion, models:/{ECG}@candidate, models:/{ECG}/VERSION"
    if not (match := ADDRESS.fullmatch(uri)):
        raise ConfigError(
            f"'{uri[:200]}' names no registered model", allowed=allowed, fix="see the registry: mlflow ui"
        )
    server.require_store()
    client, (name, alias, number) = server.connect(), match.groups()
    try:
        version = client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, number)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        fix = "set MLFLOW_TRACKING_URI to the server that has it; or python -m cgdmer publish"
        raise ConfigError(f"MLflow has no {uri}", allowed=allowed, fix=fix) from error
    return Version(str(version.version), str(version.run_id), dict(version.tags))


def download(run: str, names: list[str], folder: Path) -> dict[str, Path]:
    """Download artifacts of a run into a folder and return name to file; DataError if one is missing."""
    client, files = server.connect(), {}
    for name in names:
        try:
            files[name] = Path(client.download_artifacts(run, name, str(folder)))
        except (MlflowException, OSError) as error:
            raise DataError(
                f"run {run} has no artifact {name}, which is needed to reproduce it",
                fix="record the state again: dvc repro && python -m cgdmer publish",
            ) from error
    return files
