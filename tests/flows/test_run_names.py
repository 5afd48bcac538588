"""What a run is called, what its last lines say, and that the documents list every deployment."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cgdmer.settings import profiles
from flows import ablations, artifacts, pipeline, run_names, summary
from flows.tasks import Recorded

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A git repository with the demo's params and one commit."""
    shutil.copytree(ROOT / "params", tmp_path / "params")
    shutil.copy(ROOT / "params/demo.yaml", tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@e.org", "commit", "-qm", "1"],
    ):
        subprocess.run(["git", *words], check=True)
    return tmp_path


def test_a_run_is_named_by_deployment_profile_and_commit(project, monkeypatch):
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__NAME", "benchmark")
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert run_names.of_this_run() == f"benchmark demo {head[:7]}"
    for flow in (pipeline.cgdmer, ablations.ablations):
        assert flow.flow_run_name is run_names.of_this_run


def test_changed_settings_are_counted(project):
    path = project / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["train"]["seed"] += 1
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert run_names.profile() == "demo, 1 setting changed,"
    content["train"]["epochs"] += 1
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert run_names.profile() == "demo, 2 settings changed,"


def test_another_profile_is_named_without_changes(project):
    profiles.switch("no_orthogonality")
    assert run_names.profile() == "no_orthogonality"


def test_a_run_whose_params_cannot_be_read_has_a_name_all_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("- a list")
    assert run_names.profile() == ""
    assert run_names.commit() == ""


def test_the_last_lines_give_metrics_verdict_and_links(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CGDMER_REPORTS_URL", "http://127.0.0.1:4280")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    verdict = "encoder version 3 is not promoted: macro AUROC is worse than that of champion version 2\n  csn -0.1"
    first, *lines = summary.lines("report", Recorded("5f1e", verdict))
    assert re.search(r"CG-DMER: macro AUROC 0\.\d{3} at 100% of labels, zero-shot 0\.\d{3}", first)
    assert "gate: encoder version 3 is not promoted" in first
    assert sum("macro AUROC, mean over tasks" in line for line in lines) >= 4
    assert lines[-4:-2] == [f"gate: {verdict.splitlines()[0]}", "  csn -0.1"]
    assert lines[-2:] == [
        "benchmark page: http://127.0.0.1:4280/report.html",
        "MLflow run: http://127.0.0.1:5000/#/runs/5f1e",
    ]


def test_without_a_report_the_last_line_says_what_was_reached():
    assert summary.lines("validate", None) == ["the pipeline is up to date to 'validate'"]


def test_an_address_of_mlflow_is_shown_without_its_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret9@127.0.0.1:5000")
    assert "secret9" not in artifacts.mlflow_page("5f1e")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert artifacts.mlflow_page("5f1e") == ""


def test_the_table_of_deployments_lists_all_of_prefect_yaml():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    rows = re.findall(r"^\| `cgdmer/([\w-]+)` \|", (ROOT / "docs/operating.md").read_text(), re.M)
    assert rows == [deployment["name"] for deployment in deployments]
