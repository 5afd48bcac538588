"""Promotion for real: the gate's decisions over registered versions, the reference, refusals, and going back."""

import json
import os
from pathlib import Path

import polars as pl
import pytest
from mlflow.tracking import MlflowClient
from support.published_project import SETTINGS

from cgdmer import paths, publishing, tables
from cgdmer.errors import DataError
from cgdmer.publishing import findings, gate
from cgdmer.tracking import aliases, registry, server

pytestmark = [pytest.mark.xdist_group("mlflow"), pytest.mark.timeout(600)]


def candidate(change=lambda frame: frame, *, green=True, tasks=None) -> str:
    """Register one more version of the same weights, whose predictions were changed."""
    client = server.connect()
    experiment = server.experiment(client)
    tags = {"kind": "pipeline", "validation.ptb_xl": "passed" if green else "failed"}
    run = client.create_run(experiment, tags=tags).info.run_id
    for task in tasks or findings.probed(SETTINGS.matrix):
        frame = change(gate.anonymous(tables.read(paths.predictions("cgdmer", task))))
        path = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).with_name(f"{task}.parquet")
        tables.write(frame, path)
        client.log_artifact(run, str(path), gate.PREDICTIONS)
    first = client.get_model_version(registry.ECG, "1")
    version = client.create_model_version(registry.ECG, first.source, run)
    client.set_registered_model_alias(registry.ECG, registry.CANDIDATE, version.version)
    return str(version.version)


def perfect(frame: pl.DataFrame) -> pl.DataFrame:
    names = [name.removeprefix("label/") for name in frame.columns if name.startswith("label/")]
    return frame.with_columns(pl.col(f"label/{name}").cast(pl.Float64).alias(f"score/{name}") for name in names)


def hopeless(frame: pl.DataFrame) -> pl.DataFrame:
    return perfect(frame).with_columns(-pl.col("^score/.*$"))


def champion() -> str:
    version = aliases.alias(registry.ECG, aliases.CHAMPION)
    return version.version if version else ""


def test_the_first_candidate_becomes_champion_and_the_note_is_dated(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    text = publishing.promote()
    assert "promoted: cgdmer-ecg-encoder version 1, cgdmer-report-encoder version 1" in text
    tags = server.connect().get_model_version(registry.ECG, "1").tags
    [note] = [json.loads(value) for key, value in tags.items() if key.startswith("promotion.20")]
    assert (note["by"], note["first"], note["validated"]) == ("ann", True, ["ptb_xl"])
    assert "the champion already" in publishing.promote()


def test_a_promotion_cut_off_half_way_is_completed(project):
    publishing.promote()
    server.connect().delete_registered_model_alias(registry.REPORT, aliases.CHAMPION)
    publishing.promote()
    assert aliases.alias(registry.REPORT, aliases.CHAMPION).version == "1"


@pytest.mark.parametrize(("change", "passes"), [(lambda x: x, True), (perfect, True), (hopeless, False)])
def test_the_gate_compares_the_same_records(project, change, passes):
    publishing.promote()
    new = candidate(change)
    decision = publishing.decide()
    assert decision.passed is passes
    assert champion() == (new if passes else "1")
    assert "champion version 1" in decision.text
    assert "mean over tasks" in decision.text
    assert set(decision.facts["differences"]) == {*findings.probed(SETTINGS.matrix), "mean over tasks"}


def test_the_first_champion_remains_the_reference(project, monkeypatch):
    publishing.promote()
    monkeypatch.setattr(gate, "MARGIN", 0.5)
    second = candidate(perfect)
    assert publishing.decide().passed
    assert aliases.alias(registry.ECG, aliases.REFERENCE).version == "1"
    third = candidate(perfect)
    decision = publishing.decide()
    assert decision.passed
    assert f"champion version {second}" in decision.text
    assert "reference version 1" in decision.text
    assert decision.facts["reference"] == "1"
    assert champion() == third


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"green": False}, "validation of ptb_xl is red"),
        ({"tasks": ["ptb_xl_sub"]}, "no predictions of ptb_xl_form"),
        ({"change": lambda frame: frame.with_columns(id=pl.col("id").str.reverse())}, "not of the same records"),
    ],
)
def test_each_refusal_says_why(project, arguments, why):
    publishing.promote()
    candidate(**arguments)
    decision = publishing.decide()
    assert not decision.passed
    assert why in decision.text
    assert champion() == "1"


def test_weights_that_reload_to_other_features_are_refused(project, monkeypatch):
    monkeypatch.setattr(registry, "reload_difference", lambda uri: 0.5)
    decision = publishing.decide()
    assert not decision.passed
    assert "differ by 0.5" in decision.text


def test_going_back_is_not_undone_by_the_next_run(project):
    publishing.promote()
    candidate(perfect)
    publishing.promote()
    assert champion() == "2"
    assert "version 1" in publishing.rollback()
    assert champion() == "1"
    decision = publishing.decide()
    assert "rolled back" in decision.text
    assert champion() == "1"
    with pytest.raises(DataError, match="former champion"):
        publishing.rollback()


def test_a_candidate_that_arrives_while_the_gate_compares_is_not_promoted_unseen(project, monkeypatch):
    publishing.promote()
    judged, plain = candidate(perfect), gate.judge

    def slow(*words):
        decision = plain(*words)
        candidate(hopeless)
        return decision

    monkeypatch.setattr(gate, "judge", slow)
    assert publishing.decide().passed
    assert champion() == judged


def test_going_back_takes_no_report_encoder_of_another_run(project):
    client = server.connect()
    publishing.promote()
    candidate(perfect)
    first, run = client.get_model_version(registry.REPORT, "1"), aliases.alias(registry.ECG, registry.CANDIDATE).run_id
    client.create_model_version(registry.REPORT, first.source, run)
    client.set_registered_model_alias(registry.REPORT, registry.CANDIDATE, "2")
    publishing.promote()
    candidate(perfect)  # trained without reports: it has no report encoder
    publishing.promote()
    publishing.rollback()
    assert champion() == "2"
    assert aliases.alias(registry.REPORT, aliases.CHAMPION).version == "2"


@pytest.mark.parametrize("done", range(8))
def test_a_rollback_cut_off_after_any_step_is_completed(project, monkeypatch, done):
    client, left = server.connect(), [done]
    for name in (registry.ECG, registry.REPORT):
        first = client.get_model_version(name, "1")
        client.create_model_version(name, first.source, first.run_id)
        client.set_registered_model_alias(name, aliases.CHAMPION, "2")
        client.set_registered_model_alias(name, aliases.FORMER, "1")

    def until_cut_off(step):
        def call(*words):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            return step(*words)

        return call

    with monkeypatch.context() as patch:
        for step in ("set_registered_model_alias", "delete_registered_model_alias", "set_model_version_tag"):
            patch.setattr(MlflowClient, step, until_cut_off(getattr(MlflowClient, step)))
        with pytest.raises(KeyboardInterrupt):
            publishing.rollback()
    publishing.rollback()
    for name in (registry.ECG, registry.REPORT):
        assert aliases.alias(name, aliases.CHAMPION).version == "1"
        assert aliases.alias(name, aliases.FORMER) is None
        tags = [client.get_model_version(name, version).tags for version in ("1", "2")]
        assert [aliases.ROLLED_BACK in one for one in tags] == [False, True]
        assert any(key.startswith("restored.") for key in tags[0])


def test_without_a_candidate_there_is_nothing_to_promote(here):
    with pytest.raises(DataError, match="no candidate"):
        publishing.promote()
