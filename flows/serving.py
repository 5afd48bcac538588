"""Owns `python -m flows.serving start | stop | status`: the local stack as one supervised group of processes."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from types import FrameType

import psutil

from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.files import read_json, write_json, write_text
from flows import services
from flows.services import FOLDER, Service

PROCESSES = FOLDER / "processes.json"
"""Process id and start time of the supervisor and of each service; gone once all have ended."""
READY = FOLDER / "ready"
START_LIMIT = 600.0
"""Seconds the servers have to answer."""
PAUSE = 5.0
"""Seconds before a service that died is started again."""
log = logging.getLogger("cgdmer.serving")


class Supervisor:
    """Starts the services, starts again what dies, and ends all of them when told to."""

    def __init__(self) -> None:
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.told = False

    def run(self) -> None:
        """Supervise until SIGTERM; whatever happens, leave no process behind."""
        for number in (signal.SIGTERM, signal.SIGINT):  # a handler also undoes the ignored SIGINT of a shell's `&`
            signal.signal(number, self._tell)
        wanted = [*services.servers(), services.worker()]
        try:
            for service in wanted[:-1]:
                self.start(service)
            self.wait_healthy(wanted[:-1])
            if not self.told:
                subprocess.run(
                    [sys.executable, "-m", "flows.provision"], env=services.environment(wanted[-1]), check=True
                )
                self.start(wanted[-1])
                write_text(READY, "")
            while not self.told:
                self.look(wanted)
                time.sleep(0.5)
        finally:
            for service in reversed(wanted):
                self.end(service)
            PROCESSES.unlink(missing_ok=True)
            READY.unlink(missing_ok=True)

    def _tell(self, _number: int, _frame: FrameType | None) -> None:
        self.told = True

    def start(self, service: Service) -> None:
        with (FOLDER / f"{service.name}.log").open("ab") as said:
            self.processes[service.name] = subprocess.Popen(
                service.command, env=services.environment(service), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                start_new_session=True,
            )  # fmt: skip
        self.note()

    def note(self) -> None:
        """Write down who runs, for `stop` and for the next `start`."""
        pids = {"supervisor": os.getpid()} | {name: process.pid for name, process in self.processes.items()}
        found = {name: {"pid": pid, "created": _created(pid)} for name, pid in pids.items()}
        write_json(PROCESSES, {name: entry for name, entry in found.items() if entry["created"]})

    def wait_healthy(self, wanted: list[Service]) -> None:
        deadline = time.monotonic() + START_LIMIT
        while not self.told and not all(service.healthy() for service in wanted):
            dead = [service.name for service in wanted if self.processes[service.name].poll() is not None]
            if dead or time.monotonic() > deadline:
                names = ", ".join(dead) or "the servers"
                raise ConfigError(f"{names} did not start", fix=f"read {FOLDER}/*.log")
            time.sleep(0.3)

    def look(self, wanted: list[Service]) -> None:
        """Start again what died, and say so in the log."""
        for service in wanted:
            code = self.processes[service.name].poll()
            if code is not None:
                log.error("%s ended with code %d and is started again", service.name, code)
                time.sleep(PAUSE)
                self.start(service)

    def end(self, service: Service) -> None:
        """Tell a service to end, then the flow runs it started; what is left after its patience is killed.

        Guards and stages are not told: their flow run does that, and waits for the checkpoint.
        """
        process = self.processes.get(service.name)
        if process is None or process.poll() is not None:
            return
        itself = psutil.Process(process.pid)
        started, all_below = itself.children(), itself.children(recursive=True)
        end([itself], service.patience)
        end(started, service.patience)
        end(all_below, 10.0)
        process.wait()


def end(processes: list[psutil.Process], patience: float) -> None:
    """Send SIGTERM, again after a third of the patience, and SIGKILL after all of it."""
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


def alive() -> dict[str, psutil.Process]:
    """Return the processes of the stack that live, by name; a reused process id is not mistaken for one."""
    try:
        noted = read_json(PROCESSES)
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {
        name: psutil.Process(entry["pid"])
        for name, entry in noted.items()
        if _created(entry["pid"]) == entry["created"]
    }


def start() -> None:
    """Start the stack in the background and wait until it is healthy; ConfigError where it cannot be started."""
    if running := alive():
        raise ConfigError(f"the stack runs already ({', '.join(running)})", fix="make stop")
    for name, port in services.ports().items():
        if not services.free(port):
            fix = f"make serve CGDMER_{name.upper()}_PORT={port + 10}"
            raise ConfigError(f"port {port}, wanted for {name}, is taken", fix=fix)
    FOLDER.mkdir(parents=True, exist_ok=True)
    READY.unlink(missing_ok=True)
    api = f"{services.urls()['prefect']}/api"
    write_text(FOLDER / "profiles.toml", f'active = "local"\n\n[profiles.local]\nPREFECT_API_URL = "{api}"\n')
    with (FOLDER / "supervisor.log").open("ab") as said:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "flows.serving", "supervise"],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
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
    """Stop the stack and wait for it; also the parts of one whose supervisor was killed."""
    found = alive()
    if not found:
        sys.stdout.write("the stack does not run\n")
        return
    if "supervisor" in found:
        end([found["supervisor"]], 400.0)
    left = [process for name, process in alive().items() if name != "supervisor"]
    end([child for process in left for child in [process, *process.children(recursive=True)]], 10.0)
    PROCESSES.unlink(missing_ok=True)
    READY.unlink(missing_ok=True)
    sys.stdout.write("stopped\n")


def status() -> None:
    """Say what runs."""
    found = alive()
    sys.stdout.write(
        "".join(f"{name:<11}process {process.pid}\n" for name, process in found.items()) or "nothing runs\n"
    )


def supervise() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    Supervisor().run()


COMMANDS = {"start": start, "stop": stop, "status": status, "supervise": supervise}


def main() -> int:
    """Run one command and return its exit code."""
    try:
        COMMANDS[sys.argv[1]]()
    except CgdmerError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
