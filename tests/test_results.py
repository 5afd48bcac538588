"""Results survive a round trip through JSON to the byte, and an interval has one formatter."""

import json

import pytest

from cgdmer.ablation_results import FORMAT, Ablation, DifferenceCell, Made
from cgdmer.metrics_json import CorpusNumbers, Metrics, counts, protocols_and_seeds
from cgdmer.results import (
    Cell,
    Interval,
    Positional,
    ProbeCell,
    ProbeResult,
    RobustnessCell,
    ZeroShotCell,
)

CELL = Cell(0.8125, 0.75, 0.9, 24, 5, "canonical")
CHANGE = Interval(-0.1, -0.2, 0.0)
PROBE = ProbeCell(
    0.8, 0.7, 0.9, seeds=[42], n_test=24, per_class={"NORM": 0.8}, per_class_interval={"NORM": [0.7, 0.9]},
    C=[None, 0.1], max_over_test_epochs=0.85, positional=Positional(0.6, 0.7),
)  # fmt: skip
PROBES = ProbeResult(task="csn", protocol="merl", results={"1.0": {"pooled": PROBE}}, defects=["one seed"])
ABLATION = Ablation(
    format=FORMAT, profile="no_eyes", does="sees nothing", key="0", overrides={"model": {"width": 8}},
    pretraining_seeds=[8, 9], full_seeds=[8, 9], threads=1, representation="pooled", made=Made("p", "d", {"a.py": "0"}),
    auroc={"csn": {"1.0": {"pooled": CELL}}},
    differences={"csn": {"1.0": {"headline": DifferenceCell(-0.1, -0.2, 0.0, 24, 0.04, 0.1, 0.2)}}},
    zero_shot={}, pretraining={"training": {"step": 3, "loss": 2.0}, "held_out": {}},
)  # fmt: skip
METRICS = Metrics(
    auroc={"csn": {"1.0": {"cgdmer": {"pooled": CELL}}, "0.1": {}}},
    zero_shot={"csn": ZeroShotCell(0.6, 0.5, 0.7, 24, "cosine", "statements", "aligned")},
    ablations={"no_eyes": ABLATION.numbers()},
    robustness={"csn": {"cgdmer": {"1 lead (I)": RobustnessCell(0.7, 0.6, 0.8, 24, 1, "canonical", "pooled", CHANGE)}}},
    data={"csn": CorpusNumbers(24, 1, "ab")},
    versions={"code": "c0de"},
)


@pytest.mark.parametrize("result", [CELL, PROBE, PROBES, ABLATION], ids=lambda result: type(result).__name__)
def test_a_result_survives_a_round_trip(result):
    content = result.to_json()
    assert type(result).from_json(json.loads(json.dumps(content))) == result
    assert type(result).from_json(content).to_json() == content


def test_a_field_that_is_none_has_no_key_and_an_empty_one_has():
    assert "epoch" not in PROBE.to_json()
    assert PROBE.to_json()["classes_without_train_positive"] == []
    assert PROBE.to_json()["C"] == [None, 0.1]


def test_unknown_keys_are_ignored_and_whole_numbers_stay_whole():
    assert Interval.from_json({"mean": 1, "low": 0, "high": 2, "more": 3}) == Interval(1, 0, 2)
    step = Ablation.from_json(ABLATION.to_json()).pretraining["training"]["step"]
    assert isinstance(step, int)


def test_metrics_json_keeps_its_keys():
    content = METRICS.to_json()
    assert set(content) == {
        "auroc", "headline", "by_weights", "differences", "zero_shot", "finetuning", "ablations", "conditions",
        "pretrained_on", "seen_by", "retrieval", "parts", "data", "versions",
    }  # fmt: skip
    assert (content["retrieval"], content["parts"]) == ({}, {})
    assert set(content["ablations"]["no_eyes"]) == {
        "format", "key", "pretraining_seeds", "full_seeds", "threads", "representation", "auroc", "zero_shot",
        "differences", "zero_shot_differences", "controls", "validation", "pretraining", "vouched",
    }  # fmt: skip
    assert set(content["auroc"]["csn"]["1.0"]["cgdmer"]["pooled"]) == {
        "mean", "low", "high", "n_test", "seeds", "protocol"
    }  # fmt: skip
    again = Metrics.from_json(content)
    assert again.robustness["csn"]["cgdmer"]["1 lead (I)"].change == CHANGE
    assert again.to_json() == content


def test_ablations_of_an_earlier_format_are_left_out():
    content = METRICS.to_json()
    content["ablations"]["old"] = {"key": "0", "auroc": {}, "differences": {}, "zero_shot": {}, "pretraining": {}}
    assert set(Metrics.from_json(content).ablations) == {"no_eyes"}


def test_an_interval_has_one_formatter():
    gap = Interval(-0.01234, -0.04, 0.1)
    assert CELL.text() == "0.812 (0.750 to 0.900)"
    assert CELL.text(2) == f"{CELL.value(2)} ({CELL.bounds(2)})" == "0.81 (0.75 to 0.90)"
    assert gap.text(signed=True) == "-0.012 (-0.040 to +0.100)"
    assert CELL.compact() == "0.812 [0.75, 0.90]"
    assert Interval(0.12345678, 0, 1).rounded() == Interval(0.123457, 0.0, 1.0)


def test_numbers_are_described_by_protocol_seeds_and_records():
    other = Cell(0.8, 0.7, 0.9, 1001, 1, "merl")
    assert protocols_and_seeds([CELL]) == "canonical protocol, 5 seeds"
    assert protocols_and_seeds([CELL, other]) == "canonical and merl protocol, 1 or 5 seeds"
    assert counts([other, CELL, CELL]) == "24 or 1,001"
    assert METRICS.fractions() == ["0.1", "1.0"]
    assert METRICS.at("1.0") == {"csn": {"cgdmer": {"pooled": CELL}}}
