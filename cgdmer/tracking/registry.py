"""The model registry: register both encoders as code and safetensors, and load them again."""

import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models.signature import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types.schema import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from safetensors.numpy import load_file, save_file

from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.errors import ConfigError, DataError
from cgdmer.files import atomic
from cgdmer.tracking import server

ECG, REPORT = "cgdmer-ecg-encoder", "cgdmer-report-encoder"
SERVED = {ECG: "served_ecg.py", REPORT: "served_report.py"}
ABOUT = {
    ECG: "Maps 12-lead ECGs in mV to shared, specific, pooled and aligned features.",
    REPORT: "Maps ECG reports to the space of the aligned ECG features.",
}
CANDIDATE = "candidate"
SHIPPED = {ECG: "cgdmer-base-ecg-encoder", REPORT: "cgdmer-base-report-encoder"}
SHIPPED_ALIAS = "shipped"
REQUIREMENTS = ("mlflow", "numpy", "polars", "pydantic", "pyyaml", "safetensors", "scipy", "tokenizers", "torch",
                "transformers")  # fmt: skip
"""What the served encoders import, pinned to the versions installed here."""
EXAMPLE = "example.safetensors"
TOLERANCE = 1e-4
"""Largest difference of a feature between two machines or library builds."""


@dataclass(frozen=True)
class Example:
    """Synthetic input of both encoders with their output, for the signature and to check a reloaded model."""

    signal: np.ndarray
    """float32 mV (B, 12, T)."""
    features: Mapping[str, np.ndarray]
    reports: list[str]
    vectors: np.ndarray | None
    """None if the model has no report encoder."""


def register(
    run: str, folder: Path, example: Example, tags: Mapping[str, str], card: str, *, shipped: bool = False
) -> dict[str, str]:  # fmt: skip
    """Register the encoders of a run once, with the alias `candidate`; return name to version.

    The encoder that the package ships has names and an alias of its own, so that it is no candidate of the pipeline.
    """
    client = server.connect()
    versions = {}
    for kind in (ECG, REPORT) if example.vectors is not None else (ECG,):
        name, alias = (SHIPPED[kind], SHIPPED_ALIAS) if shipped else (kind, CANDIDATE)
        version = version_of(client, name, run) or _log(run, kind, name, folder, example)
        for key, value in tags.items():
            client.set_model_version_tag(name, version, key, value)
        client.update_registered_model(name, ABOUT[kind])
        client.update_model_version(name, version, card)
        client.set_registered_model_alias(name, alias, version)
        versions[name] = version
    return versions


def _log(run: str, kind: str, name: str, folder: Path, example: Example) -> str:
    """Log a model into a run, register it as `name` and return its version; it includes this package's code."""
    package = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings(), mlflow.start_run(run_id=run):
        warnings.filterwarnings("ignore", message=".*type hints", category=UserWarning)
        example_file = Path(scratch) / EXAMPLE
        _write_example(example_file, example)
        info = mlflow.pyfunc.log_model(
            name=name,
            python_model=str(Path(__file__).with_name(SERVED[kind])),
            artifacts={"model": str(folder), "example": str(example_file)},
            code_paths=[str(package)],
            signature=_signature(kind, example),
            input_example=example.signal[:1] if kind == ECG else example.reports,
            pip_requirements=[_pinned(library) for library in REQUIREMENTS],
            registered_model_name=name,
        )
    return str(info.registered_model_version)


def _pinned(library: str) -> str:
    """Return `name==version`; a local build such as 2.13.0+cpu is the release it was built from."""
    return f"{library}=={metadata.version(library).split('+')[0]}"


def _signature(name: str, example: Example) -> ModelSignature:
    if name == REPORT:
        assert example.vectors is not None
        vectors = TensorSpec(np.dtype(np.float32), (-1, example.vectors.shape[1]))
        return ModelSignature(Schema([ColSpec(DataType.string)]), Schema([vectors]))
    signals = Schema([TensorSpec(np.dtype(object), (-1,))])  # records of mixed lengths fit no other type of MLflow
    outputs: list[Any] = [
        TensorSpec(np.dtype(np.float32), (-1, v.shape[1]), k) for k, v in sorted(example.features.items())
    ]
    outputs += [TensorSpec(np.dtype(bool), (-1,), "valid")]
    outputs += [TensorSpec(np.dtype(object), (-1,), name) for name in ("reason", "quality")]
    params = [ParamSpec("fs", DataType.double, 0.0), ParamSpec("leads", DataType.string, list(Pretrained.leads), (-1,))]
    return ModelSignature(signals, Schema(outputs), ParamSchema(params))


def _write_example(path: Path, example: Example) -> None:
    arrays = {"signal": example.signal, **{f"feature/{name}": value for name, value in example.features.items()}}
    if example.vectors is not None:
        arrays["vectors"] = example.vectors
    with atomic(path) as temporary:
        save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, temporary)


def version_of(client: MlflowClient, name: str, run: str) -> str | None:
    """Return the newest version of a model that a run registered, or None."""
    versions = client.search_model_versions(f"name = '{name}' and run_id = '{run}'")
    return str(max(int(version.version) for version in versions)) if versions else None


def load_encoder(uri: str) -> Pretrained:
    """Load `models:/NAME@ALIAS` or `models:/NAME/VERSION`; ConfigError if it does not exist."""
    with tempfile.TemporaryDirectory() as scratch:
        return open_folder(_download(uri, Path(scratch)) / "pretrain")


def reload_difference(uri: str) -> float:
    """Return the largest difference between the features of a reloaded model and those stored at its registration.

    NaN if a feature is NaN in one of the two, so that no comparison with a tolerance holds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = _download(uri, Path(scratch))
        encoder, expected = open_folder(folder / "pretrain"), load_file(folder / EXAMPLE)
    features = encoder.encode(expected["signal"])
    return float(np.max([np.abs(features[name] - expected[f"feature/{name}"]).max() for name in features]))


def _download(uri: str, scratch: Path) -> Path:
    """Download the files of a version and return their folder."""
    server.require_store()
    server.connect()
    try:
        folder = mlflow.artifacts.download_artifacts(f"{uri}/artifacts", dst_path=str(scratch))
    except MlflowException as error:
        raise server.refused(error) or ConfigError(
            f"cannot load {uri}: {server.redact(str(error))[:300]}",
            allowed=f"models:/{ECG}@champion, models:/{ECG}@candidate, models:/{ECG}/VERSION",
            fix="set MLFLOW_TRACKING_URI, or register it: python -m cgdmer publish && python -m cgdmer promote",
        ) from error
    return Path(folder)


def predictions(run: str, scratch: Path, folder: str) -> dict[str, Path]:
    """Download the predictions of a run and return task to file; DataError if it has none."""
    downloaded = Path(server.connect().download_artifacts(run, folder, str(scratch)))
    files = {path.stem: path for path in sorted(downloaded.rglob("*.parquet"))}
    if not files:
        raise DataError(f"run {run} has no predictions in {folder}", fix="python -m cgdmer publish")
    return files
