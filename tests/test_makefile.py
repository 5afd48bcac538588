"""Targets of the Makefile that remove files: what they remove, and what they leave."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OUTPUTS = ("data/index/a", "data/shards/a", "data/pretraining_set.json", "data/models/pretrain/a", "data/embeddings/a",
           "data/predictions/a", "data/robustness/a", "data/zero_shot/a", ".cgdmer/verified/a")  # fmt: skip
KEPT = ("data/raw/ptb_xl/ptb_xl.zip", "data/models/base/a", "data/README.md", "data/outside/a", "reports/metrics.json",
        "mlflow.db", "mlartifacts/a", ".cgdmer/prefect/prefect.db", ".cgdmer/inference/a", ".cgdmer/monitoring/history",
        ".cgdmer/work/pretrain/checkpoint", ".cgdmer/downloads/a", ".cgdmer/costs.jsonl", ".venv/a")  # fmt: skip


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_clean_removes_outputs_and_nothing_that_cannot_be_made_again(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (*OUTPUTS, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert not [name for name in OUTPUTS if (tmp_path / name).exists()]
    assert [name for name in KEPT if (tmp_path / name).exists()] == list(KEPT)
