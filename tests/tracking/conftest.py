"""Fixtures of the tracking tests: databases, a published project, a real MLflow server, and one that never answers."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from support import published_project
from support.server_process import free_port, tail

from cgdmer.publishing import Published, groups


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory) -> Path:
    """A migrated, empty database; migrating one takes seconds, copying it does not."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def here(tmp_path, monkeypatch, empty_database) -> Path:
    for name in ("mlflow.db", "other.db"):
        shutil.copy(empty_database, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):  # MLflow sets the second for its child processes
        monkeypatch.setenv(name, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return tmp_path


@pytest.fixture(scope="session")
def published(tmp_path_factory, empty_database) -> tuple[Path, Published]:
    """The folder of a project after its first `publish`, and what that returned."""
    folder = tmp_path_factory.mktemp("published")
    return folder, published_project.publish(folder, empty_database)


@pytest.fixture
def project(published, tmp_path, monkeypatch) -> Published:
    """The published project as working directory, with a database of its own; artifacts are shared."""
    folder, first = published
    shutil.copy(folder / "mlflow.db", tmp_path / "mlflow.db")
    monkeypatch.chdir(folder)
    published_project.use_database(monkeypatch, tmp_path / "mlflow.db")
    monkeypatch.setattr(groups, "FEWEST", 10)
    return first


class RealServer:
    """MLflow's own REST server on one port, which can be killed and started again at once."""

    def __init__(self, database: Path, port: int) -> None:
        self.url, self.output = f"http://127.0.0.1:{port}", database.with_name("server.log")
        script = Path(__file__).parents[1] / "support/mlflow_process.py"
        command = [sys.executable, str(script), str(database), str(port)]
        with self.output.open("w") as stream:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, text=True
            )

    def tell(self, line: str) -> str:
        """Send a command to the server process and return its reply."""
        assert self.process.stdin
        assert self.process.stdout
        print(line, file=self.process.stdin, flush=True)
        reply = self.process.stdout.readline().strip()
        assert reply, f"the server process ended{tail(self.output)}"
        return reply


@pytest.fixture(scope="session")
def served(tmp_path_factory, empty_database) -> Iterator[RealServer]:
    database = tmp_path_factory.mktemp("served") / "mlflow.db"
    shutil.copy(empty_database, database)
    server = RealServer(database, free_port())
    yield server
    server.process.kill()
    server.process.communicate()


@pytest.fixture
def real_server(here, served, monkeypatch) -> Iterator[RealServer]:
    """A running server, which is where MLFLOW_TRACKING_URI points."""
    served.tell("start")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", served.url)
    yield served
    served.tell("kill")


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The address of a server that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
