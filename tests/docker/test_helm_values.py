"""deploy/kubernetes/helm: values name objects that exist, and give servers the commands and variables of compose."""

import configparser
import itertools
import re
import uuid
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from prefect.client.schemas import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings
from prefect.workers.base import BaseJobConfiguration

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
AUTH = yaml.safe_load((ROOT / "docker/auth.yaml").read_text())["services"]
SERVER, WORKER, MLFLOW = (
    yaml.safe_load((FOLDER / f"helm/{name}.yaml").read_text())
    for name in ("prefect-server", "prefect-worker", "mlflow")
)
SECRETS = {one["metadata"]["name"]: one
           for one in yaml.safe_load_all((FOLDER / "helm/secrets.example.yaml").read_text())}  # fmt: skip
MANIFESTS = [one for path in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]
CLONE, STORE = (
    next(one["data"] for one in MANIFESTS if one["metadata"]["name"] == name and one["kind"] == "ConfigMap")
    for name in ("cgdmer-clone", "cgdmer-store")
)


def test_the_charts_give_the_services_the_names_that_clients_use():
    for values, variable, port in ((SERVER, "PREFECT_API_URL", 4200), (MLFLOW, "MLFLOW_TRACKING_URI", 5000)):
        assert CLONE[variable].startswith(f"http://{values['fullnameOverride']}:{port}")
    assert WORKER["worker"]["serverApiConfig"]["apiUrl"] == CLONE["PREFECT_API_URL"]
    assert MLFLOW["server"]["value_options"]["port"] == 5000


def test_the_prefect_server_runs_the_command_of_compose_with_its_variables():
    assert SERVER["server"]["args"] == COMPOSE["prefect"]["command"]
    assert SERVER["server"]["command"] == ["tini", "--"]
    given = {one["name"]: one["value"] for one in SERVER["server"]["env"]}
    given |= {"PREFECT_UI_API_URL": SERVER["server"]["uiConfig"]["prefectUiApiUrl"]}
    for name, value in COMPOSE["prefect"]["environment"].items():
        if name != "PREFECT_API_DATABASE_CONNECTION_URL":  # the chart reads it from the Secret
            assert given[name] == value.replace(
                "${PREFECT_UI_API_URL:-http://127.0.0.1:${PREFECT_PORT:-4200}/api}", "http://127.0.0.1:4200/api"
            ), name


def test_the_mlflow_server_has_the_options_and_variables_of_compose():
    words = COMPOSE["mlflow"]["command"]
    options = {word[2:].replace("-", "_"): value for word, value in itertools.pairwise(words) if word[:2] == "--"}
    given = {name: str(value) for name, value in MLFLOW["server"]["value_options"].items()}
    assert given.pop("app_name") == "basic-auth"
    assert given | {"artifacts_destination": MLFLOW["mlflow"]["artifactsDestination"]} == options
    names = {one["name"] for one in MLFLOW["env"]} | set(STORE)
    names |= {key for name in ("cgdmer-store", "mlflow-auth") for key in SECRETS[name]["stringData"]}
    wanted = set(COMPOSE["mlflow"]["environment"]) | set(AUTH["mlflow"]["environment"])
    assert (
        wanted - {"MLFLOW_BACKEND_STORE_URI", "PGPASSWORD"} <= names
    )  # both passwords of the database are in addresses
    assert MLFLOW["envFrom"] == [
        {"configMapRef": {"name": "cgdmer-store"}},
        {"secretRef": {"name": "cgdmer-store"}},
        {"secretRef": {"name": "mlflow-auth"}},
    ]


def test_the_users_of_the_mlflow_chart_are_those_of_compose_in_the_database_of_the_runs():
    ours, composes = configparser.ConfigParser(), configparser.ConfigParser()
    ours.read_string(SECRETS["mlflow-users"]["stringData"]["auth.ini"])
    composes.read(ROOT / "docker/mlflow_auth.ini")
    database = SECRETS["mlflow-database"]["stringData"]["MLFLOW_BACKEND_STORE_URI"]
    assert dict(ours["mlflow"]) == {**composes["mlflow"], "database_uri": database}
    (volume,), (mount,) = MLFLOW["extraVolumes"], MLFLOW["extraVolumeMounts"]
    assert volume == {"name": mount["name"], "secret": {"secretName": "mlflow-users"}}
    path = next(one["value"] for one in MLFLOW["env"] if one["name"] == "MLFLOW_AUTH_CONFIG_PATH")
    assert path == f"{mount['mountPath']}/auth.ini"


def test_pods_would_hold_the_password_of_the_worker_so_they_are_told_to_read_the_secret():
    with temporary_settings({PREFECT_API_AUTH_STRING: "ops:s3cret"}):
        job = BaseJobConfiguration()
        job.prepare_for_flow_run(FlowRun(flow_id=uuid.uuid4()))
    assert job.env["PREFECT_API_AUTH_STRING"] == "ops:s3cret"  # what prefect-kubernetes then puts into the job
    given = {one["name"]: one["value"] for one in WORKER["worker"]["extraEnvVars"]}
    prefix = "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_"
    assert given == {f"{prefix}NAME": WORKER["worker"]["extraEnvVarsSecret"], f"{prefix}KEY": "PREFECT_API_AUTH_STRING"}


def test_every_secret_that_the_values_name_is_in_the_example_with_its_key():
    wanted = [
        (SERVER["secret"]["name"], "connection-string"),
        (SERVER["server"]["basicAuth"]["existingSecret"], "auth-string"),
        (WORKER["worker"]["extraEnvVarsSecret"], "PREFECT_API_AUTH_STRING"),
        tuple(MLFLOW["mlflow"]["backendStoreUriFrom"]["secretKeyRef"].values()),
        (MLFLOW["extraVolumes"][0]["secret"]["secretName"], "auth.ini"),
    ]
    assert SERVER["secret"]["create"] is False
    whole = {one["secretRef"]["name"] for one in MLFLOW["envFrom"] if "secretRef" in one} | {"mlflow-client"}
    assert {name for name, _ in wanted} | whole == set(SECRETS)
    for name, key in wanted:
        assert set(SECRETS[name]["stringData"]) == {key}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_valid_and_holds_nothing(name):
    kubernetes_validate.validate(SECRETS[name], "1.37", strict=True)
    assert all(not value or "PASSWORD@HOST" in value for value in SECRETS[name]["stringData"].values())
    assert re.search(r"^/deploy/kubernetes/helm/secrets\.yaml$", (ROOT / ".gitignore").read_text(), re.MULTILINE)


def test_the_worker_has_the_version_of_prefect_that_the_servers_have():
    pinned = re.search(r"^prefect==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned
    assert WORKER["worker"]["image"]["prefectTag"] == f"{pinned[1]}-python3.11-kubernetes"
    assert WORKER["worker"]["config"]["workPool"] == yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"][
        "pool"]["name"]  # fmt: skip


@pytest.mark.parametrize("security", [SERVER["server"]["podSecurityContext"], MLFLOW["podSecurityContext"]])
def test_the_servers_run_as_the_user_of_the_image(security):
    assert security == {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001}
