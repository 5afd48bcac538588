"""Minimise the L2-regularised logistic loss of all classes at once, for falling penalties, by truncated Newton steps.

The caller rotates the features to their principal axes, where the Hessian is nearly diagonal and a diagonal
preconditioner makes conjugate gradients cheap. All classes share every matrix product. Gradients are float64; only the
search for a direction is float32. `newton` solves the same problem on a GPU with the constants below.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

log = logging.getLogger(__name__)

NEWTON_STEPS = 60
TOLERANCE = 3e-4
"""A class is solved when no coefficient moves by more in a Newton step; the error left is about FORCING of that."""
SECANT_STEPS = 4
"""Newton steps of the search on the line through the last two solutions."""
HALVINGS = 30
"""Most often that the line search halves a step."""
ARMIJO, ROUND_OFF = 1e-4, 1e-10
"""The line search accepts a step that lowers the objective by ARMIJO times the predicted decrease, or that raises it by
no more than ROUND_OFF of its value."""
CG_STEPS = 200
FORCING = 0.05
"""Relative residual at which conjugate gradients stop."""
SLOW, TALL = 10, 4
"""A class that needs more than SLOW conjugate-gradient steps gets its inverse Hessian as preconditioner, if there are
more than TALL records per axis: with fewer, a step costs less than applying the inverse."""
NOTHING = 1e-12
"""Smallest weight of a record in the Hessian; subnormal numbers would make products many times slower."""
BLOCK = 256
"""Records multiplied at once: 768 float32 features of 256 records fit the second-level cache."""
COVERED = 0.999
"""Share of the total weight that the records of an inverse Hessian carry."""


@dataclass(frozen=True)
class Problem:
    """The design matrix (n, r + 1) in both precisions, its spectrum (r + 1,) and the labels (n, K) of K classes."""

    Z: np.ndarray
    Z32: np.ndarray
    spectrum: np.ndarray
    Y: np.ndarray
    inverses: dict[int, np.ndarray] = field(default_factory=dict)
    """Inverse Hessian by class, from an earlier iterate: the preconditioner where the diagonal is not enough."""


@dataclass(frozen=True)
class State:
    """The coefficients of all columns and their margins Z @ W, both changed by each step.

    The margins of a step come out of the search for its direction, so they cost no product of their own.
    """

    W: np.ndarray
    margins: np.ndarray


def solve_path(problem: Problem, penalties: Sequence[float], start: np.ndarray) -> np.ndarray:
    """Minimise sum(log loss) + penalty * |w|^2 / 2 for each column at each penalty, (S, r + 1, K).

    The first penalty begins at `start` (r + 1, K), each other one at the best point of the line through the last two
    solutions: along a path of falling penalties they lie nearly on one.
    """
    known = [State(start, problem.Z @ start)]
    for penalty in penalties:
        state = State(known[-1].W.copy(), known[-1].margins.copy())
        if len(known) > 1:
            extrapolate(problem, penalty, state, known[-2])
        solve(problem, penalty, state)
        known.append(state)
    return np.array([state.W for state in known[1:]])


def ridge_of(penalty: float, size: int) -> np.ndarray:
    """Return the penalty of each coefficient (r + 1, 1); that of the intercept, the last one, is zero."""
    ridge = np.full((size, 1), penalty)
    ridge[-1] = 0.0
    return ridge


def extrapolate(problem: Problem, penalty: float, state: State, earlier: State) -> None:
    """Move each class along the line from its solution before the last one, as far as the objective falls.

    The margins of both solutions are known, so a step of this search costs no matrix product.
    """
    move, change = state.W - earlier.W, state.margins - earlier.margins
    ridge = ridge_of(penalty, len(move))
    linear, quadratic = (ridge * state.W * move).sum(axis=0), (ridge * move**2).sum(axis=0)
    length = np.zeros(move.shape[1])
    for _ in range(SECANT_STEPS):
        probability = sigmoid(state.margins + length * change)
        slope = ((probability - problem.Y) * change).sum(axis=0) + linear + length * quadratic
        curvature = (probability * (1.0 - probability) * change**2).sum(axis=0) + quadratic
        length -= slope / np.maximum(curvature, np.finfo(np.float64).tiny)
    after = log_loss(state.margins + length * change, problem.Y) + length * linear + length**2 * quadratic / 2
    length = np.where(after < log_loss(state.margins, problem.Y), length, 0.0)
    state.W[:] += length * move
    state.margins[:] += length * change


def solve(problem: Problem, penalty: float, state: State) -> None:
    """Bring the coefficients to the minimum at one penalty by Newton's method with a line search."""
    ridge = ridge_of(penalty, len(state.W))
    live, tall = np.arange(state.W.shape[1]), len(problem.Z) > TALL * len(state.W)
    for _ in range(NEWTON_STEPS):
        if not len(live):
            return
        Y, now, margins = problem.Y[:, live], state.W[:, live], state.margins[:, live]
        probability = sigmoid(margins)
        gradient = ((probability - Y).T @ problem.Z).T + ridge * now
        weights = probability * (1.0 - probability)
        weights = np.where(weights > NOTHING, weights, 0.0).astype(np.float32)
        direction, change, steps = newton_direction(problem, live, weights, ridge, gradient)
        for column in np.flatnonzero(steps > SLOW) if tall else ():
            problem.inverses[live[column]] = inverse_hessian(problem.Z32, weights[:, column], ridge[:, 0])
        length = line_search(margins, change, Y, now, direction, ridge, gradient)
        state.W[:, live] = now + length * direction
        state.margins[:, live] = margins + length * change
        live = live[np.abs(length * direction).max(axis=0) > TOLERANCE]
    if len(live):
        log.warning("%d of %d classes did not converge at C = %g", len(live), state.W.shape[1], 1.0 / penalty)


def newton_direction(
    problem: Problem, columns: np.ndarray, weights: np.ndarray, ridge: np.ndarray, gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve (Z' diag(weights) Z + ridge) d = -gradient for each column by preconditioned conjugate gradients.

    Return d (r + 1, K), the change of margins Z d (n, K), which the iterations give for free, and the steps taken (K,).
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
    """Return Z' diag(weights) Z s for each column s, and Z s, reading Z once, in blocks that fit the cache."""
    image, margin = np.zeros(search.shape[::-1], search.dtype), np.empty_like(weights)
    for begin in range(0, len(Z), BLOCK):
        rows = slice(begin, begin + BLOCK)
        margin[rows] = Z[rows] @ search
        image += (weights[rows] * margin[rows]).T @ Z[rows]
    return np.ascontiguousarray(image.T), margin


def precondition(
    residual: np.ndarray, scale: np.ndarray, columns: np.ndarray, inverses: dict[int, np.ndarray]
) -> np.ndarray:
    """Apply the inverse Hessian to the columns that have one and the diagonal to the others."""
    result: np.ndarray = scale * residual
    for position, column in enumerate(columns):
        if column in inverses:
            result[:, position] = inverses[column] @ residual[:, position]
    return result


def inverse_hessian(Z: np.ndarray, weights: np.ndarray, ridge: np.ndarray) -> np.ndarray:
    """Invert the Hessian (r + 1, r + 1) of one class, using only the records that carry nearly all the weight.

    Return the inverse of its diagonal if it has no Cholesky factor.
    """
    from scipy.linalg import lapack  # not at the start of every stage

    order = np.argsort(-weights)
    total = np.cumsum(weights[order], dtype=np.float64)
    rows = np.sort(order[: np.searchsorted(total, COVERED * total[-1]) + 1])
    heavy = Z[rows] * np.sqrt(weights[rows])[:, None]
    hessian = (heavy.T @ heavy).astype(np.float64) + np.diag(ridge)
    scale = 1.0 / np.sqrt(np.diag(hessian))
    factor, failed = lapack.dpotrf(scale[:, None] * hessian * scale + 1e-6 * np.eye(len(scale)), lower=True)
    if failed:  # round-off made it indefinite
        return np.diag(scale**2).astype(np.float32)
    lower, _ = lapack.dpotri(factor, lower=True)
    inverse: np.ndarray = scale[:, None] * (np.tril(lower) + np.tril(lower, -1).T) * scale
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
    """Return the step length of each column: 1, halved until the objective falls enough (Armijo)."""
    slope = (gradient * direction).sum(axis=0)
    linear, quadratic = (ridge * W * direction).sum(axis=0), (ridge * direction**2).sum(axis=0) / 2
    before = log_loss(margins, Y)
    length = np.ones(Y.shape[1])
    for _ in range(HALVINGS):
        after = log_loss(margins + length * change, Y) + length * linear + length**2 * quadratic
        worse = after > before + ARMIJO * length * slope + ROUND_OFF * np.abs(before)
        if not worse.any():
            break
        length[worse] /= 2
    return length


def sigmoid(margins: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-m)); far below zero the exponential overflows and the result is correctly 0."""
    with np.errstate(over="ignore"):
        probability: np.ndarray = 1.0 / (1.0 + np.exp(-margins))
    return probability


def log_loss(margins: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return the summed logistic loss of each column."""
    losses = np.maximum(margins, 0.0) - Y * margins + np.log(1.0 + np.exp(-np.abs(margins)))
    summed: np.ndarray = losses.sum(axis=0)
    return summed
