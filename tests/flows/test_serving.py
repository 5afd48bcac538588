"""The local stack for real: serve, deploy, run, a failed expectation, a killed worker, stop."""

import os
import signal
import socket
import sys

import psutil
import pytest
import yaml
from support.served_project import served
from support.server_process import answers

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(900), pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    matrix = {"sources": ["csn"], "benchmarks": ["csn"]}
    with served(tmp_path_factory.mktemp("project with space"), matrix) as project:
        yield project
        stopping_leaves_nothing_and_a_taken_port_is_refused(project)


def stopping_leaves_nothing_and_a_taken_port_is_refused(project):
    """Check this last, whatever the order of the tests."""
    pids = family(project)
    project.run(sys.executable, "-m", "flows.serving", "stop")
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only a server holds it now
        taken.bind(("127.0.0.1", int(project.environment["CGDMER_MLFLOW_PORT"])))
        taken.listen()
        output = project.run(sys.executable, "-m", "flows.serving", "start", code=2)
    assert "taken" in output
    assert "CGDMER_MLFLOW_PORT=" in output


def family(project) -> set[int]:
    """Return the ids of all processes of the stack and of their descendants."""
    living = [psutil.Process(entry["pid"]) for entry in project.processes().values()]
    return {process.pid for one in living for process in [one, *one.children(recursive=True)]}


def test_a_deployment_runs_to_its_end_and_shows_what_was_validated(project):
    output = project.run("prefect", "deployment", "run", "cgdmer/validate", "--watch", "--watch-interval", "1")
    assert "Completed" in output
    shown = project.run("prefect", "artifact", "inspect", "validation")
    assert "csn" in shown
    assert "passed" in shown
    assert (project.folder / "reports/validation/csn/result.json").is_file()


def test_only_loopback_is_listened_on(project):
    pids = family(project)
    listening = [c for c in psutil.net_connections("inet") if c.pid in pids and c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
    wanted = {int(project.environment[f"CGDMER_{name}_PORT"]) for name in ("PREFECT", "MLFLOW", "REPORTS")}
    assert wanted <= {c.laddr.port for c in listening}


def test_a_second_stack_is_refused(project):
    assert "running already" in project.run(sys.executable, "-m", "flows.serving", "start", code=2)


def test_a_failed_expectation_fails_the_run_at_once(project):
    path = project.folder / "params.yaml"
    before = path.read_text()
    content = yaml.safe_load(before)
    content["validation"]["max_identity_uv"] = 1e-6
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    try:
        output = project.run(
            "prefect", "deployment", "run", "cgdmer/validate", "--watch", "--watch-interval", "1", code=1
        )
    finally:
        path.write_text(before)
    assert "Failed" in output
    assert "AwaitingRetry" not in output


def test_a_server_whose_parent_is_killed_leaves_no_orphan_on_its_port(project):
    """MLflow serves from a child process, which keeps the port when its parent is killed."""
    server = psutil.Process(project.processes()["mlflow"]["pid"])
    orphans = server.children(recursive=True)
    assert orphans
    server.kill()
    project.until(lambda: project.processes()["mlflow"]["pid"] != server.pid, 240)
    assert not [one for one in orphans if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    project.until(lambda: answers(f"http://127.0.0.1:{project.ports['CGDMER_MLFLOW_PORT']}/health"), 240)


def test_a_killed_worker_is_started_again(project):
    before = project.processes()["worker"]["pid"]
    os.kill(before, signal.SIGKILL)
    project.until(lambda: project.processes()["worker"]["pid"] != before, 240)
    assert "worker ended with code -9" in (project.folder / ".cgdmer/serve/supervisor.log").read_text()
