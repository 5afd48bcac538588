"""What goes with a run so that it can be reproduced, what it cost, and that nothing else than dvc.lock is published."""

import json
import stat
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from support.published_project import SETTINGS

from cgdmer import paths, publishing
from cgdmer.errors import DataError
from cgdmer.pipeline import graph
from cgdmer.publishing import cost_page, lineage
from cgdmer.tracking import server, state

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]


@pytest.fixture
def dvc(tmp_path, monkeypatch):
    """Return a function that puts a program `dvc` with this shell script first on the path."""

    def write(body: str) -> None:
        script = tmp_path / "bin/dvc"
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(script.stat().st_mode | stat.S_IEXEC)

    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=":")
    return write


def test_the_files_of_the_state_go_with_the_run(published):
    folder, first = published
    artifacts = folder / f"mlartifacts/{first.run}/artifacts"
    assert (artifacts / "lineage/dvc.lock").read_text() == "one"
    params = yaml.safe_load((artifacts / "lineage/params.yaml").read_text())
    assert params["corpora"]["ptb_xl"] == {"root": None, "url": "https://host/x"}
    lines = (artifacts / "lineage/environment.txt").read_text().splitlines()
    assert lines[0].startswith("# Python 3.")
    assert f"numpy=={metadata.version('numpy')}" in lines


def test_what_the_results_cost_is_logged(project, published):
    numbers = server.connect().get_run(project.run).data.metrics
    assert (numbers["cost/pretrain/gpu_s"], numbers["cost/total/wall_s"]) == (80.0, 90.0)
    table = (published[0] / f"mlartifacts/{project.run}/artifacts/costs.md").read_text()
    assert "| pretrain | 1 | 90.0 s | 3 min | 80.0 s | 1.0 GB | 1 MB | 100 kB |" in table
    page = (published[0] / cost_page.PATH).read_text()
    assert page.count(">90.0 s</td>") == 4  # stage and call, each with its sum
    assert "1.0 GB" in page


def test_a_text_without_anything_private_stays_as_it_is():
    text = "# a comment\ntrain: {lr:   0.1}\n"
    assert lineage.public(text) == text


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("""echo '{"pretrain": [], "report": []}'""", "changed: pretrain, report"),
        ("""echo '{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0}'""", "changed: a, b, c, d, e and 2 more"),
        (
            "echo 'ERROR: you are not inside of a DVC repository' >&2; exit 253",
            "you are not inside of a DVC repository",
        ),
        ("echo no JSON", "no output"),
        ("echo '[]'", "DVC does not say"),
    ],
)
def test_a_workspace_that_is_not_the_state_of_dvc_lock_is_not_published(project, dvc, script, message):
    dvc(script)
    before = len(server.connect().search_model_versions())
    with pytest.raises(DataError, match=message):
        publishing.publish(SETTINGS)
    assert len(server.connect().search_model_versions()) == before


def test_one_that_is_can_be_published(project, dvc):
    dvc("echo '{}'")
    assert publishing.publish(SETTINGS) == project


@pytest.mark.parametrize("path", [paths.METRICS, paths.MODEL / "weights.safetensors"])
def test_missing_results_are_named_before_anything_else_is_tried(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    for other in (paths.METRICS, paths.MODEL / "weights.safetensors"):
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text(json.dumps({}))
    path.unlink()
    with pytest.raises(DataError, match=f"{path} is missing"):
        publishing.publish(SETTINGS)


def test_the_first_program_on_the_path_is_asked(tmp_path, dvc, monkeypatch):
    dvc("echo '{}'")
    assert Path(graph.dvc()) == tmp_path / "bin/dvc"
    monkeypatch.setenv("PATH", "/nowhere")
    assert Path(graph.dvc()).name == "dvc"


def test_a_state_with_other_settings_is_recorded_and_registers_nothing(project, monkeypatch):
    client = server.connect()
    before = len(client.search_model_versions())
    monkeypatch.setattr(state, "current", lambda params, of=state.current: replace(of(params), lock="another"))
    first = publishing.publish(SETTINGS, checked=True, label="train.epochs=4")
    assert publishing.publish(SETTINGS, checked=True, label="train.epochs=4") == first
    run = client.get_run(first.run)
    assert (first.versions, run.data.tags["variant"]) == ({}, "train.epochs=4")
    assert run.info.run_name == "train.epochs=4 another"
    assert set(client.get_run(project.run).data.metrics) >= {name for name in run.data.metrics if "auroc" in name}
    assert len(client.search_model_versions()) == before
