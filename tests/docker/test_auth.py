"""docker/auth.yaml gives the password to the Prefect server and to every service that talks to it."""

import base64
import re
from pathlib import Path

import pytest
import yaml
from prefect.server.api.server import create_api_app
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings
from starlette.testclient import TestClient

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker/auth.yaml").read_text()
GIVEN = {name: one["environment"] for name, one in yaml.safe_load(TEXT)["services"].items()}
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]


def test_the_server_and_every_client_get_the_password_which_has_no_default():
    clients = {name for name, one in COMPOSE.items() if "PREFECT_API_URL" in one.get("environment", {})}
    assert {name for name, given in GIVEN.items() if "PREFECT_API_AUTH_STRING" in given} == clients
    assert {name for name, given in GIVEN.items() if "PREFECT_SERVER_API_AUTH_STRING" in given} == {"prefect"}
    assert set(re.findall(r"\$\{(\w+:.)", TEXT)) == {"PREFECT_AUTH:?"}


@pytest.mark.parametrize(("name", "code"), [("ops:s3cret", 200), ("ops:wrong", 401), ("", 401)])
def test_the_server_answers_only_to_the_password_but_tells_anyone_that_it_is_healthy(name, code):
    headers = {"Authorization": f"Basic {base64.b64encode(name.encode()).decode()}"} if name else {}
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: "ops:s3cret"}):
        client = TestClient(create_api_app())
    assert client.get("/version", headers=headers).status_code == code
    assert client.get("/health").status_code == 200  # what the health check of compose asks
