"""`cgdmer reproduce` on a small pipeline: a fresh clone, data from a remote or acquired again, and three verdicts."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import cgdmer
from cgdmer import cli
from cgdmer.commands import reproduce
from cgdmer.errors import ConfigError, DataError
from cgdmer.publishing import lineage
from cgdmer.tracking import lineage_files, server
from cgdmer.tracking.registry import ECG

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]
CHAMPION = f"models:/{ECG}@champion"
PIPELINE = {
    "stages": {
        "acquire": {
            "matrix": {"source": ["csn"]}, "cmd": "python make.py raw", "outs": ["data/raw"], "deps": ["make.py"],
        },
        "report": {
            "cmd": "python make.py report", "deps": ["make.py", "data/raw"], "params": ["shift"],
            "outs": [{"reports/metrics.json": {"cache": False}}],
        },
    }
}  # fmt: skip
MAKE = """
import json, pathlib, sys
if sys.argv[1] == "raw":
    pathlib.Path("data/raw").parent.mkdir(exist_ok=True)
    pathlib.Path("data/raw").write_text(pathlib.Path({source!r}).read_text())
else:
    value = float(pathlib.Path("data/raw").read_text()) + float(open("params.yaml").read().split()[1])
    pathlib.Path("reports").mkdir(exist_ok=True)
    cell = {{"mean": value, "low": 0.1, "high": 0.9, "n_test": 9, "seeds": 1, "protocol": "canonical"}}
    metrics = {{"auroc": {{"csn": {{"1.0": {{"cgdmer": {{"pooled": cell}}}}}}}}}}
    pathlib.Path("reports/metrics.json").write_text(json.dumps(metrics))
"""


def run(*words: str) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def original(tmp_path_factory, empty_database) -> Path:
    """A project that was reproduced, pushed to a remote in a relative folder, and published as the champion."""
    top = tmp_path_factory.mktemp("reproduce")
    folder = top / "original"
    folder.mkdir()
    (top / "source").write_text("0.7")
    shutil.copy(empty_database, top / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            patch.setenv(name, f"sqlite:///{top}/mlflow.db")
        (folder / "dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
        (folder / "make.py").write_text(MAKE.format(source=str(top / "source")))
        (folder / "params.yaml").write_text("shift: 0.0\n")
        run("git", "init", "-q")
        run("dvc", "init", "-q")
        run("git", "add", "-A")
        run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first")
        (folder / "params.yaml").write_text("shift: 0.05\n")  # is in no commit, but goes with the run
        run("dvc", "remote", "add", "--local", "-d", "store", "../store")
        run("dvc", "repro")
        run("dvc", "push")
        register("champion", git_commit=run("git", "rev-parse", "HEAD"), git_dirty="False")
    return folder


def register(alias: str, files: bool = True, **tags: str) -> None:
    client = server.connect()
    name = f"states {alias}"
    experiment = client.create_experiment(name, artifact_location=Path("../artifacts").resolve().as_uri())
    info = client.create_run(experiment).info
    if files:
        client.log_artifacts(info.run_id, str(lineage.write(Path("../lineage"))), lineage.FOLDER)
        client.log_artifact(info.run_id, "reports/metrics.json")
    if not client.search_registered_models(f"name = '{ECG}'"):
        client.create_registered_model(ECG)
    version = client.create_model_version(ECG, info.artifact_uri, info.run_id, tags=tags)
    client.set_registered_model_alias(ECG, alias, version.version)


@pytest.fixture
def project(original, monkeypatch) -> Path:
    monkeypatch.chdir(original)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.setenv(name, f"sqlite:///{original.parent}/mlflow.db")
    return original


def test_raw_data_come_from_the_remote_and_the_results_are_equal(project, tmp_path, capfd):
    source = project.parent / "source"
    source.rename(source.with_suffix(".gone"))
    try:
        assert cli.main(["reproduce", "-o", str(tmp_path / "again")]) == 0
    finally:
        source.with_suffix(".gone").rename(source)
    output = capfd.readouterr()
    assert output.out.splitlines() == [
        f"{CHAMPION} is version 1",
        "equal: the outputs of all 2 stage calls have the same digests",
    ]
    assert "Running stage 'report'" in output.err
    assert "Running stage 'acquire@csn'" not in output.err
    assert (tmp_path / "again/params.yaml").read_text() == "shift: 0.05\n"
    assert "original" not in run("dvc", "--cd", str(tmp_path / "again"), "cache", "dir")


def test_without_a_remote_they_are_acquired_again_and_a_change_is_seen(project, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(reproduce, "configure", lambda clone, source: None)
    (project.parent / "source").write_text("0.6")
    try:
        outcome = reproduce.reproduce(f"models:/{ECG}/1", tmp_path / "again")
    finally:
        (project.parent / "source").write_text("0.7")
    assert "no DVC remote is configured" in caplog.text
    assert not outcome.good
    lines = outcome.text.splitlines()
    assert lines[1] == "different"
    assert "largest 0.100" in outcome.text
    assert lines[-1] == "other digests: 2 of 2 stage calls (acquire@csn, report)"


@pytest.mark.parametrize(
    ("shift", "good", "verdict"),
    [(0.0, True, "equal: every AUROC is the same"), (0.015, True, "within the stated tolerance"),
     (0.03, False, "different"), (None, False, "different: no number can be compared")],
)  # fmt: skip
def test_numbers_decide_where_digests_differ(project, shift, good, verdict):
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    metrics = json.loads((project / "reports/metrics.json").read_text())
    lock["stages"]["report"]["outs"][0]["md5"] = "0" * 32
    if shift is None:
        metrics["auroc"] = {}
    else:
        metrics["auroc"]["csn"]["1.0"]["cgdmer"]["pooled"]["mean"] += shift
    outcome = reproduce.judge(lock, metrics, project)
    assert (outcome.good, outcome.text.splitlines()[0]) == (good, verdict)
    assert outcome.text.endswith("other digests: 1 of 2 stage calls (report)")


@pytest.mark.parametrize(
    ("alias", "tags", "files", "message"),
    [
        ("dirty", {"git_commit": "a" * 40, "git_dirty": "True"}, True, "code that its commit does not hold"),
        ("outside-git", {"git_commit": "", "git_dirty": "False"}, True, "code that its commit does not hold"),
        (
            "unknown-commit",
            {"git_commit": "a" * 40, "git_dirty": "False"},
            True,
            "git checkout: .*reference is not a tree",
        ),
        ("old", {"git_commit": "a" * 40, "git_dirty": "False"}, False, "has no artifact lineage/dvc.lock"),
    ],
)
def test_what_cannot_be_reproduced_says_why(project, tmp_path, alias, tags, files, message):
    register(alias, files, **tags)
    with pytest.raises(DataError, match=message):
        reproduce.reproduce(f"models:/{ECG}@{alias}", tmp_path / "again")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("models:/cgdmer-ecg-encoder@nobody", "MLflow has no models:/cgdmer-ecg-encoder@nobody"),
        ("models:/cgdmer-ecg-encoder/99", "MLflow has no"),
        ("models:/other@champion", "MLflow has no"),
        ("cgdmer-ecg-encoder", "names no registered model"),
        ("models:/a/b", "names no registered model"),
    ],
)
def test_a_wrong_address_is_refused(project, tmp_path, uri, message):
    with pytest.raises(ConfigError, match=message):
        reproduce.reproduce(uri, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("read", [lineage_files.resolve, cgdmer.load_encoder])
def test_reading_outside_a_project_creates_no_store(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=r"there is no MLflow store mlflow\.db"):
        read(CHAMPION)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(project, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="exists already"):
        reproduce.reproduce(CHAMPION, tmp_path)
    with pytest.raises(ConfigError, match="exists already"):
        reproduce.reproduce(CHAMPION, tmp_path / "file")


def test_a_repository_that_does_not_exist_is_named(project, tmp_path):
    with pytest.raises(DataError, match=r"git clone: .*does not exist"):
        reproduce.reproduce(CHAMPION, tmp_path / "again", str(tmp_path / "nothing"))


def test_other_versions_of_packages_are_listed():
    then, now = ["# Python 3.11.1, Linux", "numpy==1.0", "old==2", "same==3"], ["# Python 3.11.2, Linux", "same==3"]
    [line] = reproduce.environment_differences(then, [*now, "numpy==2.0", "new==1"])
    assert line == (
        "other versions: Python and system Python 3.11.1, Linux then, Python 3.11.2, Linux now; "
        "numpy 1.0 then, 2.0 now; old 2 then, not installed now"
    )
    assert reproduce.environment_differences(now, now) == []


def test_an_artifact_that_the_server_lost_is_named(project, tmp_path):
    version = lineage_files.resolve(CHAMPION)
    with pytest.raises(DataError, match=r"has no artifact gone\.json"):
        lineage_files.download(version.run_id, ["gone.json"], tmp_path)
