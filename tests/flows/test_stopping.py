"""Pretraining in a real deployment: cancelled, resumed, its worker killed, and its server killed, then cancelled."""

import json
import os
import re
import signal

import psutil
import pytest
import yaml
from support.served_project import served

pytestmark = [pytest.mark.long, pytest.mark.server, pytest.mark.timeout(1800), pytest.mark.xdist_group("stopping")]
EPOCHS = 150
"""Enough that training is still running when it is stopped for the second time."""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    matrix = {"sources": ["mimic_iv_ecg"]}
    with served(tmp_path_factory.mktemp("stopping"), matrix, {"epochs": EPOCHS, "checkpoint_steps": 10}) as project:
        yield project


def unlike_before(project, seed):
    """Change the seed, so that pretraining has to run whatever ran before."""
    path = project.folder / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["train"]["seed"] = seed
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def steps(project):
    """Return the last step in the log of the training."""
    files = list((project.folder / ".cgdmer").rglob("pretrain/*/steps.jsonl"))
    lines = files[0].read_text().splitlines() if files else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("}")), default=0)


def begin(project, after):
    """Start a run of the deployment and return its id once it is 30 steps beyond `after`."""
    output = project.run("prefect", "deployment", "run", "cgdmer/pretrain")
    run = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", output)[0]
    project.until(lambda: steps(project) >= after + 30, 600)
    return run


def state(project, run):
    return project.ask(f"flow_runs/{run}")["state"]["type"]


def stages(project):
    """Return the processes of `pretrain` that run in the project's folder."""
    processes = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if process.info["cwd"] == str(project.folder) and {"run", "pretrain"} <= set(words):
            processes.append(process)
    return processes


def logs(project, run):
    wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC"}
    return "\n".join(line["message"] for line in project.ask("logs/filter", wanted | {"limit": 200}))


def test_a_stopped_pretraining_is_gone_on_with(project):
    unlike_before(project, seed=101)
    cancelled = begin(project, after=0)
    project.run("prefect", "flow-run", "cancel", cancelled)
    project.until(lambda: state(project, cancelled) == "CANCELLED", 240)
    project.until(lambda: not stages(project), 240)
    first = steps(project)

    crashed = begin(project, after=first)
    worker = psutil.Process(project.processes()["worker"]["pid"])
    for process in [worker, *worker.children()]:  # the guards survive, as when the kernel kills a process
        os.kill(process.pid, signal.SIGKILL)
    project.until(lambda: not stages(project), 240)
    second = steps(project)
    assert second > first
    project.until(lambda: state(project, crashed) == "CRASHED", 240)

    last_output = project.run("prefect", "deployment", "run", "cgdmer/pretrain", "--watch", "--watch-interval", "1")
    last = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", last_output)[0]
    assert state(project, last) == "COMPLETED"
    assert f"resumed after step {first} of" in logs(project, crashed)
    resumed = re.search(r"resumed after step (\d+) of (\d+)", logs(project, last))
    assert second - 10 <= int(resumed[1]) <= second  # a checkpoint every ten steps, and one more on SIGTERM
    summary = json.loads((project.folder / "reports/pretrain/summary.json").read_text())
    assert summary["steps"] == int(resumed[2])
    assert state(project, cancelled) == "CANCELLED"  # more than 90 s later, the watch for silent runs left it alone


def test_a_run_outlives_its_worker(project):
    """Its output was a pipe to the worker; the state at its end decides, and it is the same process that reaches it."""
    unlike_before(project, seed=103)
    run = begin(project, after=0)
    stage = stages(project)[0]
    worker = project.processes()["worker"]["pid"]
    os.kill(worker, signal.SIGKILL)
    project.until(lambda: project.processes()["worker"]["pid"] != worker, 240)
    assert stage.is_running()
    project.until(lambda: state(project, run) in ("COMPLETED", "CRASHED", "FAILED"), 600)
    assert state(project, run) == "COMPLETED", logs(project, run)
    assert "resumed" not in logs(project, run)


def test_a_run_outlives_its_server(project):
    """Leases on the deployment's concurrency limit survive too; Prefect renews them every 225 s."""
    unlike_before(project, seed=102)
    run = begin(project, after=0)
    kill_server(project)
    project.until(lambda: answered(project, run) == "COMPLETED", 600)
    summary = json.loads((project.folder / "reports/pretrain/summary.json").read_text())
    assert summary["epochs"][-1]["epoch"] == EPOCHS
    tasks = project.ask("task_runs/filter", {"task_runs": {"flow_run_id": {"any_": [run]}}})
    assert {task["state"]["type"] for task in tasks if task["name"] in ("pretraining_set", "pretrain")} == {"COMPLETED"}


def test_a_server_that_is_killed_keeps_no_slot_of_a_run_that_is_then_cancelled(project):
    """The slots of the deployment and of the tag `gpu` are free again, so the next run reaches its end."""
    unlike_before(project, seed=104)
    run = begin(project, after=0)
    kill_server(project)
    project.until(lambda: answered(project, run) == "RUNNING", 240)
    project.run("prefect", "flow-run", "cancel", run)
    project.until(lambda: answered(project, run) == "CANCELLED", 240)
    output = project.run("prefect", "deployment", "run", "cgdmer/pretrain", "--watch", "--watch-interval", "1")
    assert "Completed" in output
    assert "resumed after step" in output  # it had the gpu, and went on from the checkpoint
    held = project.ask("concurrency_limits/filter", {"limit": 10})
    assert [one["active_slots"] for one in held if one["tag"] == "gpu"] == [[]]


def kill_server(project):
    """Kill the Prefect server, and wait until the supervisor has started another."""
    server = project.processes()["prefect"]["pid"]
    for process in [*psutil.Process(server).children(recursive=True), psutil.Process(server)]:
        process.kill()
    project.until(lambda: project.processes()["prefect"]["pid"] != server, 240)


def answered(project, run):
    """Return the state of a run, or None while the server does not answer."""
    try:
        return state(project, run)
    except OSError:
        return None
