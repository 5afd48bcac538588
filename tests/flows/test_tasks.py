"""Tasks without a server: which failures are retried, what a run shows, and that telemetry is off."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from prefect.states import Failed

from cgdmer.errors import ConfigError, DataError, Unavailable, ValidationFailed
from flows import artifacts, dvc, pipeline, services, tasks

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (dvc.StageInterrupted("stopped"), True),
        (Unavailable("no answer"), True),
        (ConnectionError("reset"), True),
        (dvc.StageError("ended with code 4"), False),
        (ValidationFailed("amplitude"), False),
        (DataError("nothing is promoted"), False),
        (ConfigError("MLFLOW_TRACKING_URI"), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error, again):
    assert tasks.may_succeed_later(None, None, Failed(data=error)) is again


def test_a_run_that_is_being_stopped_tries_nothing_again(monkeypatch):
    monkeypatch.setattr(dvc.running, "stopped", True)
    assert tasks.may_succeed_later(None, None, Failed(data=ConnectionError())) is False


def test_pretraining_takes_a_place_on_a_device_and_has_limits():
    assert tasks.GPU in tasks.pretrain.tags
    assert tasks.GPU in tasks.gpu_stage.tags
    assert (tasks.GPU in tasks.control.tags) is (dvc.compute_slots() > 1)
    for task in (tasks.stage, tasks.control, tasks.acquire, tasks.pretrain, tasks.gpu_stage, tasks.publish):
        assert task.retries > 0
        assert task.retry_condition_fn is tasks.may_succeed_later
        assert task.cache_policy is tasks.NO_CACHE


def test_progress_is_read_from_the_lines_of_training(monkeypatch):
    shown, lines = [], []
    monkeypatch.setattr(artifacts.Training, "_show", lambda self, percent, text: shown.append((percent, text)))
    watch = artifacts.Training(lines.append)
    for line in ("Running stage 'pretrain':", "training: 12/48 steps, 25 %, 3.10 steps/s, 00:11 left, loss=2.1"):
        watch(line)
    assert len(lines) == 2
    assert shown == [(25.0, "pretraining: 12 of 48 steps, 25 %, 3.10 steps/s, 00:11 left, loss=2.1")]


def test_pages_are_linked_where_they_are_served(monkeypatch):
    monkeypatch.delenv("CGDMER_REPORTS_URL", raising=False)
    assert artifacts.page(artifacts.paths.REPORT_HTML).startswith("file:///")
    monkeypatch.setenv("CGDMER_REPORTS_URL", "http://127.0.0.1:4280")
    assert artifacts.page(artifacts.paths.REPORT_HTML) == "http://127.0.0.1:4280/report.html"


def test_the_form_has_types_and_descriptions():
    properties = pipeline.cgdmer.parameters.properties
    assert set(properties) == {"until", "record", "promote", "profile", "overrides"}
    assert all(entry["description"] for entry in properties.values())
    assert properties["until"]["enum"] == ["validate", "pretrain", "report"]
    assert properties["record"]["type"] == "boolean"


def test_deployments_give_parameters_the_flow_takes():
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        if deployment["entrypoint"].endswith("pipeline.py:cgdmer"):
            pipeline.cgdmer.validate_parameters(deployment["parameters"])
        assert deployment["work_pool"]["name"] == services.POOL


def test_telemetry_is_off_in_the_makefile_as_in_what_the_stack_starts():
    exported = dict(re.findall(r"^export (\w+) := (.+)$", (ROOT / "Makefile").read_text(), re.M))
    assert services.TELEMETRY_OFF.items() <= exported.items()
    for service in [*services.servers(), services.worker()]:
        assert services.TELEMETRY_OFF.items() <= services.environment(service).items()
    typed = tomllib.loads((ROOT / "prefect.toml").read_text())
    assert typed["server"]["analytics_enabled"] is False


def test_ports_are_checked(monkeypatch):
    monkeypatch.setenv("CGDMER_MLFLOW_PORT", "eighty")
    with pytest.raises(ConfigError, match="CGDMER_MLFLOW_PORT=eighty"):
        services.ports()
