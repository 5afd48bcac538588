"""Measurements of simulated records: their order, their scale, and how beats vary."""

import math

import numpy as np
import pytest

from cgdmer.objectives.targets import MEASUREMENTS
from cgdmer.settings import Simulated
from cgdmer.simulator import draw_cases
from cgdmer.streams import reference


def test_measurements_are_standardised_and_follow_the_case():
    drawn = reference.draw_reference(Simulated(records=10, seed=5), records=300)
    cases = draw_cases(5, 0, 300)
    measured = drawn.standardise(reference.measurements(cases, 5, 0))
    assert measured.shape == (300, len(MEASUREMENTS))
    assert np.nanmean(measured, 0) == pytest.approx(0, abs=1e-3)
    assert np.nanstd(measured, 0) == pytest.approx(1, abs=1e-3)
    rate = np.array([case.heart_rate for case in cases])
    assert np.corrcoef(measured[:, MEASUREMENTS.index("log_rr")], np.log(rate))[0, 1] == pytest.approx(-1)
    irregular = np.array(["atrial_fibrillation" in case.findings for case in cases])
    change = measured[:, MEASUREMENTS.index("rr_change")]
    assert change[irregular].min() > np.median(change[~irregular])
    unknown = np.isnan(measured[:, MEASUREMENTS.index("pr")])
    assert unknown[irregular].all()
    assert not unknown.all()


def test_beat_variation_by_hand():
    spread, change, shortest, longest = reference.beat_variation(np.array([1.0, 0.5, 1.5, 1.0]))
    assert (shortest, longest) == (0.5, 1.5)
    assert math.exp(spread) == pytest.approx(np.std([1, 0.5, 1.5, 1]) + 0.01)
    assert math.exp(change) == pytest.approx(np.sqrt((0.25 + 1 + 0.25) / 3) + 0.01)
    assert reference.beat_variation(np.full(9, 0.8))[0] == pytest.approx(math.log(0.01))
    assert all(map(math.isnan, reference.beat_variation(np.array([0.8]))))
