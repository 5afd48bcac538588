"""Ridge regression in closed form: a linear probe of a number instead of a class.

The objective is scikit-learn's: |y - Xw - b|^2 + alpha * |w|^2 with an unpenalised intercept, on standardised features.
On the principal axes of the features each coefficient is a quotient, so every value of alpha costs one product.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer.probing.logistic import Axes

ALPHAS = tuple(10.0**power for power in range(-2, 6))
"""Candidates for alpha, the L2 penalty; the best on validation records is used."""


@dataclass(frozen=True)
class Path:
    """Solutions along a path of S values of alpha, on raw features: prediction = X @ coef[s] + intercept[s]."""

    coef: np.ndarray
    """(S, D, K) float64."""
    intercept: np.ndarray
    """(S, K)."""

    def predict(self, features: np.ndarray, step: int) -> np.ndarray:
        """Return the predictions (n, K) at one alpha, float64."""
        predicted: np.ndarray = features.astype(np.float64) @ self.coef[step] + self.intercept[step]
        return predicted


def fit(axes: Axes, targets: np.ndarray, alphas: Sequence[float] = ALPHAS) -> Path:
    """Solve for `targets` (n, K) at every alpha; `axes` are the principal axes of the n training records."""
    mean = targets.mean(axis=0)
    scores, squares = axes.scores[:, :-1], axes.spectrum[:-1]
    products = scores.T @ (targets - mean)  # (r, K)
    solved = [products / (squares + alpha)[:, None] for alpha in alphas]
    coef = np.stack([(axes.rotation @ weights) / axes.scale[:, None] for weights in solved])
    return Path(coef, mean - axes.mean @ coef)


def choose(predictions: Sequence[np.ndarray], targets: np.ndarray) -> int:
    """Return the position of the predictions (n, K) with the least squared error, the last of equals."""
    errors = [float(np.square(predicted - targets).sum()) for predicted in predictions]
    return len(errors) - 1 - int(np.argmin(errors[::-1]))
