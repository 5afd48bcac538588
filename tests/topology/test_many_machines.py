"""The services of docker/compose.yaml without containers: PostgreSQL, two servers, an S3 store, two workers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import stack as topology
from support.server_process import answers, free_port, tail
from support.stack import BIN, ROOT, Stack

from cgdmer import settings

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(1800), pytest.mark.xdist_group("topology")]


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """The project with tiny settings and nothing reproduced yet, as a git repository to clone from."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("cgdmer", "flows", "params"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".dvc").mkdir()
    (folder / "reports/ablations").mkdir(parents=True)
    for name in (".dvcignore", ".gitignore", "dvc.yaml", "prefect.yaml", ".dvc/config", ".dvc/.gitignore",
                 "reports/ablations/README.md", "reports/rehearsal.json", "reports/realism.json", "reports/real.json",
                 "reports/attentive.json"):  # fmt: skip
        shutil.copy(ROOT / name, folder / name)
    merged = settings.read(ROOT / "params/demo.yaml")
    for overlay in ("tests/support/params.micro.yaml", "tests/topology/params.tiny.yaml"):
        merged = settings.merge(merged, settings.read(ROOT / overlay))
    (folder / "params.yaml").write_text(yaml.safe_dump(merged, sort_keys=False))
    git = ["git", "-C", str(folder), "-c", "user.email=t@example.org", "-c", "user.name=t"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    return folder


@pytest.fixture(scope="module")
def databases():
    """The port of a PostgreSQL server, or None if it is not installed; then the servers use SQLite files."""
    programs = topology.postgres_programs()
    if programs is None:
        yield None
        return
    port = free_port()
    with topology.postgres(programs, port):
        yield port


@pytest.fixture(scope="module")
def running(tmp_path_factory, repository, databases):
    """Start all services of compose in their order."""
    folder = tmp_path_factory.mktemp("stack")
    ports = {name: free_port() for name in ("prefect", "mlflow", "s3")}
    addresses = {
        "/opt/cgdmer/docker": str(ROOT / "docker"),
        "0.0.0.0": "127.0.0.1",
        "@postgres:5432": f"@127.0.0.1:{databases}",
        "http://s3:7070": f"http://127.0.0.1:{ports['s3']}",
        "http://prefect:4200": f"http://127.0.0.1:{ports['prefect']}",
        "http://mlflow:5000": f"http://127.0.0.1:{ports['mlflow']}",
        "127.0.0.1:4200": f"127.0.0.1:{ports['prefect']}",
        "127.0.0.1:5000": f"127.0.0.1:{ports['mlflow']}",
        "/srv/raw": str(ROOT / "docker/raw"),
    }
    values = {
        "POSTGRES_PASSWORD": topology.SECRET, "S3_ACCESS_KEY": "key", "S3_SECRET_KEY": topology.SECRET,
        "CGDMER_REPOSITORY": str(repository), "CGDMER_REF": "main", "PREFECT_PORT": str(ports["prefect"]),
    }  # fmt: skip
    sqlite = {
        "prefect": {"PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{folder}/prefect.db"},
        "mlflow": {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"},
    }
    inside = {"4200": str(ports["prefect"]), "5000": str(ports["mlflow"])}
    stack = Stack(folder, addresses, values, inside, {} if databases else sqlite)
    try:
        with (folder / "s3.log").open("w") as log:
            store = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(ports["s3"])]
            stack.running["s3"] = subprocess.Popen(store, stdout=log, stderr=log, start_new_session=True)
        stack.start("prefect")
        stack.start("mlflow")
        url = f"http://127.0.0.1:{ports['s3']}/moto-api/"
        topology.wait(lambda: answers(url), lambda: tail(folder / "s3.log"))
        stack.run("buckets")
        stack.wait_healthy("prefect", "mlflow")
        stack.run("deploy", CGDMER_PROJECT=str(folder / "deployer"))
        stack.run("deploy-gpu", CGDMER_PROJECT=str(folder / "deployer"))
        for service in ("worker-gpu", "worker-cpu"):
            port = str(free_port())
            stack.start(service, CGDMER_PROJECT=str(folder / service), PREFECT_WORKER_WEBSERVER_PORT=port)
        yield stack
    finally:
        stack.stop()


def flow_run(stack: Stack, deployment: str, clone: str) -> str:
    """Run a deployment to its end and return the log of its worker, which contains the log of the run."""
    words = [str(BIN / "prefect"), "deployment", "run", deployment, "--watch", "--watch-interval", "1"]
    done = subprocess.run(
        words, env=stack.environment(clone), capture_output=True, text=True, timeout=1500, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{stack.log(clone)[-6000:]}"
    return stack.log(clone)


def stages_run(log: str) -> set[str]:
    return {line.split("Running stage '")[1].split("'")[0] for line in log.splitlines() if "Running stage '" in line}


@pytest.fixture(scope="module")
def logs(running) -> tuple[str, str]:
    """Pretrain on the GPU worker; then, on the other one, the benchmark."""
    return flow_run(running, "cgdmer/pretrain", "worker-gpu"), flow_run(running, "cgdmer/benchmark", "worker-cpu")


def test_one_machine_pretrains_and_the_other_goes_on_from_its_results(logs, running):
    first, second = logs
    data = {
        "code",
        "protocol",
        "acquire@ptb_xl",
        "index@ptb_xl",
        "shards@ptb_xl",
        "validate@ptb_xl",
        "pretraining_set",
        "pretrain",
    }
    assert stages_run(first) == data
    assert stages_run(second).isdisjoint(data)
    assert {"embed@cgdmer-ptb_xl", "report"} <= stages_run(second)
    for name in ("data/models/pretrain/weights.safetensors", "reports/validation/ptb_xl/result.json"):
        ours, theirs = (running.folder / clone / name for clone in ("worker-gpu", "worker-cpu"))
        assert ours.read_bytes() == theirs.read_bytes()
        assert not ours.samefile(theirs)


def test_results_and_encoder_are_on_the_server(logs, running, monkeypatch):
    from mlflow.tracking import MlflowClient

    uri = running.environment("worker-cpu")["MLFLOW_TRACKING_URI"]
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = client.get_model_version_by_alias("cgdmer-ecg-encoder", "champion")
    run = client.get_run(version.run_id)
    assert "auroc/ptb_xl_super/1.0" in run.data.metrics
    assert run.info.artifact_uri.startswith("mlflow-artifacts:")
    assert [item.path for item in client.list_artifacts(run.info.run_id)]


def test_both_servers_keep_their_state_in_postgresql(logs, databases):
    if databases is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    import psycopg2

    for database, query, least in (
        ("prefect", "SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'", 2),
        ("mlflow", "SELECT count(*) FROM model_versions", 2),
    ):
        address = f"host=127.0.0.1 port={databases} user=cgdmer password={topology.SECRET} dbname={database}"
        with psycopg2.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            assert cursor.fetchone()[0] >= least


def test_the_data_lie_in_the_s3_store_and_its_key_in_no_file(logs, running):
    import boto3

    variables = running.environment("worker-cpu")
    store = boto3.client(
        "s3", endpoint_url=variables["AWS_ENDPOINT_URL"], aws_access_key_id="key",
        aws_secret_access_key=topology.SECRET, region_name="us-east-1",
    )  # fmt: skip
    keys = [item["Key"] for item in store.list_objects_v2(Bucket="dvc", MaxKeys=1000)["Contents"]]
    assert any(key.startswith("cgdmer/runs/") for key in keys)
    assert sum(key.startswith("cgdmer/files/md5/") for key in keys) > 20
    assert store.list_objects_v2(Bucket="mlflow")["KeyCount"] > 0
    for clone in ("worker-gpu", "worker-cpu"):
        files = [running.folder / clone / ".dvc/config.local", running.folder / f"{clone}.log"]
        assert all(topology.SECRET not in file.read_text() for file in files)


def test_the_workers_clone_is_left_as_git_made_it(logs, running):
    """A run changes only results: reports, dvc.lock and data."""
    words = ["git", "-C", str(running.folder / "worker-cpu"), "status", "--porcelain"]
    changed = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ).stdout.splitlines()
    assert {line[3:].split("/")[0] for line in changed} <= {"dvc.lock", "reports", "data"}
