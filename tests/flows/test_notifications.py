"""Notifications and schedules: valid templates, a wrong address is refused, every commented schedule is one."""

import asyncio
import json
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment
from prefect.client.schemas.schedules import CronSchedule
from prefect.server.events.actions import CallWebhook

from cgdmer.errors import ConfigError
from flows import daily, notifications

ROOT = Path(__file__).resolve().parents[2]
RUN = {"event": "prefect.flow-run.Failed", "occurred": "now", "resource": {"name": 'a "quoted" run'},
       "payload": {"validated_state": {"message": "a\nproblem"}}}  # fmt: skip
DRIFT = {"event": notifications.DRIFT, "occurred": "now", "resource": {"name": "incoming"},
         "payload": {"summary": "DRIFT in qrs_axis"}}  # fmt: skip


def payloads():
    return {one.name: one.actions[0].payload for one in notifications.automations(uuid4())}


@pytest.mark.parametrize(
    ("name", "event", "summary"),
    [("failed run", RUN, "a\nproblem"), ("drift", DRIFT, "DRIFT in qrs_axis"), ("drift", {**DRIFT, "payload": {}}, "")],
)
def test_the_payload_is_json_whatever_the_event_says(name, event, summary):
    template = payloads()[f"cgdmer: tell of {'a ' if name == 'failed run' else ''}{name}"]
    CallWebhook(block_document_id=uuid4(), payload=template)  # the server checks the template
    told = json.loads(ImmutableSandboxedEnvironment().from_string(template).render(event=event))
    assert told == {
        "event": event["event"], "when": "now", "what": event["resource"]["name"], "summary": summary,
    }  # fmt: skip


def test_every_event_of_the_flows_has_an_automation():
    expected = {event for one in notifications.automations(uuid4()) for event in one.trigger.expect}
    assert {notifications.DRIFT, notifications.REFUSED, notifications.INVALID} | notifications.FAILED == expected


@pytest.mark.parametrize("url", ["ftp://host", "host:1", "http://a b"])
def test_an_address_that_is_none_is_refused_before_anything_is_created(monkeypatch, url):
    monkeypatch.setenv(notifications.URL, url)
    with pytest.raises(ConfigError, match="web address"):
        asyncio.run(notifications.provide(None))


def test_without_an_address_nothing_is_created(monkeypatch):
    monkeypatch.delenv(notifications.URL, raising=False)
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
