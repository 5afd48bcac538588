"""A project whose pipeline state was published into MLflow, from a corpus that is not simulated."""

import shutil
from contextlib import chdir
from pathlib import Path

import pytest

from cgdmer import costs, publishing, settings, stages
from cgdmer.publishing import groups
from support import example_report

SECRETS = {"MLFLOW_TRACKING_PASSWORD": "sentinel-one-9731", "AWS_SECRET_ACCESS_KEY": "sentinel-two-8642"}
SETTINGS = settings.Settings(
    matrix=settings.Matrix(
        sources=["ptb_xl"], benchmarks=["ptb_xl"], encoders=["cgdmer"], controls=[], probed=["cgdmer"]
    ),
    corpora={"ptb_xl": settings.Corpus(root="/private/folder")},
    pretraining_set=settings.PretrainingSet(sources=["ptb_xl"]),
    model=example_report.TINY_MODEL,
    signal=example_report.SIGNAL,
)

PARAMS = "corpora: {ptb_xl: {root: /private/folder, url: 'https://ann:sentinel-three-1@host/x'}}\n"
SPENT = [costs.Cost("pretrain", "a1", "2026-01-01T00:00:00+00:00", "finished", 90.0, 170.0, 80.0, 10**9, 10**6, 10**5)]


def use_database(patch: pytest.MonkeyPatch, database: Path) -> None:
    """Let MLflow, and the processes that it starts, keep runs and models in this database."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):  # MLflow leaves the second to child processes
        patch.setenv(name, f"sqlite:///{database}")


def publish(folder: Path, empty_database: Path) -> publishing.Published:
    """Write a finished run into a folder and publish it, with secrets in the environment."""
    shutil.copy(empty_database, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch, chdir(folder):
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        use_database(patch, folder / "mlflow.db")
        patch.setattr(groups, "FEWEST", 10)
        example_report.write()
        stages.find("report")(report=settings.Report(), matrix=example_report.MATRIX)
        Path("dvc.lock").write_text("one")
        Path("params.yaml").write_text(PARAMS)
        return publishing.publish(SETTINGS, SPENT, checked=True)
