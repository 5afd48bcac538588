"""MLflow with the password of docker/auth.yaml: without it one learns what to set, with it all works."""

import shutil

import pytest
import requests
from support import registered, stack
from support.server_process import answers, free_port, server_process

from cgdmer import cli
from cgdmer.errors import ConfigError
from cgdmer.tracking import registry, server
from flows import services

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]
NAME, PASSWORD = "admin", stack.SECRET
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, empty_database):
    """The address of the server of docker/auth.yaml, on a database and a folder of artifacts of its own."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    shutil.copy(empty_database, folder / "mlflow.db")
    database = f"sqlite:///{folder}/mlflow.db"
    command, variables = stack.guarded_mlflow(folder, port, database, database, folder / "artifacts")
    environment = services.process_environment(**variables)
    with server_process(command, folder / "log", environment) as process:
        process.wait(lambda: answers(f"http://127.0.0.1:{port}/health"))  # which needs no password
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(guarded, monkeypatch):
    """Sets the variables of a client."""

    def sign_in(name: str | None, password: str | None) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", guarded)
        monkeypatch.setenv("MLFLOW_REGISTRY_URI", guarded)
        for variable, value in zip(server.CREDENTIALS, (name, password), strict=True):
            monkeypatch.setenv(variable, value) if value else monkeypatch.delenv(variable, raising=False)

    return sign_in


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        (None, None, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD not set"),
        (NAME, "wrong-wrong-wrong", "it refuses that of MLFLOW_TRACKING_PASSWORD"),
    ],
)
def test_who_lacks_the_password_is_told_what_to_set(client, guarded, capsys, name, password, reason):
    client(name, password)
    assert requests.get(guarded + SEARCH, timeout=60, auth=(name, password) if name else None).status_code == 401
    with pytest.raises(ConfigError, match=reason) as caught:
        registry.load_encoder(f"models:/{registry.ECG}@champion")
    assert caught.value.fix == "export MLFLOW_TRACKING_USERNAME=... MLFLOW_TRACKING_PASSWORD=..."
    assert "wrong-wrong" not in str(caught.value)
    assert cli.main(["rollback"]) == ConfigError.code
    assert reason in capsys.readouterr().err


def test_who_has_it_registers_an_encoder_and_loads_it(client, guarded):
    client(NAME, PASSWORD)
    assert requests.get(guarded + SEARCH, timeout=60, auth=(NAME, PASSWORD)).status_code == 200
    kept = registered.champion()
    assert registered.champion_is(kept)
