"""The clinical population: determinism, findings that show in proportion to their degree, the axis."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from cgdmer.errors import ConfigError
from cgdmer.simulator import FINDINGS, Case, beat_shapes, draw_cases, report_lines, simulate
from cgdmer.simulator.findings import RHYTHMS

CASES = draw_cases(3, 0, 400, "clinical")


def test_bytes_are_the_same_on_every_machine():
    signals = simulate(CASES[:24], 3, 0, seconds=4.0)
    words = [report_lines(case, 3, number) for number, case in enumerate(CASES)]
    facts = [(sorted(case.findings), case.age, case.heart_rate, case.qt_ms, case.axis) for case in CASES]
    digest = hashlib.sha256(signals.astype("<i2").tobytes() + repr((facts, words)).encode())
    assert digest.hexdigest()[:16] == "35ed645dc9f05273"


def test_an_unknown_population_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="textbook, clinical"):
        draw_cases(1, 0, 1, "paediatric")


def test_cases_are_lawful_and_every_finding_occurs():
    for case in CASES:
        assert case.clinical is not None
        assert len(case.findings & set(RHYTHMS)) == 1
        assert ("normal" in case.findings) == (case.findings <= {"normal", "sinus_rhythm", "sinus_arrhythmia"})
        assert case.qrs_ms < case.qt_ms < 650
        assert set(case.clinical.degrees) == case.findings
    seen = set().union(*(case.findings for case in draw_cases(1, 0, 2500, "clinical")))
    assert seen == set(FINDINGS)


def test_the_mean_qrs_has_the_axis_of_the_case():
    for case in CASES[:50]:
        assert case.clinical is not None
        turned = beat_shapes.to_axis(beat_shapes.shape(case.clinical.scores), case.axis)
        assert np.dot(beat_shapes.direction(turned), beat_shapes.target(case.axis)) == pytest.approx(1, abs=1e-3)


def test_a_rotation_by_its_derivative_is_that_of_a_small_angle():
    shape = beat_shapes.shape((0.0,) * len(beat_shapes.statistics().components))
    change = beat_shapes.turned(shape, 1.0, 1.0) - shape
    small = beat_shapes.turned(shape, np.cos(1e-4), np.sin(1e-4)) - shape
    np.testing.assert_allclose(small, 1e-4 * change, atol=1e-6)


def beat(case: Case) -> np.ndarray:
    """Return the mean of a record over its beats, (12, 250) from 50 ms before QRS onset, by the steepest slope."""
    signal = simulate([case], 5, 0)[0].astype(float)
    slope = np.abs(np.gradient(signal[9]))
    steep = np.flatnonzero(slope > 0.5 * slope.max())
    first = [p for p, q in zip(steep, np.r_[-999, steep[:-1]], strict=True) if p - q > 150]
    return np.median([signal[:, p - 25 : p + 225] for p in first if 25 <= p < signal.shape[1] - 225], axis=0)


def with_degree(name: str, degree: float, **extra: object) -> Case:
    """Return a normal case with one more finding of this degree, and otherwise the same heart."""
    case = next(case for case in CASES if case.findings == {"normal", "sinus_rhythm"})
    assert case.clinical is not None
    own = replace(case.clinical, degrees={name: degree}, **extra)
    return replace(case, findings=frozenset({"sinus_rhythm", name}), clinical=own)


def test_t_inversion_deepens_with_its_degree_in_its_region():
    depth = [beat(with_degree("t_inversion", d, regions={"t_inversion": "lateral"}))[11, 90:].min() for d in (0.0, 1.0)]
    assert depth[1] < depth[0] - 60


def test_hypertrophy_grows_with_its_degree():
    height = [np.ptp(beat(with_degree("lvh", d))[10]) for d in (0.0, 1.0)]
    assert height[1] > 1.2 * height[0]


def test_an_inferior_infarction_lowers_the_early_qrs_of_the_inferior_leads():
    early = [beat(with_degree("inferior_infarction", d))[5, 15:40].min() for d in (0.0, 1.0)]
    assert early[1] < early[0] - 100
