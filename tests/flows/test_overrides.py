"""Runs with other settings on a real local stack: refused by the form, run in clones, and comparable in MLflow."""

import json
import shutil

import pytest
from mlflow.tracking import MlflowClient
from support.served_project import ROOT, served

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(1800), pytest.mark.xdist_group("stack")]
READ = (
    ".dvc/.gitignore",
    "reports/real.json",
    "reports/ablations/README.md",
    "reports/rehearsal.json",
    "reports/realism.json",
    "reports/attentive.json",
)
"""Files that the stage `report` reads, and one that git reads."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    matrix = {"sources": ["ptb_xl"], "benchmarks": ["ptb_xl"]}
    with served(tmp_path_factory.mktemp("overrides"), matrix, sources=["ptb_xl"]) as project:
        for name in READ:
            (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project.folder / name)
        git(project, "add", "-A")
        git(project, "commit", "-qm", "code")
        yield project


def git(project, *words):
    return project.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words)


def run(project, code=0, **overrides):
    given = json.dumps({name.replace("__", "."): value for name, value in overrides.items()})
    words = ["cgdmer/benchmark", "-p", f"overrides={given}", "--watch", "--watch-interval", "1"]
    return project.run("prefect", "deployment", "run", *words, code=code)


@pytest.fixture(scope="module")
def outputs(project):
    """The output of two runs, with two and with eight epochs."""
    return [run(project, train__epochs=number) for number in (2, 8)]


def test_a_value_of_another_type_is_refused_before_there_is_a_run(project):
    assert "not of type 'integer'" in run(project, code=1, train__epochs="four")
    assert "'train.epoch' is not one of" in run(project, code=1, train__epoch=4)


def test_two_runs_are_comparable_and_register_nothing(project, outputs):
    client = MlflowClient(f"http://127.0.0.1:{project.ports['CGDMER_MLFLOW_PORT']}")
    experiment = client.get_experiment_by_name("cgdmer").experiment_id
    runs = client.search_runs([experiment], "tags.kind = 'pipeline'", order_by=["attributes.start_time ASC"])
    assert [one.data.params["train.epochs"] for one in runs] == ["2", "8"]
    assert [one.data.tags["variant"] for one in runs] == ["train.epochs=2", "train.epochs=8"]
    first, second = runs
    assert {name for name in first.data.params if first.data.params[name] != second.data.params[name]} == {
        "train.epochs"
    }
    assert set(first.data.metrics) >= {"auroc/ptb_xl_super/1.0", "auroc/mean/1.0"} <= set(second.data.metrics)
    assert not client.search_registered_models()


def test_the_second_run_takes_what_the_first_one_computed_from_the_cache(outputs):
    assert "Running stage 'shards@ptb_xl'" in outputs[0]
    assert "Running stage 'shards@ptb_xl'" not in outputs[1]
    assert "Running stage 'pretrain'" in outputs[1]


def test_the_project_stays_as_it_was(project, outputs):
    assert git(project, "status", "--porcelain") == ""
    assert not (project.folder / "data/models").exists()
    assert len(list((project.folder / ".cgdmer/variants").glob("*/params.yaml"))) == 2
