"""What `make deploy` creates on a Prefect server, with a client that only notes the calls."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import AsyncMock, MagicMock
from uuid import uuid4

import pytest
import torch

from flows import daily, provision, tasks


@pytest.fixture
def client(monkeypatch):
    """Replace the Prefect client by one that notes what is asked of it."""
    client = AsyncMock()
    client.read_automations_by_name.return_value = []

    @asynccontextmanager
    async def get_client():
        yield client

    monkeypatch.setattr(provision, "get_client", get_client)
    monkeypatch.setattr(provision.notifications, "provide", AsyncMock())
    return client


def test_a_worker_that_is_started_by_hand_in_a_clone_sends_heartbeats_in_time():
    passed_on = "from prefect.settings import get_current_settings as current; import json"
    passed_on += "; print(json.dumps(current().to_environment_variables(exclude_unset=True)))"
    done = subprocess.run(
        [sys.executable, "-c", passed_on], cwd=Path(provision.__file__).parents[1], text=True, capture_output=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}, check=True,
    )  # fmt: skip
    frequency = int(json.loads(done.stdout)["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"])
    assert 2 * frequency < provision.SILENCE.total_seconds()


@pytest.mark.parametrize("gpus", [0, 1, 8])
def test_one_task_at_a_time_has_all_gpus(client, monkeypatch, gpus):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    asyncio.run(provision.provision())
    client.create_concurrency_limit.assert_awaited_once_with(tag=tasks.GPU, concurrency_limit=1)


def test_a_second_call_updates_automations_and_creates_none(client):
    client.read_automations_by_name.return_value = [SimpleNamespace(id="known")]
    asyncio.run(provision.provision())
    assert client.update_automation.await_count == len(provision.automations())
    client.create_automation.assert_not_awaited()


def test_orphaned_tasks_of_every_page_are_marked_once(monkeypatch):
    running, page, marked = [uuid4() for _ in range(7)], 3, []

    class Client:
        def read_task_runs(self, **_):
            return [SimpleNamespace(id=one) for one in running[:page]]

        def set_task_run_state(self, task_run, state, force):
            assert (state.type.value, force) == ("CRASHED", True)
            marked.append(task_run)
            running.remove(task_run)

    monkeypatch.setattr(provision, "get_client", lambda **_: nullcontext(Client()))
    expected = set(running)
    assert provision.crash_orphaned_tasks() == 7
    assert (len(marked), set(marked)) == (7, expected)


def test_a_task_that_the_server_keeps_as_running_is_marked_once(monkeypatch):
    client = MagicMock()
    client.read_task_runs.return_value = [SimpleNamespace(id=uuid4())]
    monkeypatch.setattr(provision, "get_client", lambda **_: nullcontext(client))
    assert provision.crash_orphaned_tasks() == 1
    assert client.set_task_run_state.call_count == 1


def test_the_gpu_of_a_killed_run_is_freed_before_new_recordings_wait_for_it(monkeypatch):
    steps = []
    encode = SimpleNamespace(with_options=lambda **_: lambda _: steps.append("encoded"))
    monkeypatch.setattr(provision, "crash_orphaned_tasks", lambda: steps.append("freed"))
    monkeypatch.setattr(daily, "new_recordings", encode)
    monkeypatch.setattr(daily, "log_batch", lambda *_: {})
    daily._run(SimpleNamespace(kind="embed"))
    assert steps == ["freed", "encoded"]
