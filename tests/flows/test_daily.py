"""The flows of every day on a real local stack: batch inference twice, with its run in MLflow."""

import json

import pytest
from mlflow.tracking import MlflowClient
from support import example_recordings as example
from support.served_project import served

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(900), pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    with served(tmp_path_factory.mktemp("daily"), {"sources": ["csn"], "benchmarks": ["csn"]}) as project:
        for number in range(3):
            example.wfdb(project.folder / "in", f"rec{number}", number)
        (project.folder / "in/broken.edf").write_bytes(b"nothing")
        yield project


def run(project, deployment, code=0, **parameters):
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}={json.dumps(value)}")]
    watch = ["--watch", "--watch-interval", "1"]
    return project.run("prefect", "deployment", "run", f"cgdmer/{deployment}", *words, *watch, code=code)


def mlflow_runs(project, experiment):
    client = MlflowClient(f"http://127.0.0.1:{project.environment['CGDMER_MLFLOW_PORT']}")
    return client.search_runs([client.get_experiment_by_name(experiment).experiment_id])


def test_new_recordings_are_encoded_once_and_both_runs_are_in_mlflow(project):
    source = str(project.folder / "in")
    run(project, "embed", source=source, model="cgdmer-base")
    example.wfdb(project.folder / "in", "rec7", 7)
    run(project, "embed", source=source, model="cgdmer-base")
    runs = mlflow_runs(project, "cgdmer-inference")
    counted = [{name: int(one.data.metrics[name]) for name in ("known", "written", "rejected")} for one in runs]
    assert counted == [{"known": 4, "written": 1, "rejected": 0}, {"known": 0, "written": 3, "rejected": 1}]
    assert runs[0].data.tags["model"] == "cgdmer-base"
    assert "known" in project.run("prefect", "artifact", "inspect", "embed-new")
    parts = sorted((project.folder / ".cgdmer/inference").glob("embed-*/part-*.parquet"))
    assert [path.name for path in parts] == ["part-000001.parquet", "part-000002.parquet"]


def test_a_source_or_a_model_that_does_not_exist_fails_at_once_with_its_sentence(project):
    assert "there is no /nowhere" in run(project, "score", code=1, source="/nowhere", model="cgdmer-base")
    assert "no alias 'champion'" in run(project, "score", code=1, source=str(project.folder / "in"))
