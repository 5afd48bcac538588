"""Recording: one state is one run with its children, and a second time adds nothing."""

import json
import socket
import subprocess

import pytest

from cgdmer.ablation_results import FORMAT, HEADLINE, Ablation, DifferenceCell, Made
from cgdmer.errors import DataError
from cgdmer.metrics_json import CorpusNumbers, Metrics
from cgdmer.results import Cell, Direction, RetrievalResult, ZeroShotCell
from cgdmer.tracking import children, delivery, journal, record, server, state

pytestmark = [pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]
METRICS = Metrics(
    auroc={
        "csn": {"1.0": {"cgdmer": {"pooled": Cell(0.8, 0.7, 0.9, 9, 1, "canonical")}}},
        "cpsc2018": {"1.0": {"cgdmer": {"pooled": Cell(0.6, 0.5, 0.7, 9, 1, "canonical")}}},
    },
    zero_shot={"csn": ZeroShotCell(0.6, 0.5, 0.7, 9, "zero-shot, cosine")},
    retrieval=RetrievalResult(3, 3, 0.3, Direction({"1": 0.2}, 2.0), Direction({"1": 0.1}, 2.0), ["csn"]),
    data={"csn": CorpusNumbers(3, 0, "d1")},
    versions={"code": "c0de"},
)
STATE = state.PipelineState("0123456789abcdef", "c0ffee", True, {"train.lr": "0.001"}, {"torch": "2.13.0"})
OTHER = state.PipelineState("fedcba9876543210", "c0ffee", True, {"train.lr": "0.001"}, {"torch": "2.13.0"})
CORPUS = record.Corpus("csn", "d1", {"train": 3}, "simulate", validated=True)
ABLATION = Ablation(
    format=FORMAT,
    pretraining_seeds=[8, 9],
    full_seeds=[8, 9],
    threads=1,
    representation="pooled",
    made=Made("p", "d", {}),
    profile="no_split",
    does="keeps one set of features",
    key="0" * 16,
    overrides={"model": {"disentangled": False}},
    auroc={"csn": {"1.0": {"pooled": Cell(0.7, 0.6, 0.8, 9, 1, "canonical", by_weights=[0.69, 0.71])}}},
    differences={"csn": {"1.0": {HEADLINE: DifferenceCell(-0.1, -0.2, 0.0, 9, 0.04, 0.1)}}},
    zero_shot={"csn": Cell(0.5, 0.4, 0.6, 9, 1, "zero-shot, cosine", by_weights=[0.45, 0.55])},
    zero_shot_differences={"csn": DifferenceCell(0.02, -0.1, 0.2, 9, 0.6, 0.1)},
    pretraining={"training": {"loss": 2.0}},
)
CURVE = [{"step": 1, "epoch": 1, "loss": 3.0}, {"step": 2, "epoch": 1, "loss": 2.0}]


def write_journal(folder, steps=20):
    path = folder / "abc.jsonl"
    for step in range(steps):
        journal.append(path, {"step": step, "metrics": {"loss": 1.0}})
    return path


def runs(kind=None):
    client = server.connect()
    logged = client.search_runs([server.experiment(client)])
    return [run for run in logged if kind in (None, run.data.tags["kind"])]


def test_recording_twice_adds_nothing(here):
    training = children.Pretraining(write_journal(here), summary={"records": 3})
    results = record.Results(METRICS, [CORPUS], [], training, {"no_split": ABLATION}, "note")
    first = record.record(STATE, results)
    before = {run.info.run_id: run.to_dictionary() for run in runs()}
    kinds = ["ablation", "ablation-seed", "ablation-seed", "pipeline", "pretrain", "probe"]
    assert sorted(run.data.tags["kind"] for run in runs()) == kinds
    assert record.record(STATE, results) == first
    assert {run.info.run_id: run.to_dictionary() for run in runs()} == before
    below = [run for run in runs() if run.data.tags["kind"] not in ("pipeline", "ablation-seed")]
    assert all(run.data.tags["mlflow.parentRunId"] == first for run in below)


def test_a_run_says_what_it_was_made_of(here):
    run = server.connect().get_run(record.record(STATE, record.Results(METRICS, [CORPUS])))
    assert run.data.metrics["auroc/csn/1.0"] == 0.8
    assert run.data.metrics["auroc/mean/1.0"] == pytest.approx(0.7)
    assert run.data.params == {"train.lr": "0.001"}
    expected = {"dvc_lock": STATE.lock, "git_dirty": "True", "data.csn": "d1", "validation.csn": "passed"}
    assert expected.items() <= run.data.tags.items()
    assert [item.dataset.digest for item in run.inputs.dataset_inputs] == ["d1"]


def test_an_ablation_that_comes_later_is_added_once():
    first = record.record(STATE, record.Results(METRICS))
    later = record.Results(METRICS, ablations={"no_split": ABLATION})
    for _ in range(2):
        assert record.record(STATE, later) == first
    [ablation] = runs("ablation")
    expected = {
        "auroc/csn/1.0": 0.7,
        "auroc_low/csn/1.0": 0.6,
        "auroc_high/csn/1.0": 0.8,
        "difference/csn/1.0": -0.1,
        "difference/csn/zero_shot": 0.02,
        "zero_shot/csn": 0.5,
        "zero_shot_low/csn": 0.4,
        "zero_shot_high/csn": 0.6,
        "pretraining/training/loss": 2.0,
    }
    assert ablation.data.metrics == expected
    assert ablation.data.params == {"ablation": "no_split", "features": "pooled", "model.disentangled": "False"}


def test_the_pretrainings_of_a_method_are_one_group():
    first = record.record(STATE, record.Results(METRICS, ablations={"no_split": ABLATION}))
    [group] = runs("ablation")
    seeds = sorted(runs("ablation-seed"), key=lambda run: run.data.tags["seed"])
    assert group.data.tags["mlflow.parentRunId"] == first
    assert {run.data.tags["mlflow.parentRunId"] for run in seeds} == {group.info.run_id}
    assert {run.data.tags["method"] for run in [group, *seeds]} == {"no_split"}
    assert [run.data.tags["seed"] for run in seeds] == ["8", "9"]
    assert [run.data.params["train.seed"] for run in seeds] == ["8", "9"]
    assert [run.data.metrics for run in seeds] == [
        {"auroc/csn/1.0": 0.69, "zero_shot/csn": 0.45},
        {"auroc/csn/1.0": 0.71, "zero_shot/csn": 0.55},
    ]


def test_two_states_are_compared_by_the_same_keys():
    records = [server.connect().get_run(record.record(one, record.Results(METRICS))) for one in (STATE, OTHER)]
    assert records[0].info.run_id != records[1].info.run_id
    assert set(records[0].data.metrics) == set(records[1].data.metrics)
    probe = runs("probe")[0]
    assert set(METRICS.auroc) == {name.split("/")[1] for name in probe.data.metrics if name.startswith("auroc/")}


def test_a_half_written_run_is_written_anew_and_keeps_its_live_curve(here):
    results = record.Results(METRICS, pretraining=children.Pretraining(write_journal(here)))
    first = record.record(STATE, results)
    [live] = runs("pretrain")
    server.connect().set_tag(first, "complete", "false")
    second = record.record(STATE, results)
    assert second != first
    assert [run.info.run_id for run in runs("pretrain")] == [live.info.run_id]
    assert runs("pretrain")[0].data.tags["mlflow.parentRunId"] == second
    assert len(runs()) == 3


def test_a_half_written_run_is_removed_with_all_runs_below_it():
    results = record.Results(METRICS, ablations={"no_split": ABLATION})
    server.connect().set_tag(record.record(STATE, results), "complete", "false")
    before = {run.info.run_id for run in runs()}
    record.record(STATE, results)
    after = {run.info.run_id for run in runs()}
    assert not before & after
    assert len(before) == len(after)


def test_states_that_share_a_training_each_have_its_curve(here):
    training = children.Pretraining(write_journal(here), CURVE, {"records": 3}, {"train.lr": "0.001"})
    parents = [record.record(one, record.Results(METRICS, pretraining=training)) for one in (STATE, OTHER)]
    logged = runs("pretrain")
    assert {run.data.tags["mlflow.parentRunId"] for run in logged} == set(parents)
    assert {run.data.metrics["loss"] for run in logged} == {1.0, 2.0}
    assert delivery.deliver(here / "abc.jsonl") in {run.info.run_id for run in logged}


def test_a_state_restored_from_cache_has_its_curve():
    record.record(STATE, record.Results(METRICS, pretraining=children.Pretraining(None, CURVE)))
    [run] = runs("pretrain")
    points = server.connect().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(1, 3.0), (2, 2.0)]


def test_a_state_needs_results_and_changes_with_them(here):
    with pytest.raises(DataError, match="dvc repro"):
        state.current({})
    (here / "dvc.lock").write_text("a")
    first = state.current({"train": {"lr": 0.1}, "matrix": [1]})
    (here / "dvc.lock").write_text("b")
    assert state.current({}).lock != first.lock
    assert first.params == {"train.lr": "0.1", "matrix": "[1]"}
    assert first.commit == ""


def test_only_a_change_of_code_makes_a_state_dirty(here):
    for words in (["init", "-q"], ["config", "user.email", "a@example.org"], ["config", "user.name", "a"]):
        subprocess.run(["git", *words], check=True)
    for name in ("dvc.lock", "params.yaml", "code.py"):
        (here / name).write_text("a")
    subprocess.run(["git", "add", "dvc.lock", "params.yaml", "code.py"], check=True)
    subprocess.run(["git", "commit", "-qm", "first"], check=True)
    for name in ("dvc.lock", "params.yaml", "notes.txt"):  # the first two go with the run, the third is no code
        (here / name).write_text("b")
    assert not state.current({}).dirty
    (here / "code.py").write_text("b")
    assert state.current({}).dirty


def test_code_that_git_does_not_know_makes_a_state_dirty(here):
    subprocess.run(["git", "init", "-q"], check=True)
    (here / "dvc.lock").write_text("a")
    (here / "cgdmer").mkdir()
    assert not state.current({}).dirty
    (here / "cgdmer/new.py").write_text("a")
    assert state.current({}).dirty


def test_a_state_names_neither_a_machine_nor_a_folder_nor_a_secret(here):
    (here / "dvc.lock").write_text("a")
    params = {"corpora": {"csn": {"root": "/home/ann/data", "url": "https://ann:pa55@host/csn", "way": "local"}}}
    logged = state.current(params)
    assert logged.params == {
        "corpora.csn.root": "set",
        "corpora.csn.url": "https://host/csn",
        "corpora.csn.way": "local",
    }
    assert set(logged.environment) == {"system", "processors", "device"}
    assert socket.gethostname() not in json.dumps(logged.environment)
