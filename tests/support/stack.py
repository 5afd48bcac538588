"""Starts the services of docker/compose.yaml without containers: same commands and variables, but loopback ports."""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from flows import services
from support.server_process import tail

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
SERVICES = COMPOSE["services"]
SECRET = "a1b2c3d4e5f60718"
PATIENCE = 400.0


def postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's server programs, which Debian does not put on the path, or None."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return programs[-1].parent if programs else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def postgres(programs: Path, port: int) -> Iterator[None]:
    """Run a PostgreSQL server with the databases of docker/databases.sql; as root, run it as the user `postgres`."""
    folder = Path(tempfile.mkdtemp(prefix="cgdmer-postgres-", dir="/tmp"))
    account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    (folder / "password").write_text(SECRET)
    if account:
        for path in (folder, folder / "password"):
            os.chown(path, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)
    words = ["-D", str(folder / "data")]
    options = {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PGPASSWORD": SECRET}, **account}
    server = None
    try:
        new = ["-U", "cgdmer", "-E", "UTF8", "--auth=scram-sha-256", f"--pwfile={folder}/password", "--no-sync"]
        subprocess.run([programs / "initdb", *words, *new], check=True, capture_output=True, **options)
        flags = [f"-cunix_socket_directories={folder}", "-clisten_addresses=127.0.0.1", "-cfsync=off"]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [programs / "postgres", *words, "-p", str(port), *flags], stdout=log, stderr=log, **options
            )
        client = ["-h", "127.0.0.1", "-p", str(port), "-U", "cgdmer", "-d", "postgres"]
        ready = [programs / "pg_isready", *client]
        wait(
            lambda: subprocess.run(ready, capture_output=True, **options).returncode == 0, lambda: tail(folder / "log")
        )
        script = (ROOT / "docker/databases.sql").read_text()
        for statement in script.split(";")[:2]:
            words = [programs / "psql", *client, "-v", "ON_ERROR_STOP=1", "-qc", statement]
            subprocess.run(words, check=True, **options)
        yield
    finally:
        if server:
            server.terminate()
            server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def wait(condition: Callable[[], bool], output: Callable[[], str]) -> None:
    """Wait until a condition holds; after PATIENCE seconds fail and show `output()`."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not ready after {PATIENCE:.0f} s{output()}"
        time.sleep(0.2)


@dataclass
class Stack:
    """Services by their compose name, with their logs in `folder`; `addresses` replaces the addresses of containers."""

    folder: Path
    addresses: Mapping[str, str]
    values: Mapping[str, str]
    ports: Mapping[str, str]
    """Replaces the ports inside the containers."""
    overrides: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Variables by service that differ from compose's because this machine lacks something."""
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self, service: str, **more: str) -> None:
        with (self.folder / f"{service}.log").open("ab") as log:
            self.running[service] = subprocess.Popen(
                self.command(service), env=self.environment(service, **more), cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def run(self, service: str, **more: str) -> None:
        """Run a one-shot service to its end."""
        self.start(service, **more)
        code = self.running.pop(service).wait(PATIENCE)
        assert code == 0, self.log(service)

    def log(self, service: str) -> str:
        """Return the whole output of a service."""
        return (self.folder / f"{service}.log").read_text()

    def command(self, service: str) -> list[str]:
        words = [self.ports.get(word) or self.resolve(str(word)) for word in SERVICES[service]["command"]]
        return [str(BIN / words[0]) if (BIN / words[0]).exists() else words[0], *words[1:]]

    def environment(self, service: str, **more: str) -> dict[str, str]:
        variables = {name: self.resolve(str(value)) for name, value in SERVICES[service].get("environment", {}).items()}
        home = {
            "PREFECT_HOME": str(self.folder / f"{service}.home"),
            "PREFECT_PROFILES_PATH": str(self.folder / "none"),
        }
        inherited = {"OMP_NUM_THREADS": "1", "PREFECT_WORKER_QUERY_SECONDS": "1", "CGDMER_WORKERS": "1"}
        return services.process_environment(**home, **inherited) | variables | self.overrides.get(service, {}) | more

    def resolve(self, text: str) -> str:
        """Return compose's text with its variables filled in and container addresses replaced by local ones."""
        for name, value in self.values.items():
            start = text.find("${" + name)
            if start >= 0:
                text = text[:start] + value + text[text.index("}", start) + 1 :]
        for container_address, address in self.addresses.items():
            text = text.replace(container_address, address)
        return text

    def wait_healthy(self, *services: str) -> None:
        """Wait until compose's own health check of each service passes."""
        for service in services:
            check = [self.resolve(word) for word in SERVICES[service]["healthcheck"]["test"][1:]]
            wait(lambda check=check: self._healthy(check), lambda service=service: tail(self.folder / f"{service}.log"))

    def _healthy(self, check: list[str]) -> bool:
        for name, process in self.running.items():
            assert process.poll() is None, tail(self.folder / f"{name}.log")
        program = str(BIN / check[0]) if (BIN / check[0]).exists() else check[0]
        return subprocess.run([program, *check[1:]], check=False).returncode == 0

    def stop(self) -> None:
        """End every service and its descendants, workers first."""
        for process in reversed(list(self.running.values())):
            if process.poll() is not None:
                continue
            processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for signal_name in ("terminate", "terminate", "kill"):
                for one in processes:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        getattr(one, signal_name)()
                _, processes = psutil.wait_procs(processes, timeout=8)
                if not processes:
                    break
            process.wait(10)


def guarded_mlflow(folder: Path, port: int, runs: str, users: str, artifacts: Path) -> tuple[list[str], dict[str, str]]:
    """Return command and variables of the MLflow server of docker/auth.yaml, with databases and artifacts elsewhere."""
    service = yaml.safe_load((ROOT / "docker/auth.yaml").read_text())["services"]["mlflow"]
    other = {"5000": str(port), "0.0.0.0": "127.0.0.1", "s3://mlflow": artifacts.as_uri()}
    program, *words = (other.get(word, word) for word in service["command"])
    named = re.sub("(?m)^database_uri = .*$", f"database_uri = {users}", (ROOT / "docker/mlflow_auth.ini").read_text())
    (folder / "users.ini").write_text(named)
    variables = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", re.sub(r"\$\{\w+:\?.*\}", SECRET, value))
                 for name, value in service["environment"].items()}  # fmt: skip
    variables |= {"MLFLOW_AUTH_CONFIG_PATH": str(folder / "users.ini"), "MLFLOW_BACKEND_STORE_URI": runs}
    return [str(BIN / program), *words], {**variables, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
