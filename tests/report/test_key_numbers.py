"""The file of key numbers: few, and each the mean that it says it is."""

import json

import pytest

from cgdmer.metrics_json import Headline, Metrics
from cgdmer.report.key_numbers import key_numbers
from cgdmer.results import Cell, ZeroShotCell

pytestmark = pytest.mark.xdist_group("report")


def cell(mean):
    return Cell(mean, mean, mean, 10, 1, "canonical")


def test_means_are_taken_over_tasks_with_the_headline_representation():
    auroc = {
        "ptb_xl_super": {"1.0": {"cgdmer": {"pooled": cell(0.8), "shared": cell(0.9)}}},
        "csn": {"1.0": {"cgdmer": {"pooled": cell(0.6), "shared": cell(0.7)}}},
    }
    zero_shot = {
        "csn": ZeroShotCell(0.5, 0.4, 0.6, 10, "merl"),
        "ptb_xl_super": ZeroShotCell(0.7, 0.6, 0.8, 10, "merl"),
    }
    numbers = key_numbers(Metrics(auroc, headline={"cgdmer": Headline("shared", {})}, zero_shot=zero_shot))
    assert numbers["auroc"] == {"cgdmer 1.0": pytest.approx(0.8)}
    assert numbers["tasks"] == {"ptb_xl_super": 0.9, "csn": 0.7}
    assert numbers["zero_shot"] == {"mean": pytest.approx(0.6)}
    assert "change" not in numbers


def test_a_report_writes_few_numbers(run):
    numbers = json.loads((run / "reports/headline.json").read_text())
    assert 3 <= sum(map(len, numbers.values())) <= 40
    metrics = json.loads((run / "reports/metrics.json").read_text())
    assert set(numbers["tasks"]) == set(metrics["auroc"])
