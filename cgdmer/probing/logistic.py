"""Owns L2-regularised one-vs-rest logistic regression: all classes at once, along a path of strengths, to convergence.

The objective is scikit-learn's: C * sum(log loss) + |w|^2 / 2 with an unpenalised intercept. The penalty does not
change under rotation, so the problem is solved on the principal axes of the features: exact, never wider than the
number of records, and nearly diagonal, which makes truncated Newton steps with a diagonal preconditioner cheap. All
classes share every matrix product. Gradients are float64; only the search for a direction is float32.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cgdmer import environment
from cgdmer.errors import ConfigError

log = logging.getLogger(__name__)

NEWTON_STEPS = 60
CG_STEPS = 200
FORCING = 0.1
"""Relative residual at which the search for a Newton direction stops."""
TOLERANCE = 1e-4
"""A class is solved when a Newton step moves no coefficient by more; the error left is a FORCING of that."""
HALVINGS = 30
SLOW, TALL = 10, 4
"""Conjugate-gradient steps above which a class gets the inverse of its Hessian as preconditioner, where there are more
than TALL records an axis: with fewer a step costs less than applying the inverse."""
NOTHING = 1e-12
"""Weight below which a record does not bend the objective; subnormal numbers would make products many times slower."""
BLOCK = 256
"""Records whose products are taken at once: 768 float32 features of so many fit the second-level cache."""
NUMPY = "numpy"
DRIVERS = ("/dev/nvidiactl", "/dev/kfd")
"""Where the driver of a GPU shows."""
COVERED = 0.999
"""Share of the weight that this Hessian is computed from."""


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
    """Solutions in terms of raw features: decision = X @ coef[s] + intercept[s]."""

    coef: np.ndarray
    """(S, D, C) float64."""
    intercept: np.ndarray
    """(S, C)."""

    def decision(self, features: np.ndarray, step: int) -> np.ndarray:
        """Return the logits (n, C) at one strength as float32, which is what is saved and scored."""
        logits: np.ndarray = features.astype(np.float64) @ self.coef[step] + self.intercept[step]
        return logits.astype(np.float32)


def principal_axes(features: np.ndarray) -> Axes:
    """Standardise features (n, D) as scikit-learn's StandardScaler does and rotate them; a constant one becomes 0."""
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


def fit(axes: Axes, labels: np.ndarray, strengths: Sequence[float], device: str | None = None) -> Path:
    """Solve every class of `labels` (n, C) at every inverse strength C; weaker regularisation starts from stronger.

    `device` is NUMPY or a torch device to solve on (`cgdmer.probing.newton`); None takes what CGDMER_DEVICE means. A
    class whose training labels are all equal gets zero coefficients and the log odds of (count + 1/2) / (n + 1).
    """
    Y = labels.astype(np.float64)
    counts, n = Y.sum(axis=0), len(Y)
    varied = np.flatnonzero((counts > 0) & (counts < n))
    W = np.zeros((axes.scores.shape[1], Y.shape[1]))
    share = np.where((counts > 0) & (counts < n), counts / n, (counts + 0.5) / (n + 1.0))
    W[-1] = np.log(share / (1.0 - share))
    steps = np.repeat(W[None], len(strengths), axis=0)
    for position, solved in _along(axes, Y[:, varied], W[:, varied], strengths, device):
        steps[position][:, varied] = solved
    coef = (axes.rotation @ steps[:, :-1]) / axes.scale[:, None]
    return Path(coef, steps[:, -1] - axes.mean @ coef)


def _along(
    axes: Axes, Y: np.ndarray, start: np.ndarray, strengths: Sequence[float], device: str | None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the position of each strength and its solution, strongest regularisation first."""
    device = accelerator() if device is None else device
    if device != NUMPY:
        from cgdmer.probing import newton

        yield from newton.solve_path(axes.scores, Y, start, strengths, device).items()
        return
    problem = Problem(axes.scores, axes.scores.astype(np.float32), axes.spectrum, Y)
    for position in np.argsort(strengths, kind="stable"):
        start = solve(problem, 1.0 / strengths[position], start)
        yield int(position), start


def accelerator() -> str:
    """Return the torch device that CGDMER_DEVICE means, NUMPY for the CPU; ConfigError for a GPU that is not there.

    `auto` is a GPU where there is one; torch is imported only where a driver shows that there may be.
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


@dataclass(frozen=True)
class Problem:
    """Design in both precisions, its spectrum, the labels (n, K) of the classes to be solved, and what helps to."""

    Z: np.ndarray
    Z32: np.ndarray
    spectrum: np.ndarray
    Y: np.ndarray
    inverses: dict[int, np.ndarray] = field(default_factory=dict)
    """Class to inverse Hessian at some earlier point: the preconditioner of classes that the diagonal serves badly."""


def solve(problem: Problem, penalty: float, start: np.ndarray) -> np.ndarray:
    """Minimise sum(log loss) + penalty * |w|^2 / 2 for each column by Newton's method with a line search."""
    W = start.copy()
    ridge = np.full((len(W), 1), penalty)
    ridge[-1] = 0.0
    live, tall = np.arange(W.shape[1]), len(problem.Z) > TALL * len(W)
    for _ in range(NEWTON_STEPS):
        if not len(live):
            break
        Y, now = problem.Y[:, live], W[:, live]
        margins = problem.Z @ now
        chance = sigmoid(margins)
        gradient = problem.Z.T @ (chance - Y) + ridge * now
        weights = chance * (1.0 - chance)
        weights = np.where(weights > NOTHING, weights, 0.0).astype(np.float32)
        direction, change, steps = newton_direction(problem, live, weights, ridge, gradient)
        for column in np.flatnonzero(steps > SLOW) if tall else ():
            problem.inverses[live[column]] = inverse_hessian(problem.Z32, weights[:, column], ridge[:, 0])
        length = line_search(margins, change, Y, now, direction, ridge, gradient)
        W[:, live] = now + length * direction
        live = live[np.abs(length * direction).max(axis=0) > TOLERANCE]
    if len(live):
        log.warning("%d of %d classes did not converge at C = %g", len(live), W.shape[1], 1.0 / penalty)
    return W


def newton_direction(
    problem: Problem, columns: np.ndarray, weights: np.ndarray, ridge: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve (Z' diag(weights) Z + ridge) d = -gradient for each column by preconditioned conjugate gradients.

    Returns d (r + 1, K), the change of margins Z d (n, K), which falls out of the iterations, and the steps taken (K,).
    """
    Z, small_ridge = problem.Z32, ridge.astype(np.float32)
    share = np.maximum(weights.mean(axis=0), 1e-12)
    scale = (1.0 / (problem.spectrum[:, None] * share + ridge)).astype(np.float32)
    live, taken = np.arange(len(columns)), np.full(len(columns), CG_STEPS)
    direction, change = np.zeros_like(gradient), np.zeros_like(weights)
    residual = -gradient.astype(np.float32)
    search = precondition(residual, scale, columns, problem.inverses)
    energy = (residual * search).sum(axis=0)
    enough = FORCING**2 * energy
    d, m = np.zeros_like(residual), np.zeros_like(weights)
    for count in range(1, CG_STEPS + 1):
        image, margin = curve(Z, weights, search)
        image += small_ridge * search
        step = energy / np.maximum((search * image).sum(axis=0), np.finfo(np.float32).tiny)
        d += step * search
        m += step * margin
        residual -= step * image
        conditioned = precondition(residual, scale, columns[live], problem.inverses)
        fresh = (residual * conditioned).sum(axis=0)
        going = fresh > enough
        if not going.all():
            done = live[~going]
            direction[:, done], change[:, done], taken[done] = d[:, ~going], m[:, ~going], count
            live, enough, energy, fresh = live[going], enough[going], energy[going], fresh[going]
            d, m, residual, search, conditioned = (x[:, going] for x in (d, m, residual, search, conditioned))
            weights, scale = weights[:, going], scale[:, going]
        if not len(live):
            break
        search = conditioned + (fresh / energy) * search
        energy = fresh
    direction[:, live], change[:, live] = d, m
    return direction, change, taken


def curve(Z: np.ndarray, weights: np.ndarray, search: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Z' diag(weights) Z s for each column s, and Z s, reading Z once, in blocks that stay in the cache."""
    image, margin = np.zeros_like(search), np.empty_like(weights)
    for begin in range(0, len(Z), BLOCK):
        rows = slice(begin, begin + BLOCK)
        margin[rows] = Z[rows] @ search
        image += Z[rows].T @ (weights[rows] * margin[rows])
    return image, margin


def precondition(
    residual: np.ndarray, scale: np.ndarray, columns: np.ndarray, inverses: dict[int, np.ndarray]
) -> np.ndarray:
    """Apply each column's inverse Hessian where there is one, and the diagonal elsewhere."""
    result: np.ndarray = scale * residual
    for position, column in enumerate(columns):
        if column in inverses:
            result[:, position] = inverses[column] @ residual[:, position]
    return result


def inverse_hessian(Z: np.ndarray, weights: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Invert the Hessian of one class, from the records that carry nearly all of the weight (few, once it parts)."""
    order = np.argsort(-weights)
    total = np.cumsum(weights[order], dtype=np.float64)
    rows = np.sort(order[: np.searchsorted(total, COVERED * total[-1]) + 1])
    heavy = Z[rows] * np.sqrt(weights[rows])[:, None]
    hessian = (heavy.T @ heavy).astype(np.float64) + np.diag(ridge)
    scale = 1.0 / np.sqrt(np.diag(hessian))
    hessian = scale[:, None] * hessian * scale + 1e-6 * np.eye(len(scale))
    inverse: np.ndarray = scale[:, None] * np.linalg.inv(hessian) * scale
    return inverse.astype(np.float32)


def line_search(
    margins: np.ndarray,
    change: np.ndarray,
    Y: np.ndarray,
    W: np.ndarray,
    direction: np.ndarray,
    ridge: np.ndarray,
    gradient: np.ndarray,
) -> np.ndarray:
    """Return a step length for each column: 1, halved until the objective falls enough (Armijo)."""
    slope = (gradient * direction).sum(axis=0)
    linear, quadratic = (ridge * W * direction).sum(axis=0), (ridge * direction**2).sum(axis=0) / 2
    before = log_loss(margins, Y)
    length = np.ones(Y.shape[1])
    for _ in range(HALVINGS):
        after = log_loss(margins + length * change, Y) + length * linear + length**2 * quadratic
        worse = after > before + 1e-4 * length * slope + 1e-10 * np.abs(before)
        if not worse.any():
            break
        length[worse] /= 2
    return length


def sigmoid(margins: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-m)); far below zero the exponential is infinite and the result 0, as it should be."""
    with np.errstate(over="ignore"):
        chance: np.ndarray = 1.0 / (1.0 + np.exp(-margins))
    return chance


def log_loss(margins: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the summed logistic loss of each column."""
    losses = np.maximum(margins, 0.0) - Y * margins + np.log(1.0 + np.exp(-np.abs(margins)))
    summed: np.ndarray = losses.sum(axis=0)
    return summed
