"""Owns what a Prefect server must hold before a deployment runs: work pool, GPU limit, and who notices dead runs."""

import asyncio
import contextlib
from datetime import timedelta

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists

from flows.services import POOL
from flows.tasks import GPU

SILENCE = timedelta(seconds=90)
"""A run that sent a heartbeat and then, for so long, neither another nor its end is dead; one comes every 30 s."""
WATCH = "cgdmer: a run that fell silent has crashed"


async def provision() -> None:
    """Make what is missing; again, it changes nothing but the number of devices."""
    async with get_client() as client:
        await _pool(client)
        await client.create_concurrency_limit(tag=GPU, concurrency_limit=devices())
        if not await client.read_automations_by_name(WATCH):
            await client.create_automation(watch())


async def _pool(client: PrefectClient) -> None:
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def devices() -> int:
    """Return the number of GPUs, and 1 where there is none: the CPU is one device too."""
    import torch

    return max(1, torch.cuda.device_count())


def watch() -> AutomationCore:
    """Return the automation that calls a run crashed whose heartbeat stopped, as after SIGKILL or a power cut."""
    return AutomationCore(
        name=WATCH,
        description="Its process was killed with all that watched it. The next run resumes from the last checkpoint.",
        trigger=EventTrigger(
            match={"prefect.resource.id": "prefect.flow-run.*"},
            after={"prefect.flow-run.heartbeat"},
            expect={
                "prefect.flow-run.heartbeat",
                *(f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed")),
            },
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed", state=StateType.CRASHED, message="no heartbeat: the process is gone", force=True
            )
        ],
    )


if __name__ == "__main__":
    asyncio.run(provision())
