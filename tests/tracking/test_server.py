"""Addresses of MLflow that cannot be, and a server that does not answer, end with an error that shows no password."""

import socket

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, UNAUTHENTICATED

from cgdmer import cli
from cgdmer.errors import ConfigError, DataError, Unavailable
from cgdmer.tracking import server


@pytest.mark.parametrize(
    "address", ["in", "file:///x", "gopher://x", "http://", "http://h:x", "http://a\nb", "sqlite:////dev/zero", " "]
)
def test_an_address_that_cannot_be_a_store_is_refused(monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI="):
        server.uri()


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_folder_that_is_no_project_gets_no_store(tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)
    assert cli.main([command]) == 2
    assert "run from the project's root, or export MLFLOW_TRACKING_URI" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_created_where_it_was_stated_or_beside_the_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").touch()
    server.connect()
    (tmp_path / "params.yaml").unlink()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///stated.db")
    server.connect()


@pytest.mark.parametrize(
    "address", ["http://h:5000", "https://me:secret@h/path", "sqlite:///new.db", "postgresql+psycopg2://me@h:5432/x"]
)
def test_an_address_that_can_be_is_taken(monkeypatch, address):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert server.uri() == address


def test_a_server_that_accepts_and_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(server, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:hunter2@127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unavailable, match="does not answer") as caught, server.explained():
            raise AssertionError("the block must not begin")
    assert "hunter2" not in str(caught.value)


def test_a_server_that_asks_for_a_password_is_no_server_that_failed(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///new.db")  # no request is made
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ops")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="password: MLFLOW_TRACKING_PASSWORD not set") as caught, server.explained():
        raise MlflowException("You are not authenticated", UNAUTHENTICATED)
    assert "MLFLOW_TRACKING_USERNAME=... MLFLOW_TRACKING_PASSWORD=..." in caught.value.fix
    with pytest.raises(DataError, match="Permission denied"), server.explained():
        raise MlflowException("Permission denied", PERMISSION_DENIED)


def test_errors_of_mlflow_lose_the_password_and_others_pass(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///new.db")
    with pytest.raises(DataError) as caught, server.explained():
        raise MlflowException("no such table at http://me:hunter2@host/x")
    assert "hunter2" not in str(caught.value)
    assert "no such table" in str(caught.value)
    with pytest.raises(ZeroDivisionError), server.explained():
        raise ZeroDivisionError
    with pytest.raises(ConfigError, match="driver psycopg"), server.explained():
        raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
    with pytest.raises(ModuleNotFoundError), server.explained():
        raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
