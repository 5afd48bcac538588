"""`python -m flows.serving start | stop | status`: runs the local stack as one supervised group of processes."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

import psutil

from cgdmer.errors import ConfigError
from cgdmer.files import exclusive_lock, read_json, write_json, write_text
from cgdmer.tracking import relocation
from flows import services, shell
from flows.services import FOLDER, Service

PROCESSES = FOLDER / "processes.json"
"""Process id and start time of the supervisor and of each service; removed once all have ended."""
READY = FOLDER / "ready"
"""Exists while all services run."""
START_LIMIT = 600.0
"""Seconds that the servers have to become healthy."""
PAUSE, LONGEST_PAUSE = 5.0, 60.0
"""Seconds before a service that ended is restarted. They double each time a service ends soon after its start."""
log = logging.getLogger("cgdmer.serving")


class Supervisor:
    """Starts the services, restarts any that ends, and ends all of them on SIGTERM."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.groups: dict[str, list[int]] = {}
        """The process groups of each service: that of the running process and of those that ended."""
        self.started: dict[str, float] = {}
        self.pauses: dict[str, float] = {}
        self.stopping = False

    def run(self) -> None:
        """Supervise until SIGTERM; leave no process behind, whatever happens."""
        for number in (signal.SIGTERM, signal.SIGINT):  # a shell's `&` ignores SIGINT; a handler undoes that
            signal.signal(number, self._stop)
        servers, worker = services.servers(), services.worker()
        try:
            for service in servers:
                self.start(service)
            self.wait_healthy(servers)
            if not self.stopping:
                subprocess.run([sys.executable, "-m", "flows.provision"], env=services.environment(worker), check=True)
                self.start(worker)
                write_text(READY, "")
            while not self.stopping:
                self.restart_ended([*servers, worker])
                time.sleep(0.5)
        finally:
            for service in [worker, *reversed(servers)]:
                self.end(service)
            PROCESSES.unlink(missing_ok=True)
            READY.unlink(missing_ok=True)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def start(self, service: Service) -> None:
        with (FOLDER / f"{service.name}.log").open("ab") as output:
            self.processes[service.name] = subprocess.Popen(
                service.command, env=services.environment(service), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        self.groups.setdefault(service.name, []).append(self.processes[service.name].pid)
        self.started[service.name] = time.monotonic()
        self.write_processes()

    def write_processes(self) -> None:
        """Write the process ids to PROCESSES, for `stop` and for the next `start`."""
        pids = {"supervisor": os.getpid()} | {name: process.pid for name, process in self.processes.items()}
        entries = {name: {"pid": pid, "created": _created(pid)} for name, pid in pids.items()}
        write_json(PROCESSES, {name: entry for name, entry in entries.items() if entry["created"]})

    def wait_healthy(self, servers: list[Service]) -> None:
        """Wait until all servers are healthy; ConfigError if one ends or START_LIMIT passes."""
        deadline = time.monotonic() + START_LIMIT
        while not self.stopping and not all(service.healthy() for service in servers):
            ended = [service.name for service in servers if self.processes[service.name].poll() is not None]
            if ended or time.monotonic() > deadline:
                names = ", ".join(ended) or "the servers"
                raise ConfigError(f"{names} did not start", fix=f"read {FOLDER}/*.log")
            time.sleep(0.3)

    def restart_ended(self, all_services: list[Service]) -> None:
        """Restart every service that ended, and log it.

        What a server leaves behind would keep its port, so it is ended first. What a worker leaves behind are flow
        runs, which go on.
        """
        for service in all_services:
            code = self.processes[service.name].poll()
            if code is None:
                continue
            pause = self.pause(service.name)
            log.error("%s ended with code %d and is restarted in %g s", service.name, code, pause)
            if service.health:
                end(group(self.processes[service.name].pid), service.patience)
            deadline = time.monotonic() + pause
            while time.monotonic() < deadline and not self.stopping:
                time.sleep(0.2)
            if not self.stopping:
                self.start(service)

    def pause(self, name: str) -> float:
        """Return the seconds to wait before a service is restarted."""
        soon = time.monotonic() - self.started[name] < LONGEST_PAUSE
        self.pauses[name] = min(2 * self.pauses[name], LONGEST_PAUSE) if soon and name in self.pauses else PAUSE
        return self.pauses[name]

    def end(self, service: Service) -> None:
        """Send SIGTERM to a service, then to the flow runs it started; kill what is left after the service's patience.

        Guards and stages get no signal from here: their flow run stops them and waits for the checkpoint.
        """
        process = self.processes.get(service.name)
        if process is not None and process.poll() is None:
            main_process = psutil.Process(process.pid)
            children, descendants = main_process.children(), main_process.children(recursive=True)
            end([main_process], service.patience)
            end(children, service.patience)
            end(descendants, 10.0)
            process.wait()
        for leader in self.groups.get(service.name, []):
            end(group(leader), service.patience)


def group(leader: int) -> list[psutil.Process]:
    """Return the living processes of a process group; its leader may have ended."""
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members


def end(processes: list[psutil.Process], patience: float) -> None:
    """Send SIGTERM, again after a third of `patience` seconds, and SIGKILL after all of them."""
    for number, wait in ((signal.SIGTERM, patience / 3), (signal.SIGTERM, patience * 2 / 3), (signal.SIGKILL, 10.0)):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, processes = psutil.wait_procs(processes, timeout=wait)
        if not processes:
            return


def _created(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def entries() -> dict[str, dict[str, Any]]:
    """Return process id and start time of the supervisor and of each service, as PROCESSES has them."""
    try:
        content: dict[str, dict[str, Any]] = read_json(PROCESSES)
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content


def alive() -> dict[str, psutil.Process]:
    """Return the live processes of the stack by name; the start time tells a reused process id."""
    return {
        name: psutil.Process(entry["pid"])
        for name, entry in entries().items()
        if _created(entry["pid"]) == entry["created"]
    }


def left_behind() -> list[psutil.Process]:
    """Return the processes left behind by services that have ended."""
    ended = [entry["pid"] for entry in entries().values() if not _created(entry["pid"])]
    return [process for leader in ended for process in group(leader)]


def start() -> None:
    """Start the stack in the background and wait until it is healthy; ConfigError if it cannot start."""
    with exclusive_lock(FOLDER / ".lock"):  # two starts at once would both find nothing running
        _start()


def _start() -> None:
    if running := alive():
        raise ConfigError(f"the stack is running already ({', '.join(running)})", fix="make stop")
    for name, port in services.ports().items():
        if not services.free(port):
            fix = f"make serve CGDMER_{name.upper()}_PORT={port + 10}"
            raise ConfigError(f"port {port} for {name} is taken", fix=fix)
    relocation.require_at_home()
    READY.unlink(missing_ok=True)
    api = f"{services.urls()['prefect']}/api"
    write_text(FOLDER / "profiles.toml", f'active = "local"\n\n[profiles.local]\nPREFECT_API_URL = "{api}"\n')
    with (FOLDER / "supervisor.log").open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "flows.serving", "supervise"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    while not READY.exists():
        if supervisor.poll() is not None:
            raise ConfigError("the stack did not start", fix=f"read {FOLDER}/*.log")
        time.sleep(0.2)
    sys.stdout.write(describe())


def describe() -> str:
    url = services.urls()
    return (
        f"Prefect  {url['prefect']}\nMLflow   {url['mlflow']}\nReports  {url['reports']}\n"
        f"worker   pool {services.POOL}\nlogs     {FOLDER}/*.log\n"
    )


def stop() -> None:
    """Stop the stack and wait until it has ended, even if its supervisor was killed."""
    processes = alive()
    if not processes and not left_behind():
        sys.stdout.write("the stack is not running\n")
        return
    if "supervisor" in processes:
        end([processes["supervisor"]], 400.0)
    remaining = [process for name, process in alive().items() if name != "supervisor"]
    end([child for process in remaining for child in [process, *process.children(recursive=True)]], 10.0)
    end(left_behind(), 10.0)
    PROCESSES.unlink(missing_ok=True)
    READY.unlink(missing_ok=True)
    sys.stdout.write("stopped\n")


def status() -> None:
    """Print the running processes."""
    lines = [f"{name:<11}process {process.pid}\n" for name, process in alive().items()]
    sys.stdout.write("".join(lines) or "nothing is running\n")


def supervise() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    Supervisor().run()


COMMANDS = {"start": start, "stop": stop, "status": status, "supervise": supervise}


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    parser = shell.parser("flows.serving", __doc__)
    parser.add_argument("command", choices=COMMANDS, metavar="start|stop|status")
    return shell.exit_code(COMMANDS[parser.parse_args(words).command])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
