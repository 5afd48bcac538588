"""Measured knowledge: planted knowledge is found, none is invented, and every number equals a plain computation."""

import math

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from cgdmer.delineation.formulas import axis, corrected
from cgdmer.evaluation import measurements as m
from cgdmer.probing import ridge

N = 400


@pytest.fixture(scope="module")
def cohort():
    draw = np.random.default_rng(1)
    features = draw.normal(size=(N, 6)).astype(np.float32)
    values = {
        "rr": 800 + 90.0 * features[:, 0] + draw.normal(0, 9, N),
        "pr": np.where(draw.random(N) < 0.2, np.nan, 160 + 20.0 * draw.normal(size=N)),
        "qrs_axis": np.rad2deg(np.arctan2(features[:, 1], features[:, 2] + 0.3)),
        "male": (features[:, 3] + draw.normal(0, 0.5, N) > 0).astype(float),
        "age": np.full(N, 50.0),
    }
    records = m.Records(values, [f"p{i // 2}" for i in range(N)])
    part = m.Part(np.arange(200), np.arange(200, 280), np.arange(280, N))
    other = draw.normal(size=(N, 6)).astype(np.float32)
    sets = {"a": [{"pooled": features}], "noise": [{"pooled": other}, {"pooled": other[:, ::-1].copy()}]}
    return records, sets, part, m.measure(records, sets, [part], 200)


def test_planted_knowledge_is_found_and_noise_knows_nothing(cohort):
    *_, result = cohort
    assert set(result) == {"rr", "pr", "qrs_axis", "male"}  # all records have the same age
    assert result["rr"].encoders["a"]["pooled"].r2.low > 0.97
    assert result["rr"].encoders["a"]["pooled"].error.mean < result["rr"].baseline / 5
    assert result["qrs_axis"].encoders["a"]["pooled"].r2.low > 0.5
    assert result["male"].encoders["a"]["pooled"].error.low > 0.85
    for name in result:
        assert result[name].encoders["noise"]["pooled"].r2.mean < 0.05
    assert result["pr"].encoders["a"]["pooled"].r2.high < 0.1


def test_a_measurement_without_validation_records_is_left_out(cohort):
    records, sets, part, _ = cohort
    unknown = np.where(np.isin(np.arange(N), part.val[3:]), np.nan, records.values["rr"])
    result = m.measure(m.Records({**records.values, "rr": unknown}, records.patients), sets, [part], 20)
    assert "rr" not in result
    assert "qrs_axis" in result


def test_numbers_are_those_of_scikit_learn(cohort):
    records, sets, part, result = cohort
    features = sets["a"][0]["pooled"]
    scaler = StandardScaler().fit(features[part.train])
    for name, score in (("rr", r2_score), ("male", roc_auc_score)):
        cell, y = result[name].encoders["a"]["pooled"], records.values[name]
        probe = Ridge(alpha=cell.alpha[0]).fit(scaler.transform(features[part.train]), y[part.train])
        errors = [np.square(Ridge(alpha=alpha).fit(scaler.transform(features[part.train]), y[part.train])
                            .predict(scaler.transform(features[part.val])) - y[part.val]).sum()
                  for alpha in ridge.ALPHAS]  # fmt: skip
        assert cell.alpha == [ridge.ALPHAS[int(np.argmin(errors))]]
        predicted = probe.predict(scaler.transform(features[part.test]))
        found = cell.r2.mean if name == "rr" else cell.error.mean
        assert found == pytest.approx(score(y[part.test], predicted), abs=1e-5)
    assert result["rr"].n_test == 120
    assert result["pr"].n_test == int(np.isfinite(records.values["pr"][part.test]).sum())


def test_replicates_are_those_of_resampled_records():
    draw = np.random.default_rng(0)
    truth, predicted = draw.normal(size=(40, 2)), draw.normal(size=(40, 2))
    counts = np.stack([np.bincount(draw.integers(0, 40, 40), minlength=40) for _ in range(5)], axis=1)
    for k in range(5):
        rows = np.repeat(np.arange(40), counts[:, k])
        total = np.square(truth[rows] - truth[rows].mean(axis=0)).sum()
        expected = 1 - np.square(predicted[rows] - truth[rows]).sum() / total
        assert m.r2(predicted, truth, counts)[k] == pytest.approx(expected)
        angle = [abs(math.degrees(math.atan2(p[1], p[0]) - math.atan2(t[1], t[0]))) for p, t in
                 zip(predicted[rows], truth[rows], strict=True)]  # fmt: skip
        mean = np.mean([min(a, 360 - a) for a in angle])
        assert m.error("qrs_axis", predicted, truth, counts)[k] == pytest.approx(mean)


def test_folds_train_on_neither_validation_nor_scored_records():
    dealt = np.arange(50) % 5
    parts = m.folds(dealt)
    assert np.array_equal(np.sort(np.concatenate([part.test for part in parts])), np.arange(50))
    for part in parts:
        assert len(set(part.train) | set(part.val) | set(part.test)) == 50
        assert not set(part.train) & set(part.val)
        assert not set(part.test) & (set(part.train) | set(part.val))


def test_definitions_of_intervals_and_axes():
    assert corrected(400.0, 1000.0) == {"qtc_bazett": 400.0, "qtc_fridericia": 400.0}
    assert corrected(360.0, 640.0)["qtc_bazett"] == pytest.approx(450.0)
    assert corrected(360.0, 729.0)["qtc_fridericia"] == pytest.approx(400.0)
    assert corrected(None, 700.0)["qtc_bazett"] is None
    for degrees in (-170, -60, 0, 45, 90, 130):  # a dipole in Einthoven's equilateral triangle
        first, avf = (math.cos(math.radians(degrees - angle)) for angle in (0, 90))
        assert axis(first, avf * math.sqrt(3) / 2) == pytest.approx(degrees)
