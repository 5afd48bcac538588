"""The batched solver against scikit-learn, for tall, wide and square data."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from cgdmer.errors import ConfigError
from cgdmer.probing import logistic, solver

C_GRID = (1e-4, 1e-2, 1.0, 1e2, 1e3)


def data(n, d, classes, seed=0):
    """Return correlated features of different scale and labels from rare to common."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 12))
    X = latent @ rng.normal(size=(12, d)) * rng.uniform(0.1, 9, d) + rng.normal(size=(n, d)) + rng.normal(size=d) * 5
    drive = latent @ rng.normal(size=(12, classes)) + 2 * rng.normal(size=(n, classes))
    share = np.linspace(0.03, 0.5, classes)
    return X.astype(np.float32), (drive > np.quantile(drive, 1 - share, axis=0).diagonal()).astype(np.uint8)


@pytest.mark.parametrize(
    ("n", "d"),
    [(300, 40), (60, 90), (200, 200), (20, 60), (90, 12)],
    ids=["tall", "wide: principal axes of fewer records", "square", "small and wide", "small and tall"],
)
def test_coefficients_and_auroc_equal_scikit_learn(n, d):
    X, Y = data(n, d, 4)
    axes = logistic.principal_axes(X)
    path = logistic.fit(axes, Y, C_GRID)
    standard = (X.astype(np.float64) - axes.mean) / axes.scale
    for step, C in enumerate(C_GRID):
        for c in range(Y.shape[1]):
            oracle = LogisticRegression(C=C, tol=1e-10, max_iter=2000, solver="newton-cholesky")
            oracle.fit(standard, Y[:, c])
            np.testing.assert_allclose(path.coef[step, :, c] * axes.scale, oracle.coef_[0], atol=1e-3)
            intercept = path.intercept[step, c] + axes.mean @ path.coef[step, :, c]
            assert intercept == pytest.approx(oracle.intercept_[0], abs=1e-3)
            ours = roc_auc_score(Y[:, c], path.decision(X, step)[:, c])
            assert ours == pytest.approx(roc_auc_score(Y[:, c], oracle.decision_function(standard)), abs=1e-4)


def test_order_of_strengths_and_presence_of_other_classes_do_not_matter():
    X, Y = data(150, 30, 3, seed=4)
    axes = logistic.principal_axes(X)
    whole = logistic.fit(axes, Y, C_GRID)
    turned = logistic.fit(axes, Y[:, 1:2], C_GRID[::-1])
    np.testing.assert_allclose(whole.coef[:, :, 1], turned.coef[::-1, :, 0], atol=1e-4)


def test_gradient_vanishes_at_every_solution():
    X, Y = data(120, 20, 3, seed=5)
    axes = logistic.principal_axes(X)
    path = logistic.fit(axes, Y, C_GRID)
    standard = (X.astype(np.float64) - axes.mean) / axes.scale
    for step, C in enumerate(C_GRID):
        residual = solver.sigmoid(X.astype(np.float64) @ path.coef[step] + path.intercept[step]) - Y
        gradient = C * standard.T @ residual + path.coef[step] * axes.scale[:, None]
        assert np.abs(gradient).max() < 1e-3 * max(1.0, C)
        assert np.abs(residual.sum(axis=0)).max() < 1e-3


def test_a_class_of_one_kind_is_scored_by_its_constant():
    X, Y = data(50, 8, 3, seed=6)
    Y[:, 0], Y[:, 2] = 0, 1
    path = logistic.fit(logistic.principal_axes(X), Y, (1.0,))
    assert not path.coef[0][:, [0, 2]].any()
    scores = path.decision(X, 0)
    assert len(np.unique(scores[:, 0])) == 1
    assert scores[0, 0] == pytest.approx(np.log(0.5 / 50.5))
    assert scores[0, 2] == pytest.approx(-np.log(0.5 / 50.5))


def test_constant_features_and_a_single_record_are_harmless():
    X, Y = data(60, 10, 2, seed=7)
    X[:, 3] = 7.25
    path = logistic.fit(logistic.principal_axes(X), Y, C_GRID)
    assert np.isfinite(path.coef).all()
    assert not path.coef[:, 3].any()
    lone = logistic.fit(logistic.principal_axes(X[:1]), Y[:1], C_GRID)
    assert not lone.coef.any()
    assert np.isfinite(lone.intercept).all()


def test_separable_classes_converge_without_a_warning(caplog):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(80, 30)).astype(np.float32)
    Y = (X[:, :3] > 0).astype(np.uint8)
    path = logistic.fit(logistic.principal_axes(X), Y, (1e-2, 1e6))
    assert not caplog.records
    assert ((path.decision(X, 1) > 0) == Y).all()


@pytest.mark.parametrize(("n", "d"), [(300, 40), (60, 90)], ids=["tall", "wide"])
def test_on_a_torch_device_the_solution_is_the_same(n, d):
    X, Y = data(n, d, 4, seed=9)
    Y[:, 2] = 1
    axes = logistic.principal_axes(X)
    here, there = (logistic.fit(axes, Y, C_GRID, device) for device in (logistic.NUMPY, "cpu"))
    np.testing.assert_allclose(there.coef * axes.scale[:, None], here.coef * axes.scale[:, None], atol=1e-3)
    np.testing.assert_allclose(there.intercept, here.intercept, atol=1e-3)
    for step in range(len(C_GRID)):
        for c in (0, 1, 3):
            one, other = (roc_auc_score(Y[:, c], path.decision(X, step)[:, c]) for path in (here, there))
            assert one == pytest.approx(other, abs=1e-4)


def test_on_a_torch_device_separable_classes_converge(caplog):
    rng = np.random.default_rng(8)
    X = rng.normal(size=(80, 30)).astype(np.float32)
    Y = (X[:, :3] > 0).astype(np.uint8)
    path = logistic.fit(logistic.principal_axes(X), Y, (1e-2, 1e6), "cpu")
    assert not caplog.records
    assert ((path.decision(X, 1) > 0) == Y).all()


def test_the_environment_decides_where_it_is_solved(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for name, drivers, expected in (("cpu", ("/",), "numpy"), ("auto", (), "numpy"), ("auto", ("/",), "cuda"),
                                    ("cuda:1", (), "cuda:1")):  # fmt: skip
        monkeypatch.setenv("CGDMER_DEVICE", name)
        monkeypatch.setattr(logistic, "DRIVERS", drivers)
        assert logistic.accelerator() == expected, name
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="torch sees no GPU"):
        logistic.accelerator()
    monkeypatch.setenv("CGDMER_DEVICE", "auto")
    monkeypatch.setattr(logistic, "DRIVERS", ("/",))
    assert logistic.accelerator() == "numpy"
