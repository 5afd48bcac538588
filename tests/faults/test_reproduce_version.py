"""A published version of the whole pipeline is run again in a fresh clone, and every output has the same digest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.long, pytest.mark.timeout(2400), pytest.mark.xdist_group("reproduce")]


@pytest.fixture
def project(tmp_path) -> Path:
    """The project at a micro size, committed; its results and settings are not."""
    folder = tmp_path / "project"
    for name in ("cgdmer", "flows", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".dvcignore", ".gitignore", "dvc.yaml", ".dvc/config", ".dvc/.gitignore", "reports/real.json",
                 "reports/realism.json", "reports/ablations/README.md", "reports/rehearsal.json",
                 "reports/attentive.json"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    shutil.copy(ROOT / "params/demo.yaml", folder / "params.yaml")
    run(folder, "git", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "code")
    micro = settings.merge(
        settings.read(ROOT / "params/demo.yaml"), settings.read(ROOT / "tests/support/params.micro.yaml")
    )
    (folder / "params.yaml").write_text(yaml.safe_dump(micro, sort_keys=False))
    return folder


def run(folder: Path, *words: str, code: int = 0) -> str:
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": ""}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_a_published_version_is_reproduced_to_the_same_digests(project):
    run(project, "dvc", "repro")
    run(project, "python", "-m", "cgdmer", "publish")
    output = run(
        project, "python", "-m", "cgdmer", "reproduce", "models:/cgdmer-ecg-encoder@candidate", "-o", "../again"
    )
    calls = len(yaml.safe_load((project / "dvc.lock").read_text())["stages"])
    assert calls > 15
    assert f"equal: the outputs of all {calls} stage calls have the same digests" in output
    costs = run(project, "python", "-m", "cgdmer", "costs", "--calls")
    assert "Not measured" not in costs
    assert "pretrain" in costs
    params = project / "params.yaml"
    params.write_text(params.read_text().replace("bootstrap: 50", "bootstrap: 60"))
    run(project, "python", "-m", "cgdmer", "publish", code=3)
