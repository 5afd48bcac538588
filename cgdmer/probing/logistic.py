"""L2-regularised one-vs-rest logistic regression: all classes at once, along a path of values of C, to convergence.

The objective is scikit-learn's: C * sum(log loss) + |w|^2 / 2 with an unpenalised intercept. The penalty does not
change under rotation, so the problem is solved on the principal axes of the features: exact, never wider than the
number of records, and nearly diagonal, as `solver` likes it. `newton` solves it on a GPU.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cgdmer import environment
from cgdmer.errors import ConfigError
from cgdmer.probing import solver

NUMPY = "numpy"
DRIVERS = ("/dev/nvidiactl", "/dev/kfd")
"""Device files of GPU drivers."""


@dataclass(frozen=True)
class Axes:
    """Standardisation fitted on the training records, and the principal axes of the standardised features."""

    mean: np.ndarray
    scale: np.ndarray
    rotation: np.ndarray
    """(D, r): orthonormal columns."""
    scores: np.ndarray
    """(n, r + 1) float64: the training records on the axes, and a last column of ones."""
    spectrum: np.ndarray
    """(r + 1,): squared norms of the columns of `scores`."""


@dataclass(frozen=True)
class Path:
    """Solutions along a path of S values of C, on raw features: decision = X @ coef[s] + intercept[s]."""

    coef: np.ndarray
    """(S, D, C) float64."""
    intercept: np.ndarray
    """(S, C)."""

    def decision(self, features: np.ndarray, step: int) -> np.ndarray:
        """Return the logits (n, C) at one C as float32, the precision that is saved and scored."""
        logits: np.ndarray = features.astype(np.float64) @ self.coef[step] + self.intercept[step]
        return logits.astype(np.float32)


def principal_axes(features: np.ndarray) -> Axes:
    """Standardise features (n, D) like scikit-learn's StandardScaler and rotate them; a constant feature becomes 0."""
    X = features.astype(np.float64)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale[scale <= 1e-12 * np.maximum(np.abs(mean), 1.0)] = np.inf
    X -= mean
    X /= scale
    wide = X.shape[1] > X.shape[0]
    values, vectors = np.linalg.eigh(X @ X.T if wide else X.T @ X)
    keep = values > max(values[-1], 0.0) * 1e-12
    values, vectors = values[keep], vectors[:, keep]
    rotation = X.T @ vectors / np.sqrt(values) if wide else vectors
    scores = np.column_stack([X @ rotation, np.ones(len(X))])
    return Axes(mean, scale, rotation, scores, np.append(values, float(len(X))))


def fit(axes: Axes, labels: np.ndarray, C: Sequence[float], device: str | None = None) -> Path:
    """Solve every class of `labels` (n, C) at every C; weaker regularisation starts from the solution of stronger.

    `device` is NUMPY or a torch device; None takes the device that CGDMER_DEVICE names. A class whose training labels
    are all equal gets zero coefficients and the log odds of (count + 1/2) / (n + 1).
    """
    Y = labels.astype(np.float64)
    counts, n = Y.sum(axis=0), len(Y)
    varied = np.flatnonzero((counts > 0) & (counts < n))
    W = np.zeros((axes.scores.shape[1], Y.shape[1]))
    share = np.where((counts > 0) & (counts < n), counts / n, (counts + 0.5) / (n + 1.0))
    W[-1] = np.log(share / (1.0 - share))
    steps = np.repeat(W[None], len(C), axis=0)
    for position, solved in _along(axes, Y[:, varied], W[:, varied], C, device):
        steps[position][:, varied] = solved
    coef = (axes.rotation @ steps[:, :-1]) / axes.scale[:, None]
    return Path(coef, steps[:, -1] - axes.mean @ coef)


def _along(
    axes: Axes, Y: np.ndarray, start: np.ndarray, C: Sequence[float], device: str | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the position of each C and its solution, strongest regularisation first."""
    device = accelerator() if device is None else device
    if device != NUMPY:
        from cgdmer.probing import newton  # torch only where a GPU solves

        yield from newton.solve_path(axes.scores, Y, start, C, device).items()
        return
    problem = solver.Problem(axes.scores, axes.scores.astype(np.float32), axes.spectrum, Y)
    order = np.argsort(C, kind="stable")
    yield from zip(order.tolist(), solver.solve_path(problem, [1.0 / C[i] for i in order], start), strict=True)


def accelerator() -> str:
    """Return the torch device that CGDMER_DEVICE names, NUMPY for the CPU; ConfigError for a GPU that is missing.

    `auto` is a GPU if the machine has one; torch is imported only where a GPU driver is installed.
    """
    name = environment.read().device
    if name == "cpu" or (name == "auto" and not any(map(os.path.exists, DRIVERS))):
        return NUMPY
    import torch

    if torch.cuda.is_available():
        return "cuda" if name == "auto" else name
    if name == "auto":
        return NUMPY
    raise ConfigError(f"CGDMER_DEVICE={name}, but torch sees no GPU", fix="export CGDMER_DEVICE=cpu")
