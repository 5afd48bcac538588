"""The flows of every day on a real local stack: batch inference twice, with its run in MLflow."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml
from mlflow.tracking import MlflowClient
from support import example_recordings as example
from support.served_project import served

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(900), pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def received():
    """What a webhook on this machine has received, as decoded JSON; `url` is its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    messages = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CGDMER_WEBHOOK_URL", f"http://127.0.0.1:{server.server_address[1]}/hook?token=s3cret")
        yield messages
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def project(tmp_path_factory, received):
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


def test_a_source_or_a_model_that_does_not_exist_fails_at_once_with_its_sentence(project, received):
    assert "there is no /nowhere" in run(project, "score", code=1, source="/nowhere", model="cgdmer-base")
    assert "no alias 'champion'" in run(project, "score", code=1, source=str(project.folder / "in"))
    told = project.until(lambda: [one for one in received if "/nowhere" in one["summary"]], 60)
    assert told[0]["event"] == "prefect.flow-run.Failed"


def test_a_failed_validation_is_told_and_counted(project, received):
    run(project, "validate")
    settings = yaml.safe_load((project.folder / "params.yaml").read_text())
    settings["validation"]["max_identity_uv"] = 1e-6
    (project.folder / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    run(project, "validate", code=1)
    counted = [one.data.metrics for one in mlflow_runs(project, "cgdmer-validation")]
    assert [one["failed/csn"] > 0 for one in counted] == [True, False]
    assert all(one["records/csn"] > 0 for one in counted)
    told = project.until(lambda: [one for one in received if one["event"] == "cgdmer.validation.failed"], 60)
    assert told[0]["what"] == "validate@csn"


def test_a_refused_candidate_is_told(project, received):
    send = "from flows import notifications; notifications.gate_refused('macro AUROC is worse')"
    api = f"http://127.0.0.1:{project.ports['CGDMER_PREFECT_PORT']}/api"
    project.run("env", f"PREFECT_API_URL={api}", sys.executable, "-c", f"{send}; import time; time.sleep(3)")
    told = project.until(lambda: [one for one in received if one["event"] == "cgdmer.gate.refused"], 60)
    assert (told[0]["what"], told[0]["summary"]) == ("gate", "macro AUROC is worse")


def test_drift_is_in_mlflow_and_told_to_the_webhook(project, received):
    for name, gain in (("reference", 1.0), ("faint", 0.3)):
        for number in range(20):
            example.npy(project.folder / name, f"rec{number}", number)
            np.save(project.folder / name / f"rec{number}.npy", gain * example.millivolt(number))
    given = {"reference": str(project.folder / "reference"), "model": "cgdmer-base", "hours": None}
    run(project, "monitor", source=str(project.folder / "faint"), **given)
    run(project, "monitor", source=str(project.folder / "reference"), **given)
    alarms = [one.data.metrics["alarm"] for one in mlflow_runs(project, "cgdmer-monitoring")]
    assert alarms == [0.0, 1.0]
    told = project.until(lambda: [one for one in received if one["event"] == "cgdmer.drift"], 60)
    assert len(told) == 1
    assert told[0]["what"] == "incoming"
    assert told[0]["summary"].startswith("DRIFT in ")
    assert (project.folder / ".cgdmer/monitoring/incoming/index.html").is_file()
