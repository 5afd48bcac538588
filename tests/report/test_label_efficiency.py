"""Labels needed to reach a score: exact on curves that are linear in the logarithm, honest where it is not reached."""

import math

import pytest

from cgdmer.metrics_json import Metrics
from cgdmer.report import label_efficiency, table
from cgdmer.report.label_efficiency import efficiency, efficiency_table, measure
from cgdmer.results import ProbeCell, ProbeResult


@pytest.mark.parametrize("needed", [10, 37.5, 100, 640, 1000])
def test_the_number_is_exact_on_a_curve_that_is_linear_in_the_logarithm(needed):
    def curve(n):
        return 0.5 + 0.1 * math.log10(n)

    points = [(n, curve(n)) for n in (10, 100, 1000)]
    found = efficiency(points, curve(needed))
    assert found.needed == pytest.approx(needed)
    assert found.area == pytest.approx((curve(10) + curve(1000)) / 2)
    assert found.at_once == (needed == 10)


def test_a_score_that_is_never_reached_has_no_number():
    assert efficiency([(10, 0.6), (100, 0.7)], 0.71).needed is None


def test_the_first_crossing_counts_and_a_flat_or_falling_part_does_no_harm():
    found = efficiency([(10, 0.6), (100, 0.6), (1000, 0.8), (10_000, 0.75)], 0.7)
    assert found.needed == pytest.approx(10**2.5)


def test_one_point_is_no_curve():
    assert efficiency([(10, 0.6)], 0.5) is None


def result(task, **values):
    cells = {f: {"pooled": ProbeCell(v, v, v, seeds=[0], n_test=9, n_train=n)} for f, (n, v) in values.items()}
    return ProbeResult(task, "canonical", cells)


PROBES = {
    "ptb_xl_super": {
        "cgdmer": result("ptb_xl_super", **{"0.1": (100, 0.7), "1.0": (1000, 0.8)}),
        "handcrafted": result("ptb_xl_super", **{"0.1": (100, 0.6), "1.0": (1000, 0.75)}),
        "melp": result("ptb_xl_super", **{"0.1": (100, 0.76), "1.0": (1000, 0.8)}),
        "random": result("ptb_xl_super", **{"0.1": (100, 0.5), "1.0": (1000, 0.6)}),
    },
    "csn": {"cgdmer": result("csn", **{"1.0": (1000, 0.8)})},
}


def test_encoders_are_compared_with_the_reference_at_all_labels():
    made = efficiency_table(measure(PROBES, Metrics(auroc={}), "handcrafted"), "handcrafted")
    assert table.grid(made).splitlines() == [
        "| Encoder | PTB-XL Super |",
        "| --- | --- |",
        "| CG-DMER | 316, mean 0.750 |",
        "| Random transformer | not reached, mean 0.550 |",
        "| Hand-crafted | 1,000, mean 0.675 |",
        "| MELP | at most 100, mean 0.780 |",
    ]


def test_a_reference_that_was_not_probed_gives_no_section():
    measured = measure(PROBES, Metrics(auroc={}), "ecg_fm")
    assert label_efficiency.efficiency_section(measured, "ecg_fm") is None
