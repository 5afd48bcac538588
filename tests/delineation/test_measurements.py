"""Measurements from delineated beats: each against a calculation by hand."""

import numpy as np
import pytest

from cgdmer.delineation import measurements
from cgdmer.delineation.beats import Shape
from cgdmer.delineation.measurements import NAMES, common, levels, measure, r_and_s, rhythm
from cgdmer.delineation.recording import DelineatedShape, Delineation
from cgdmer.delineation.rules import Limits
from cgdmer.signals.leads import LEADS

FS = 500.0


def delineation(centres, shapes=()):
    return Delineation(np.array(centres), list(shapes), FS, 5000)


def beat_with(waves, leads=None):
    beat = np.zeros((12, 625)) if leads is None else leads
    return DelineatedShape(Shape(np.array([500, 1000, 1500]), beat, np.zeros_like(beat)), waves)


def everywhere(p=None, qrs=None, t=None):
    return {"p": [p] * 12, "qrs": [qrs] * 12, "t": [t] * 12}


def test_rhythm_by_hand():
    found = rhythm(delineation([0, 500, 1100, 1500]))  # 1000, 1200, 800 ms
    assert found["heart_rate"] == 60
    assert found["rr_ms"] == 1000
    assert found["rr_variation"] == pytest.approx(np.std([1000, 1200, 800]) / 1000)
    assert found["rmssd_ms"] == pytest.approx(np.sqrt((200**2 + 400**2) / 2))


@pytest.mark.parametrize("centres", [[], [100], [100, 600]])
def test_two_beats_show_no_rhythm(centres):
    found = measure(delineation(centres))
    assert found["beats"] == len(centres)
    assert found["heart_rate"] is None
    assert found["rr_variation"] is None
    assert list(found) == list(NAMES)


def test_intervals_are_medians_over_the_leads_that_have_the_waves():
    waves = everywhere(Limits(120, 140, 165), Limits(220, 250, 265), Limits(340, 380, 420))
    waves["p"] = [None] * 9 + [Limits(118, 140, 166), Limits(120, 140, 165), Limits(130, 140, 160)]
    found = measurements.intervals(beat_with(waves), FS, 810.0)
    assert found["p_ms"] == 90
    assert found["pr_ms"] == 200
    assert found["qrs_ms"] == 90
    assert found["qt_ms"] == 400
    assert found["qtc_bazett_ms"] == pytest.approx(400 / np.sqrt(0.81))
    assert found["qtc_fridericia_ms"] == pytest.approx(400 / np.cbrt(0.81))


def test_without_a_rate_there_is_no_corrected_interval_and_without_p_no_pr():
    found = measurements.intervals(beat_with(everywhere(None, Limits(220, 250, 265), None)), FS, None)
    assert {name for name, value in found.items() if value is not None} == {"qrs_ms"}


@pytest.mark.parametrize("degrees", [-150, -60, 0, 45, 90, 170])
def test_the_axis_of_a_vector_is_its_direction(degrees):
    angle = np.radians(degrees)
    leads = np.zeros((12, 625))
    leads[:, 350:450] = 0.1  # no lead is flat
    leads[LEADS.index("I"), 230:260] = np.cos(angle)
    leads[LEADS.index("aVF"), 230:260] = np.sin(angle) * np.sqrt(3) / 2
    found = measurements.axes(beat_with(everywhere(qrs=Limits(220, 245, 270)), leads), ())
    assert found["qrs_axis"] == pytest.approx(degrees)
    assert "p_axis" not in found
    assert measurements.axes(beat_with(everywhere(qrs=Limits(220, 245, 270)), leads), ("aVF",)) == {}


@pytest.mark.parametrize(
    ("complex_", "expected"),
    [
        ([0, -0.1, 1.2, -0.4, 0], (1.2, 0.4)),
        ([0, -0.3, 1.2, 0.1, 0], (1.2, 0.0)),  # a Q wave is no S wave
        ([0, -0.8, -1.0, 0.01, 0], (0.01, 1.0)),  # QS
        ([0, 0.3, 0.6, 0.3, 0], (0.6, 0.0)),
    ],
)
def test_r_and_s(complex_, expected):
    assert r_and_s(np.array(complex_, float)) == pytest.approx(expected)


def test_voltages_and_st_levels_count_from_the_level_before_the_complex():
    leads = np.full((12, 625), 0.2)  # an offset that must not count
    for lead, r, s in [("V1", 0.1, 1.1), ("V5", 1.6, 0.2), ("V6", 1.9, 0.1), ("aVL", 0.7, 0.0), ("V3", 0.5, 0.9)]:
        leads[LEADS.index(lead), 245] += r
        leads[LEADS.index(lead), 255] -= s
    leads[:, 300:] += 0.15
    found = levels(beat_with(everywhere(qrs=Limits(230, 245, 270)), leads), FS)
    assert found["sokolow_lyon_mv"] == pytest.approx(1.1 + 1.9)
    assert found["cornell_mv"] == pytest.approx(0.7 + 0.9)
    assert found["st_II_mv"] == pytest.approx(0.15)
    assert found["r_V5_mv"] == pytest.approx(1.6)


def test_a_sum_needs_all_of_its_leads():
    waves = everywhere(qrs=Limits(230, 245, 270))
    waves["qrs"][LEADS.index("V6")] = None
    found = levels(beat_with(waves), FS)
    assert found["sokolow_lyon_mv"] is None
    assert "r_V6_mv" not in found
    assert found["cornell_mv"] is not None


def test_common_limits_are_medians():
    assert common([None, Limits(1, 2, 3), Limits(3, 4, 5), Limits(5, 6, 7)]) == Limits(3, 4, 5)
    assert common([None]) is None
