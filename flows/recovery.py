"""Owns clearing up after flow runs that were killed: their tasks hold GPU slots that nobody would give back."""

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.states import Crashed

FLOWS = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES))))
TASKS = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=[StateType.RUNNING])))


def settle() -> int:
    """Call tasks crashed that still run in the books of a run that has ended; return how many.

    A process that gets SIGKILL says nothing to the server. The automation of `flows.provision` ends its flow run, not
    the tasks, and Prefect gives a tag's slot back only when its task ends.
    """
    with get_client(sync_client=True) as client:
        left = client.read_task_runs(flow_run_filter=FLOWS, task_run_filter=TASKS)
        for task_run in left:
            client.set_task_run_state(task_run.id, Crashed(message="its flow run has ended"), force=True)
    return len(left)
