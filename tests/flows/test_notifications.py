"""Notifications and schedules: valid templates, a wrong address is refused, every commented schedule is one."""

import asyncio
import json
import socketserver
import threading
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import AsyncMock
from uuid import uuid4

import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from prefect.blocks.core import Block
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.server.events.actions import CallWebhook, SendNotification

from cgdmer.errors import ConfigError
from flows import daily, notifications

ROOT = Path(__file__).resolve().parents[2]
RUN = {"event": "prefect.flow-run.Failed", "occurred": "now", "resource": {"name": 'a "quoted" run'},
       "payload": {"validated_state": {"message": "a\nproblem"}}}  # fmt: skip
DRIFT = {"event": notifications.DRIFT, "occurred": "now", "resource": {"name": "incoming"},
         "payload": {"summary": "DRIFT in qrs_axis"}}  # fmt: skip


class Mail(socketserver.ThreadingTCPServer):
    """A mail server on 127.0.0.1 that takes any mail; `received` is each connection's commands and text."""

    daemon_threads = False  # leaving the context waits for the last connection

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Connection)
        self.received = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *caught):
        self.shutdown()
        super().__exit__(*caught)


class Connection(socketserver.StreamRequestHandler):
    """One SMTP session: an answer to each command, and to the text after DATA."""

    def handle(self):
        self.wfile.write(b"220 ready\r\n")
        lines, in_text = [], False
        for line in (raw.decode().rstrip("\r\n") for raw in self.rfile):
            if line.lower() == "quit":
                break
            lines.append(line)
            if in_text and line != ".":
                continue
            in_text = line.lower() == "data"
            self.wfile.write(b"354 go on\r\n" if in_text else b"250 ok\r\n")
        self.wfile.write(b"221 bye\r\n")
        self.server.received.append("\n".join(lines))


def payloads():
    return {one.name: one.actions[0].payload for one in notifications.automations(uuid4())}


@pytest.mark.parametrize(
    ("name", "event", "summary"),
    [("failed run", RUN, "a\nproblem"), ("drift", DRIFT, "DRIFT in qrs_axis"), ("drift", {**DRIFT, "payload": {}}, "")],
)
def test_the_payload_is_json_whatever_the_event_says(name, event, summary):
    template = payloads()[f"cgdmer: notify of {'a ' if name == 'failed run' else ''}{name}"]
    CallWebhook(block_document_id=uuid4(), payload=template)  # the server checks the template
    told = json.loads(ImmutableSandboxedEnvironment().from_string(template).render(event=event))
    assert told == {
        "event": event["event"], "when": "now", "what": event["resource"]["name"], "summary": summary,
    }  # fmt: skip


def test_every_event_of_the_flows_has_an_automation():
    expected = {event for one in notifications.automations(uuid4()) for event in one.trigger.expect}
    assert {notifications.DRIFT, notifications.REFUSED, notifications.INVALID} | notifications.FAILED == expected


@pytest.mark.parametrize(
    ("variable", "url"),
    [(notifications.URL, "ftp://host"), (notifications.URL, "host:1"), (notifications.URL, "http://a b"),
     (notifications.EMAIL, "smtp://host"), (notifications.EMAIL, "me@example.org")],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_before_anything_is_created(monkeypatch, variable, url):
    monkeypatch.delenv(notifications.URL, raising=False)
    monkeypatch.setenv(variable, url)
    with pytest.raises(ConfigError, match=variable) as caught:
        asyncio.run(notifications.provide(None))
    assert url not in str(caught.value)


def test_a_mail_arrives_with_the_event_in_its_subject_and_the_summary_in_its_text():
    (action,) = notifications.automations(None, uuid4())[3].actions
    SendNotification(block_document_id=uuid4(), subject=action.subject, body=action.body)  # the server checks both
    render = ImmutableSandboxedEnvironment().from_string
    event = DRIFT | {"payload": {"summary": "<b>DRIFT</b> in qrs_axis"}}
    with Mail() as server:
        url = f"mailto://127.0.0.1:{server.server_address[1]}/you@example.org?from=us@example.org"
        document = notifications.Email(url=notifications.plain(url))._to_block_document(
            name="cgdmer", block_type_id=uuid4(), block_schema_id=uuid4(), include_secrets=True
        )
        block = Block._from_block_document(document)  # as the server does, which knows the class by its type alone
        with block.raise_on_failure():
            block.notify(render(action.body).render(event=event), render(action.subject).render(event=event))
    (mail,) = server.received
    assert "rcpt TO:<you@example.org>" in mail
    assert "Subject: cgdmer.drift: incoming" in mail
    assert "\n<b>DRIFT</b> in qrs_axis\n" in mail  # not as markup
    assert "text/html" not in mail


def test_the_server_loads_the_module_with_the_block():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["prefect.collections"] == {"cgdmer": notifications.__name__}


def test_a_webhook_and_a_mail_belong_to_the_same_automations():
    both = notifications.automations(uuid4(), uuid4())
    assert [[type(action).__name__ for action in one.actions] for one in both] == [
        ["CallWebhook", "SendNotification"]
    ] * 4


def test_without_an_address_nothing_is_created(monkeypatch):
    monkeypatch.delenv(notifications.URL, raising=False)
    monkeypatch.delenv(notifications.EMAIL, raising=False)
    assert asyncio.run(notifications.provide(None)) is False


def test_each_deployment_has_a_commented_schedule_that_is_valid():
    text = (ROOT / "prefect.yaml").read_text().replace("# schedules:", "schedules:")
    deployments = yaml.safe_load(text)["deployments"]
    for one in deployments:
        (schedule,) = one["schedules"]
        assert CronSchedule(**schedule).timezone == "UTC"
    for one in deployments:
        path, _, name = one["entrypoint"].partition(":")
        assert (ROOT / path).is_file()
        if path == "flows/daily.py":
            assert set(one["parameters"]) < set(getattr(daily, name).parameters.properties)


def test_removed_receivers_leave_no_automation_and_no_address(monkeypatch):
    client, names = AsyncMock(), {one.name for one in notifications.automations(uuid4())}
    kept = {name: SimpleNamespace(id=uuid4()) for name in [*names, "another"]}
    webhook = SimpleNamespace(id=uuid4())

    async def block(name, slug):
        assert name == notifications.BLOCK
        if slug != "webhook":
            raise ObjectNotFound(Exception())
        return webhook

    async def by_name(name):
        return [kept[name]]

    client.read_automations_by_name, client.read_block_document_by_name = by_name, block

    @asynccontextmanager
    async def get_client():
        yield client

    monkeypatch.setattr(notifications, "get_client", get_client)
    asyncio.run(notifications.remove())
    deleted = {call.args[0] for call in client.delete_automation.await_args_list}
    assert deleted == {kept[name].id for name in names}
    client.delete_block_document.assert_awaited_once_with(webhook.id)


def test_without_a_receiver_the_command_says_which_variable_to_set(monkeypatch):
    for variable in (notifications.URL, notifications.EMAIL):
        monkeypatch.delenv(variable, raising=False)

    @asynccontextmanager
    async def get_client():
        yield None

    monkeypatch.setattr(notifications, "get_client", get_client)
    with pytest.raises(ConfigError, match=f"neither {notifications.URL} nor {notifications.EMAIL} is set"):
        asyncio.run(notifications.renew())
