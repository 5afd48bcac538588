"""A project with the settings of the demo, in which no server is named."""

from pathlib import Path

import pytest
import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings.read(ROOT / "params/demo.yaml")))
    for name in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "CGDMER_RAW_ROOT", "CGDMER_PROTOCOL_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def states():
    """Return a function that lists state, fact and fix of each finding of a check."""
    return lambda check: [(finding.state, finding.fact, finding.fix) for finding in check]
