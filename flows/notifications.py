"""Tells somebody: events of the pipeline, and automations that send them to a webhook.

`CGDMER_WEBHOOK_URL` names the receiver. `python -m flows.notifications` writes it into the block `webhook/cgdmer` and
creates the automations; a second call updates both. The stack does so when it starts. The server calls the webhook, so
a run does not wait for it. Other receivers, such as email, are blocks that the Prefect UI adds to the same automations.
"""

import asyncio
import os

from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events import emit_event
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from cgdmer.errors import ConfigError

URL = "CGDMER_WEBHOOK_URL"
BLOCK = "cgdmer"
DRIFT, REFUSED, INVALID = "cgdmer.drift", "cgdmer.gate.refused", "cgdmer.validation.failed"
"""Events: incoming recordings differ from the training, the gate refuses a candidate, a corpus fails its validation."""
FAILED = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}
RUN_TEXT = "event.payload.validated_state.message"
EVENT_TEXT = "event.payload.summary"
LONGEST = 2000
"""Characters of the longest text of an event."""


def gate_refused(text: str) -> None:
    """Send the event that the gate refuses a candidate, with its reasons."""
    _emit(REFUSED, "gate", text)


def validation_failed(stage: str, text: str) -> None:
    """Send the event that a corpus fails its validation; `stage` is the stage's name with the corpus."""
    _emit(INVALID, stage, text)


def _emit(event: str, what: str, text: str) -> None:
    resource = {"prefect.resource.id": f"cgdmer.{what}", "prefect.resource.name": what}
    emit_event(event, resource, payload={"summary": text[:LONGEST]})


async def provide(client: PrefectClient) -> bool:
    """Create or update the webhook and its automations; return False if no receiver is named.

    ConfigError for an address that is no web address.
    """
    url = os.environ.get(URL, "")
    if not url:
        return False
    if not url.startswith(("http://", "https://")) or any(letter.isspace() for letter in url):
        raise ConfigError(
            f"{URL} is no web address", allowed="http://... or https://...", fix=f"export {URL}=https://..."
        )
    await Webhook.register_type_and_schema(client=client)
    block = await Webhook(method="POST", url=url, headers={"Content-Type": "application/json"}).save(  # type: ignore[arg-type]
        BLOCK, overwrite=True, client=client
    )
    for wanted in automations(block):
        existing = await client.read_automations_by_name(wanted.name)
        for automation in existing:
            await client.update_automation(automation.id, wanted)
        if not existing:
            await client.create_automation(wanted)
    return True


def automations(block: object) -> list[AutomationCore]:
    """Return the automations that call the webhook of a block, which is given by its id."""
    return [
        _automation("cgdmer: tell of a failed run", FAILED, "prefect.flow-run.*", RUN_TEXT, block),
        _automation("cgdmer: tell of a refused candidate", {REFUSED}, "cgdmer.*", EVENT_TEXT, block),
        _automation("cgdmer: tell of a failed validation", {INVALID}, "cgdmer.*", EVENT_TEXT, block),
        _automation("cgdmer: tell of drift", {DRIFT}, "cgdmer.*", EVENT_TEXT, block),
    ]


def _automation(name: str, events: set[str], resource: str, text: str, block: object) -> AutomationCore:
    """Return an automation that calls the webhook at each event; `text` is the template of the summary."""
    trigger = EventTrigger(
        match={"prefect.resource.id": resource}, expect=events, posture=Posture.Reactive, threshold=1
    )
    payload = (
        '{"event": {{ event.event | tojson }}, "when": {{ event.occurred | string | tojson }}, '
        '"what": {{ event.resource.name | string | tojson }}, "summary": {{ ' + text + " | string | tojson }}}"
    )
    action = CallWebhook(block_document_id=block, payload=payload)  # type: ignore[arg-type]
    return AutomationCore(name=name, description=f"Calls webhook/{BLOCK}.", trigger=trigger, actions=[action])


async def main() -> None:
    async with get_client() as client:
        await provide(client)


if __name__ == "__main__":
    asyncio.run(main())
