"""The services of the local stack: command, environment, address and health check of each one."""

import os
import socket
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from cgdmer import paths
from cgdmer.errors import ConfigError

HOST = "127.0.0.1"
FOLDER = paths.STATE / "serve"
"""Logs, process ids and the Prefect profile of the running stack."""
POOL = "cgdmer"
PORTS = {"prefect": 4200, "mlflow": 5000, "reports": 4280}
"""Default ports; CGDMER_PREFECT_PORT, CGDMER_MLFLOW_PORT and CGDMER_REPORTS_PORT change them."""
TELEMETRY_OFF = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""Variables that turn telemetry off in every tool. The Makefile exports the same ones; a test compares them."""
PREFECT_SERVER = {
    # The default storage is memory. After a restart of the server, no run could renew its lease on its deployment's
    # concurrency limit, and Prefect cancels a run that cannot.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": "1",  # do not leave a GPU idle
    # `prefect deployment run --watch` shows the log of a run only if the server streams it.
    "PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED": "true",
    "PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED": "true",
}


@dataclass(frozen=True)
class Service:
    """A process of the stack. Without a health address it counts as healthy as long as it lives."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    health: str = ""
    patience: float = 10.0
    """Seconds from SIGTERM to SIGKILL."""

    def healthy(self) -> bool:
        """Return True if the health address answers."""
        try:
            with urllib.request.urlopen(self.health, timeout=5) as answer:  # noqa: S310 - a loopback address of ours
                return bool(answer.status == 200)
        except OSError:
            return False


def ports() -> dict[str, int]:
    """Return the port of each server; ConfigError for a malformed variable."""
    chosen = {}
    for name, default in PORTS.items():
        variable = f"CGDMER_{name.upper()}_PORT"
        value = os.environ.get(variable) or str(default)
        if not value.isdigit() or not 1024 <= int(value) < 65536:
            raise ConfigError(f"{variable}={value}", allowed="1024 to 65535", fix=f"export {variable}={default}")
        chosen[name] = int(value)
    return chosen


def urls() -> dict[str, str]:
    return {name: f"http://{HOST}:{port}" for name, port in ports().items()}


def servers() -> list[Service]:
    """Return the servers; all of them listen on the loopback interface only."""
    port, url = ports(), urls()
    bind = ["--host", HOST, "--port"]
    store = ["--backend-store-uri", f"sqlite:///{Path('mlflow.db').resolve()}"]
    files = ["--default-artifact-root", Path("mlartifacts").resolve().as_uri(), "--no-serve-artifacts"]
    paths.REPORTS.mkdir(exist_ok=True)
    pages = ["-m", "http.server", "--bind", HOST, "--directory", str(paths.REPORTS.resolve()), str(port["reports"])]
    return [
        Service(
            "prefect",
            [_program("prefect"), "server", "start", *bind, str(port["prefect"])],
            _prefect() | PREFECT_SERVER,
            f"{url['prefect']}/api/health",
        ),
        Service(
            "mlflow",
            [_program("mlflow"), "server", *bind, str(port["mlflow"]), "--workers", "1", *store, *files],
            {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            f"{url['mlflow']}/health",
        ),
        Service("reports", [sys.executable, *pages], {}, url["reports"]),
    ]


def worker() -> Service:
    """Return the worker; its flow runs inherit the addresses of MLflow and the report."""
    url = urls()
    variables = {
        "MLFLOW_TRACKING_URI": url["mlflow"],
        "CGDMER_REPORTS_URL": url["reports"],
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_CLIENT_MAX_RETRIES": "8",  # a run survives minutes without a server
    }
    command = [_program("prefect"), "worker", "start", "--pool", POOL, "--name", "local"]
    return Service("worker", command, _prefect() | variables, patience=150.0)


def _prefect() -> dict[str, str]:
    return {
        "PREFECT_API_URL": f"{urls()['prefect']}/api",
        "PREFECT_HOME": str(Path(".cgdmer/prefect").resolve()),
        "PREFECT_PROFILES_PATH": str((FOLDER / "profiles.toml").resolve()),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    }


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def free(port: int) -> bool:
    """Return True if no process listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def environment(service: Service) -> dict[str, str]:
    """Return the whole environment of a service."""
    return process_environment(**service.environment)


def process_environment(**more: str) -> dict[str, str]:
    """Return this process's environment with this Python's programs first on the path, telemetry off, and `more`."""
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return os.environ | path | TELEMETRY_OFF | more
