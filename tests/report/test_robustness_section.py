"""Fewer leads and disturbances on the page: every number with its features, protocol, seeds and n."""

import json

import pytest
from support.example_report import MATRIX

from cgdmer.report import robustness
from cgdmer.report.gather import gather

pytestmark = pytest.mark.xdist_group("report")


def test_metrics_hold_every_condition_with_how_it_was_made(run):
    content = json.loads((run / "reports/metrics.json").read_text())["conditions"]
    cells = content["ptb_xl_super"]["cgdmer"]
    assert set(cells) == {
        "12 leads", "3 leads (I, II, V2)", "1 lead (I)", "white noise 0.2 mV", "RA and LA exchanged"
    }  # fmt: skip
    assert set(cells["12 leads"]) == {
        "mean", "low", "high", "n_test", "change", "protocol", "representation", "seeds"
    }  # fmt: skip
    headline = json.loads((run / "reports/metrics.json").read_text())["auroc"]["ptb_xl_super"]["1.0"]["cgdmer"][
        "pooled"
    ]
    assert (cells["12 leads"]["mean"], cells["12 leads"]["n_test"]) == (headline["mean"], headline["n_test"])


def test_page_and_markdown_say_the_same(run):
    page, text = (run / "reports/report.html").read_text(), (run / "reports/report.md").read_text()
    for results in gather(MATRIX).robustness.values():
        for each in results["cgdmer"].disturbances:
            assert each.change.value(signed=True) in page
            assert each.change.bounds(signed=True) in page
            assert f"{each.value()}, {each.change.text(signed=True)}" in text
    assert 'href="#fewer-leads"' in page
    assert 'href="#disturbance"' in page
    assert "pooled features, canonical protocol, 1 seed; n is the number of test records" in page


def test_nothing_measured_is_nothing_shown():
    assert robustness.robustness_sections({}) == []
    assert robustness.tables({}) == []
    assert robustness.cells({}) == {}
