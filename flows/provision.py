"""Prepares a Prefect server for the deployments: work pool, GPU limit, and cleaning up after runs that were killed."""

import asyncio
import contextlib
import sys
from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Crashed

from flows import notifications, shell
from flows.services import POOL
from flows.tasks import GPU

GPU_TASKS = 1
"""Tasks of the tag `gpu` that run at the same time. Each has all GPUs of the machine: pretraining and embedding start
one process per GPU, and the other stages use the first GPU."""
SILENCE = timedelta(seconds=90)
"""A run without a heartbeat for this long counts as crashed; it sends one every 30 s."""
CANCELLING = timedelta(minutes=15)
"""A run that has not ended this long after it was cancelled counts as cancelled; a checkpoint takes far less."""
ENDS = {f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed")}
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDED_FLOWS = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES))))
RUNNING_TASKS = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING])))


async def provision() -> None:
    """Create what is missing; a second call changes nothing. A GPU limit of another size is replaced."""
    async with get_client() as client:
        await _pool(client)
        await client.create_concurrency_limit(tag=GPU, concurrency_limit=GPU_TASKS)
        await notifications.put(automations(), client)
        await notifications.provide(client)


async def _pool(client: PrefectClient) -> None:
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def automations() -> list[AutomationCore]:
    """Return the automations that end a run whose process is gone, as after SIGKILL or a power cut.

    Neither forces a state, so Prefect refuses it for a run that has ended: one heartbeat may arrive after the end.
    """
    silent = _overdue(
        "cgdmer: a run that fell silent has crashed",
        "Its process was killed. The next run resumes from the last checkpoint.",
        (HEARTBEAT, SILENCE),
        ChangeFlowRunState(
            name="Crashed", state=StateType.CRASHED, message="no heartbeat: the process is gone", force=False
        ),
    )
    stuck = _overdue(
        "cgdmer: a cancelled run whose process is gone has ended",
        "Nothing was left to confirm that it was cancelled.",
        ("prefect.flow-run.Cancelling", CANCELLING),
        ChangeFlowRunState(
            name="Cancelled", state=StateType.CANCELLED, message="no process was left to confirm it", force=False
        ),
    )
    return [silent, stuck]


def _overdue(name: str, description: str, last: tuple[str, timedelta], action: ChangeFlowRunState) -> AutomationCore:
    """Return an automation that acts on a run if neither its end nor the event itself follows an event in time.

    `last` is the event and the time.
    """
    event, within = last
    trigger = EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"}, after={event}, expect={event, *ENDS},
        for_each={"prefect.resource.id"}, posture=Posture.Proactive, threshold=1, within=within,
    )  # fmt: skip
    return AutomationCore(name=name, description=description, trigger=trigger, actions=[action])


def crash_orphaned_tasks() -> int:
    """Mark tasks as crashed that are still listed as running although their flow run has ended; return how many.

    A process that gets SIGKILL reports nothing to the server. The automation above ends its flow run but not its tasks,
    and Prefect frees a GPU slot only when the task that holds it ends.
    """
    with get_client(sync_client=True) as client:
        marked: set[UUID] = set()
        while True:  # a server answers with a page of them; what is marked is on no later page
            orphans = client.read_task_runs(flow_run_filter=ENDED_FLOWS, task_run_filter=RUNNING_TASKS)
            new = {task_run.id for task_run in orphans} - marked
            for task_run in new:
                client.set_task_run_state(task_run, Crashed(message="its flow run has ended"), force=True)
            if not new:
                return len(marked)
            marked |= new


if __name__ == "__main__":
    shell.parser("flows.provision", __doc__).parse_args()
    sys.exit(shell.exit_code(lambda: asyncio.run(provision())))
