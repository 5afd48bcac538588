"""Owns the model registry: registering both encoders, aliases, and going back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.signature import ModelSignature, infer_signature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import Schema, TensorSpec

from cgdmer.errors import DataError
from cgdmer.tracking import server

ECG, REPORT = "cgdmer-ecg-encoder", "cgdmer-report-encoder"
CANDIDATE, CHAMPION, FORMER = "candidate", "champion", "former-champion"
REQUIREMENTS = ("numpy", "polars", "pydantic", "pyyaml", "safetensors", "scipy", "tokenizers", "torch", "transformers")
"""What the served encoders import, pinned to what they were made with."""


@dataclass(frozen=True)
class Example:
    """Input and output of an encoder, for its signature."""

    signal: np.ndarray
    """float32 mV (B, 12, T)."""
    features: Mapping[str, np.ndarray]
    reports: list[str]
    vectors: np.ndarray


def register(run: str, folder: Path, example: Example, tags: Mapping[str, str]) -> dict[str, str]:
    """Register the encoders of a run once, as `candidate`; return name to version."""
    client = server.connect()
    mlflow.set_tracking_uri(server.uri())
    mlflow.set_registry_uri(server.uri())
    signatures = {
        ECG: _ecg_signature(example),
        REPORT: infer_signature(example.reports, example.vectors),
    }
    inputs: dict[str, Any] = {ECG: example.signal[:1], REPORT: example.reports}
    versions = {}
    for name, code in ((ECG, "served_ecg.py"), (REPORT, "served_report.py")):
        found = _version_of(client, name, run)
        if found is None:
            found = _log(run, name, code, folder, signatures[name], inputs[name])
            for key, value in tags.items():
                client.set_model_version_tag(name, found, key, value)
        client.set_registered_model_alias(name, CANDIDATE, found)
        versions[name] = found
    return versions


def _log(run: str, name: str, code: str, folder: Path, signature: ModelSignature, example: Any) -> str:
    package = Path(__file__).parents[1]
    with mlflow.start_run(run_id=run):
        info = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name(code)),
            artifacts={"model": str(folder)},
            code_paths=[str(package)],
            signature=signature,
            input_example=example,
            pip_requirements=[f"{library}=={metadata.version(library)}" for library in REQUIREMENTS],
            registered_model_name=name,
        )
    return str(info.registered_model_version)


def _ecg_signature(example: Example) -> ModelSignature:
    """Any number of records of any length; one tensor a representation."""
    given = Schema([TensorSpec(np.dtype(np.float32), (-1, len(example.signal[0]), -1))])
    outputs: list[Any] = [
        TensorSpec(np.dtype(np.float32), (-1, v.shape[1]), k) for k, v in sorted(example.features.items())
    ]
    return ModelSignature(inputs=given, outputs=Schema(outputs))


def _version_of(client: MlflowClient, name: str, run: str) -> str | None:
    try:
        found = client.search_model_versions(f"name = '{name}' and run_id = '{run}'")
    except MlflowException:
        return None
    return str(found[0].version) if found else None


def alias(name: str, which: str) -> ModelVersion | None:
    """Return the version behind an alias, or None."""
    try:
        return server.connect().get_model_version_by_alias(name, which)
    except MlflowException:
        return None


def promote(reason: Mapping[str, Any]) -> dict[str, str]:
    """Make the candidates champions; the champions so far become `former-champion`. Return name to version."""
    client = server.connect()
    promoted = {}
    for name in (ECG, REPORT):
        candidate, champion = alias(name, CANDIDATE), alias(name, CHAMPION)
        if candidate is None:
            raise DataError(f"{name} has no candidate", mend="prefect deployment run cgdmer/benchmark")
        if champion is not None and champion.version != candidate.version:
            client.set_registered_model_alias(name, FORMER, champion.version)
        client.set_registered_model_alias(name, CHAMPION, candidate.version)
        client.set_model_version_tag(name, candidate.version, "promotion", json.dumps(reason, sort_keys=True))
        promoted[name] = str(candidate.version)
    return promoted


def rollback() -> dict[str, str]:
    """Give both champions back to the former ones; DataError where there are none."""
    client = server.connect()
    former = {name: alias(name, FORMER) for name in (ECG, REPORT)}
    if not all(former.values()):
        raise DataError("there is no former champion to go back to", mend="see the registry: mlflow ui")
    back = {}
    for name, version in former.items():
        assert version is not None
        champion = alias(name, CHAMPION)
        client.set_registered_model_alias(name, CHAMPION, version.version)
        if champion is not None:
            client.set_registered_model_alias(name, FORMER, champion.version)
        back[name] = str(version.version)
    return back


def download(run: str, artifact: str) -> Path:
    """Fetch a folder of a run's artifacts and return where it lies."""
    return Path(server.connect().download_artifacts(run, artifact))
