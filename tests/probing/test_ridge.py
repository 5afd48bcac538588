"""Ridge regression against scikit-learn, and the choice of alpha."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from cgdmer.probing import logistic, ridge


def records(n: int, width: int, targets: int = 2):
    random = np.random.default_rng(n + width)
    features = (random.normal(3, 2, (n, width)) * random.uniform(0.01, 50, width)).astype(np.float32)
    return features, features[:, :targets] * 0.3 + random.normal(100, 5, (n, targets))


@pytest.mark.parametrize(("n", "width"), [(60, 7), (20, 45)], ids=["more records than features", "fewer"])
def test_every_alpha_gives_the_solution_of_scikit_learn(n, width):
    features, targets = records(n, width)
    path = ridge.fit(logistic.principal_axes(features), targets, ridge.ALPHAS)
    scaled = StandardScaler().fit(features.astype(float))
    for step, alpha in enumerate(ridge.ALPHAS):
        oracle = Ridge(alpha=alpha, solver="svd").fit(scaled.transform(features), targets)
        predicted = oracle.predict(scaled.transform(features))
        np.testing.assert_allclose(path.predict(features, step), predicted, rtol=1e-6)


def test_a_constant_feature_changes_nothing_and_a_huge_alpha_predicts_the_mean():
    features, targets = records(50, 4)
    wider = np.column_stack([features, np.full(50, 7.0, np.float32)])
    one, other = (ridge.fit(logistic.principal_axes(each), targets, [1.0, 1e15]) for each in (features, wider))
    np.testing.assert_allclose(one.predict(features, 0), other.predict(wider, 0))
    np.testing.assert_allclose(one.predict(features, 1), np.tile(targets.mean(axis=0), (50, 1)), rtol=1e-6)


def test_the_least_error_is_chosen_and_of_equals_the_larger_alpha():
    targets = np.arange(4.0)[:, None]
    assert ridge.choose([targets + 1, targets, targets - 2], targets) == 1
    assert ridge.choose([targets, targets, targets - 2], targets) == 1
