"""docker/auth.yaml gives passwords to both servers and to every service that talks to them."""

import base64
import configparser
import re
from pathlib import Path

import pytest
import yaml
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings
from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker/auth.yaml").read_text()
ADDED = yaml.safe_load(TEXT)["services"]
GIVEN = {name: one["environment"] for name, one in ADDED.items()}
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
SECRETS = {"PREFECT_AUTH", "MLFLOW_PASSWORD", "MLFLOW_SESSION_KEY", "POSTGRES_PASSWORD"}


@pytest.mark.parametrize(
    ("address", "client", "server"),
    [
        ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"),
        ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_AUTH_ADMIN_PASSWORD"),
        ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_AUTH_ADMIN_USERNAME"),
    ],
)
def test_a_server_and_all_its_clients_get_the_same(address, client, server):
    clients = {name for name, one in COMPOSE.items() if address in one.get("environment", {})}
    assert {name for name, given in GIVEN.items() if client in given} == clients
    (owner,) = (name for name, given in GIVEN.items() if server in given)
    assert {GIVEN[name][client] for name in clients} == {GIVEN[owner][server]}


def test_no_secret_has_a_default_and_the_example_names_each():
    assert set(re.findall(r"\$\{(\w+):\?[^}]*docker/\.env\}", TEXT)) == SECRETS
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == SECRETS | {"MLFLOW_USER"}
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "docker/.env.example").read_text(), re.MULTILINE))
    assert all(example[name] == "" for name in SECRETS)
    assert "${MLFLOW_USER:-" + example["MLFLOW_USER"] + "}" in TEXT


def test_mlflow_keeps_its_command_and_its_users_are_in_its_database():
    assert ADDED["mlflow"]["command"] == [*COMPOSE["mlflow"]["command"], "--app-name", "basic-auth"]
    path = ADDED["mlflow"]["environment"]["MLFLOW_AUTH_CONFIG_PATH"].replace("/opt/cgdmer", str(ROOT))
    users = configparser.ConfigParser()
    assert users.read(path) == [path]
    store = COMPOSE["mlflow"]["environment"]["MLFLOW_BACKEND_STORE_URI"]
    assert users["mlflow"]["database_uri"] == re.sub(r":\$\{[^}]*\}", "", store)
    assert not set(users["mlflow"]) & {"admin_username", "admin_password"}


@pytest.mark.parametrize(("name", "code"), [("ops:s3cret", 200), ("ops:wrong", 401), ("", 401)])
def test_prefect_answers_only_to_the_password_but_tells_anyone_that_it_is_healthy(name, code):
    from prefect.server.api.server import create_api_app  # takes seconds to import

    headers = {"Authorization": f"Basic {base64.b64encode(name.encode()).decode()}"} if name else {}
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: "ops:s3cret"}):
        client = TestClient(create_api_app())
    assert client.get("/version", headers=headers).status_code == code
    assert client.get("/health").status_code == 200  # what the health check of compose asks
