"""The section on measurements: a row per measurement, a dot per encoder, and the same numbers in the table."""

import re

import pytest

from cgdmer.evaluation.intervals import Measured, MeasuredBy, MeasurementResult
from cgdmer.page.dots import Dot, dots
from cgdmer.report import measurements as section
from cgdmer.report import table
from cgdmer.results import Interval


def by(r2, error):
    return MeasuredBy(Interval(r2, r2 - 0.1, r2 + 0.1), Interval(error, error - 1, error + 1), [1.0])


@pytest.fixture
def result():
    sex = {"cgdmer": {"pooled": by(0.3, 0.71)}, "handcrafted": {"pooled": by(-0.4, 0.55)}}
    rr = {"cgdmer": {"pooled": by(0.8, 41.5), "shared": by(0.7, 52.0)}, "handcrafted": {"pooled": by(0.9, 30.0)}}
    found = {"male": Measured(10, 200, 0.5, sex), "rr": Measured(10, 180, 123.4, rr)}
    return MeasurementResult(found, {"csn": "simulator", "ptb_xl": "metadata"}, 1000)


def test_the_figure_has_a_row_per_measurement_and_a_dot_per_encoder(result):
    html = section.measurement_section(result)
    assert len(re.findall("<circle", html)) == 4
    assert html.index(">RR interval<") < html.index(">Sex<")
    assert "RR interval: CG-DMER 0.80, Hand-crafted 0.90" in html
    assert "CSN: the simulator" in html
    assert "180 to 200 test records" in html


def test_the_table_holds_every_representation_and_a_constant(result):
    (made,) = section.tables(result)
    text = table.markdown(made)
    assert "| CG-DMER, shared | 0.70, 0.60 to 0.80, 52.0 ms | – |" in text
    assert "| Hand-crafted, pooled | 0.90, 0.80 to 1.00, 30.0 ms | -0.40, -0.50 to -0.30, AUROC 0.55 |" in text
    assert "| a constant | 0.00, 123.4 ms | 0.00, AUROC 0.50 |" in text


def test_without_a_result_there_is_no_section(result):
    assert section.measurement_section(None) is None
    assert MeasurementResult.from_json(result.to_json()) == result
    empty = MeasurementResult({}, {}, 10)
    assert section.measurement_section(empty) is None
    assert section.tables(empty) == []


def test_dots_lie_in_order_on_the_axis_and_stay_inside():
    drawing = dots("d", [("a", [Dot(-3.0, -5.0, 0.5, 0), Dot(0.5, 0.4, 0.6, 1), Dot(1.0, 0.9, 1.2, 2)])],
                   ticks=((0.0, "0"), (1.0, "1")), width=300)  # fmt: skip
    x = [float(value) for value in re.findall(r'cx="([\d.]+)"', drawing)]
    assert x == sorted(x)
    ticks = sorted(float(v) for v in re.findall(r'<line x1="([\d.]+)"[^>]*class="axis"', drawing))
    assert (x[0], x[-1]) == pytest.approx((ticks[0], ticks[-1]))
    assert x[1] == pytest.approx(sum(ticks) / 2, abs=0.1)
    ends = [float(v) for pair in re.findall(r'<line x1="([\d.]+)" x2="([\d.]+)"', drawing) for v in pair]
    assert max(ends) <= 300
