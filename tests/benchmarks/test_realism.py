"""The comparison of simulated with real recordings, and the fit of beat shapes."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from benchmarks import beat_shapes as fit
from benchmarks.realism import CLASSES, GROUPS, distance, summary, told_apart, transferred
from cgdmer.encoders.handcrafted import NAMES
from cgdmer.simulator import FINDINGS, beat_shapes, draw_cases, simulate


def test_the_distance_is_that_of_kolmogorov_and_smirnov():
    generator = np.random.default_rng(0)
    one, other = generator.normal(size=80), generator.normal(0.4, 1.2, size=50)
    assert distance(one, other) == pytest.approx(ks_2samp(one, other).statistic)


def test_equal_samples_are_not_told_apart_and_shifted_ones_are():
    generator = np.random.default_rng(1)
    one, other = generator.normal(size=(2, 200, 5))
    assert abs(told_apart(one, other)[0] - 0.5) < 0.12
    auroc, coefficients = told_apart(one, other - np.array([0, 0, 3, 0, 0]))
    assert auroc > 0.95
    assert np.argmax(np.abs(coefficients)) == 2


def test_what_is_learnt_on_simulation_is_scored_on_real_labels():
    cases = draw_cases(2, 0, 400, "clinical")
    truth = np.array([[bool(findings & case.findings) for findings in CLASSES.values()] for case in cases])
    features = truth + np.random.default_rng(2).normal(0, 0.3, truth.shape)
    scores = transferred(features, cases, features, truth)
    assert min(scores.values()) > 0.95
    assert transferred(features, cases, features, ~truth)["mean"] < 0.05


def test_groups_cover_the_hand_crafted_features_and_classes_name_findings():
    assert sum(size for _, size in GROUPS) == len(NAMES)
    groups = [name for name, size in GROUPS for _ in range(size)]
    assert NAMES[groups.index("ST")] == "st_mean_mv_I"
    assert NAMES[groups.index("4-8 Hz")] == "log_power_4_8_hz_I"
    assert set().union(*CLASSES.values()) <= set(FINDINGS)


def test_a_simulated_beat_is_fitted_with_its_intervals():
    case = next(case for case in draw_cases(3, 0, 50, "clinical") if case.findings == {"normal", "sinus_rhythm"})
    signal = simulate([case], 3, 0)[0].astype(float) / 1000
    found = fit.median_beat(signal[[0, 1, 6, 7, 8, 9, 10, 11]])
    assert found is not None
    onset, end, t_end = fit.delineated(found[0])
    assert (end - onset) * 2 == pytest.approx(case.qrs_ms, abs=22)
    assert (t_end - onset) * 2 == pytest.approx(case.qt_ms, abs=45)
    fitted = fit.fitted(fit.Recording("ludb", signal[[0, 1, 6, 7, 8, 9, 10, 11]]))
    assert fitted is not None
    assert fitted.residual < 0.02
    assert fitted.beat.shape == (8, beat_shapes.COEFFICIENTS)


def test_statistics_return_the_mean_and_the_variance_of_the_shapes():
    cases = draw_cases(4, 0, 300, "clinical")
    generator = np.random.default_rng(4)
    fits = []
    for case in cases:
        own = case.clinical
        assert own is not None
        beat, p_wave = 0.3 * beat_shapes.shape(own.scores), beat_shapes.p_shape(own.p_scores)
        fits.append(fit.Fit("code15", beat, p_wave, 0, 0, case.age, float(generator.integers(2))))
    content, used = fit.statistics(fits)
    assert content["components"].shape == (fit.COMPONENTS, 8, beat_shapes.COEFFICIENTS)
    assert used["explained"] > 0.99
    kept = np.abs(content["mean"] - beat_shapes.statistics().mean)
    assert kept.max() < 0.6


def test_what_the_page_shows_has_every_set_with_every_population():
    results = [
        {
            "population": population,
            "simulated": 600,
            "real": {
                name: {
                    "records": 551,
                    "AUROC handcrafted": 0.9,
                    "distance": {"ST": 0.1},
                    "given away by": ["qrs_ms"],
                    "trained on simulation, handcrafted": {"mean": 0.8},
                }
                for name in ("ptb_xl", "ludb")
            },
        }
        for population in ("textbook", "clinical")
    ]
    columns = {"clinical, drawn": {"distance": {"RR": 0.1}, "by_chance": {"RR": 0.06}, "unlike": 0.2, "values": {}}}
    shown = summary(results, columns, 7)
    places = [(one.source, one.population) for one in shown.likenesses]
    assert places == [(source, name) for source in ("ptb_xl", "ludb") for name in ("textbook", "clinical")]
    assert shown.likenesses[0].auroc == {"handcrafted": 0.9}
    assert (shown.rows, shown.intervals[0].unlike) == (7, 0.2)
    assert summary([], {}, 0).likenesses == []
