"""Measurements as numbers for a linear probe: known values, missing ones, and axes across 180 degrees."""

import numpy as np
import pytest

from cgdmer.delineation import features as module
from cgdmer.delineation.features import LIMITS, MARKED_MISSING, NAMES, USUAL, features
from cgdmer.delineation.measurements import AXES
from cgdmer.delineation.measurements import NAMES as MEASUREMENTS
from cgdmer.delineation.recording import Delineation

NOTHING = Delineation(np.zeros(0, np.int64), [], 100.0, 1000)


@pytest.fixture
def of(monkeypatch):
    """Return a function from values of measurements, the others missing, to features by name."""

    def of(**values):
        monkeypatch.setattr(module, "measure", lambda *_: dict.fromkeys(MEASUREMENTS) | values)
        return dict(zip(NAMES, features(NOTHING).tolist(), strict=True))

    return of


def test_a_recording_without_beats_has_usual_values_and_says_that_they_are_missing():
    found = dict(zip(NAMES, features(NOTHING).tolist(), strict=True))
    assert found["beats"] == 0
    assert {name: found[name] for name in USUAL} == USUAL
    assert all(found[f"no_{name}"] == 1 for name in MARKED_MISSING)
    assert all(found[name] == 0 for name in NAMES if name.endswith("_mv") or name.startswith(("sine", "cosine")))


def test_usual_values_are_within_all_limits():
    for name, limit, side in LIMITS:
        assert side * (USUAL[name] - limit) <= 0, name


def test_every_measurement_has_a_column_and_every_missing_one_is_told():
    assert {*MEASUREMENTS} - {*AXES} <= {*NAMES}
    assert {*USUAL, *MARKED_MISSING} <= {*MEASUREMENTS}
    assert len(set(NAMES)) == len(NAMES)


def test_known_values_stand_as_they_are(of):
    found = of(pr_ms=230.0, heart_rate=52.0, r_V5_mv=1.5)
    assert (found["pr_ms"], found["pr_ms_above_200"], found["pr_ms_below_120"]) == (230, 30, 0)
    assert (found["heart_rate_below_60"], found["heart_rate_above_100"], found["r_V5_mv"]) == (8, 0, 1.5)
    assert (found["no_heart_rate"], found["no_qrs_ms"]) == (0, 1)


def test_an_axis_does_not_jump_at_180_degrees(of):
    left, right = of(qrs_axis=179.0), of(qrs_axis=-179.0)
    assert left["sine_qrs_axis"] == pytest.approx(right["sine_qrs_axis"], abs=0.04)
    assert left["cosine_qrs_axis"] == right["cosine_qrs_axis"] == pytest.approx(-1, abs=1e-3)
    assert (left["no_qrs_axis"], left["no_p_axis"]) == (0, 1)
