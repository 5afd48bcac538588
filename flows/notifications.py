"""Notifications: events of the pipeline, and automations that send them to a webhook, by email, or both.

`CGDMER_WEBHOOK_URL` and `CGDMER_EMAIL_URL` name the receivers. `python -m flows.notifications` writes them into blocks
named `cgdmer` and creates the automations; a second call updates both, and `--remove` deletes both. The stack creates
them when it starts. The server calls the webhook and sends the mail, so a run does not wait for either.
"""

import asyncio
import os
import sys
from contextlib import suppress

from prefect.blocks.notifications import AppriseNotificationBlock
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import PrefectClient, get_client
from prefect.events import emit_event
from prefect.events.actions import ActionTypes, CallWebhook, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound

from cgdmer.errors import ConfigError
from flows import shell

URL, EMAIL = "CGDMER_WEBHOOK_URL", "CGDMER_EMAIL_URL"
BLOCK = "cgdmer"
JSON = {"Content-Type": "application/json"}
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


class Email(AppriseNotificationBlock):
    """Sends mail through an SMTP server; `url` is an address of Apprise, as mailtos://NAME:PASSWORD@HOST?to=RECEIVER.

    Prefect's server knows the class because pyproject.toml names this module as a collection of blocks.
    """

    _block_type_name = "Email of cgdmer"
    _block_type_slug = "cgdmer-email"


async def provide(client: PrefectClient) -> bool:
    """Create or update the receivers and their automations; return False if no receiver is named.

    ConfigError, before anything is created, for a variable that holds no address of its kind.
    """
    url, email = _address(URL, ("http", "https")), _address(EMAIL, ("mailto", "mailtos"))
    if not url and not email:
        return False
    webhook = await _save(Webhook(method="POST", url=url, headers=JSON), client) if url else None  # type: ignore[arg-type]
    mail = await _save(Email(url=plain(email)), client) if email else None  # type: ignore[arg-type]
    await put(automations(webhook, mail), client)
    return True


async def put(wanted: list[AutomationCore], client: PrefectClient) -> None:
    """Create automations, or update those of the same name."""
    for one in wanted:
        existing = await client.read_automations_by_name(one.name)
        for automation in existing:
            await client.update_automation(automation.id, one)
        if not existing:
            await client.create_automation(one)


def _address(variable: str, schemes: tuple[str, str]) -> str:
    """Return the address in a variable, '' if unset; ConfigError, which does not quote it, if it is not valid."""
    address = os.environ.get(variable, "")
    if address and (not address.startswith(tuple(f"{one}://" for one in schemes)) or len(address.split()) > 1):
        raise ConfigError(
            f"{variable} holds no address of the right kind", allowed=" or ".join(f"{one}://..." for one in schemes),
            fix=f"export {variable}={schemes[1]}://...",
        )  # fmt: skip
    return address


def plain(address: str) -> str:
    """Return the address of a mail server with which the text is sent as it is, unless the address names a format.

    Apprise would send it as HTML, so that the message of an error could hold markup.
    """
    return address if "format=" in address else f"{address}{'&' if '?' in address else '?'}format=text"


async def _save(block: Webhook | Email, client: PrefectClient) -> object:
    """Register the type of a block with the server and save it; return its id."""
    await type(block).register_type_and_schema(client=client)
    return await block.save(BLOCK, overwrite=True, client=client)


def automations(webhook: object | None, email: object | None = None) -> list[AutomationCore]:
    """Return the automations that call a webhook, send an email, or both; blocks are given by their ids."""
    told = [
        ("cgdmer: notify of a failed run", FAILED, "prefect.flow-run.*", RUN_TEXT),
        ("cgdmer: notify of a refused candidate", {REFUSED}, "cgdmer.*", EVENT_TEXT),
        ("cgdmer: notify of a failed validation", {INVALID}, "cgdmer.*", EVENT_TEXT),
        ("cgdmer: notify of drift", {DRIFT}, "cgdmer.*", EVENT_TEXT),
    ]
    return [
        AutomationCore(
            name=name,
            description=f"Tells the receivers in the blocks named {BLOCK}.",
            trigger=EventTrigger(
                match={"prefect.resource.id": resource}, expect=events, posture=Posture.Reactive, threshold=1
            ),
            actions=_actions(text, webhook, email),
        )
        for name, events, resource, text in told
    ]


def _actions(text: str, webhook: object | None, email: object | None) -> list[ActionTypes]:
    """Return the actions of one automation; `text` is the template of the summary."""
    payload = (
        '{"event": {{ event.event | tojson }}, "when": {{ event.occurred | string | tojson }}, '
        '"what": {{ event.resource.name | string | tojson }}, "summary": {{ ' + text + " | string | tojson }}}"
    )
    actions: list[ActionTypes] = []
    if webhook:
        actions.append(CallWebhook(block_document_id=webhook, payload=payload))  # type: ignore[arg-type]
    if email:
        subject = "{{ event.event }}: {{ event.resource.name }}"
        body = "{{ " + text + " }}\n\n{{ event.occurred }}"
        actions.append(SendNotification(block_document_id=email, subject=subject, body=body))  # type: ignore[arg-type]
    return actions


async def renew() -> None:
    """Create or update what belongs to the receivers of this environment; ConfigError if it names none."""
    async with get_client() as client:
        if not await provide(client):
            raise ConfigError(
                f"neither {URL} nor {EMAIL} is set", fix=f"export {URL}=https://...; or --remove to send nothing more"
            )


async def remove() -> None:
    """Delete the automations and the addresses, so that nothing more is sent."""
    async with get_client() as client:
        for automation in automations(None):
            for existing in await client.read_automations_by_name(automation.name):
                await client.delete_automation(existing.id)
        for kind in (Webhook, Email):
            with suppress(ObjectNotFound):
                block = await client.read_block_document_by_name(BLOCK, kind.get_block_type_slug())
                await client.delete_block_document(block.id)


if __name__ == "__main__":
    parser = shell.parser("flows.notifications", __doc__)
    parser.add_argument("--remove", action="store_true", help="send nothing more, and forget the addresses")
    chosen = remove if parser.parse_args().remove else renew
    sys.exit(shell.exit_code(lambda: asyncio.run(chosen())))
