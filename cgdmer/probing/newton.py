"""Solve the logistic path on a GPU by exact Newton steps; objective and constants are those of `solver`.

A GPU builds a Hessian in less time than conjugate gradients take, so the Hessian is built and factorised. Hessians are
float32; gradients, factors and the line search are float64, so steps may be slightly inexact but the solution is not.
"""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from cgdmer.probing.solver import ARMIJO, HALVINGS, NEWTON_STEPS, ROUND_OFF, TOLERANCE

log = logging.getLogger(__name__)


def solve_path(
    Z: np.ndarray, Y: np.ndarray, start: np.ndarray, C: Sequence[float], device: str
) -> dict[int, np.ndarray]:
    """Return the solution (r + 1, K) at the position of each C, weaker regularisation starting from stronger.

    `Z` (n, r + 1) ends with a column of ones, whose coefficient is not penalised; `Y` (n, K) in {0, 1}.
    """
    z, y, w = (torch.from_numpy(np.ascontiguousarray(array, np.float64)).to(device) for array in (Z, Y, start))
    z32, solutions = z.float(), {}
    for position in np.argsort(C, kind="stable"):
        w = solve(z, z32, y, 1.0 / C[position], w)
        solutions[int(position)] = w.cpu().numpy()
    return solutions


def solve(Z: Tensor, Z32: Tensor, Y: Tensor, penalty: float, start: Tensor) -> Tensor:
    """Minimise sum(log loss) + penalty * |w|^2 / 2 for each column by Newton's method with a line search."""
    W = start.clone()
    ridge = torch.full((len(W), 1), penalty, dtype=W.dtype, device=W.device)
    ridge[-1] = 0.0
    live = torch.arange(W.shape[1], device=W.device)
    for _ in range(NEWTON_STEPS):
        if not len(live):
            return W
        y, now = Y[:, live], W[:, live]
        margins = Z @ now
        probability = margins.sigmoid()
        gradient = Z.T @ (probability - y) + ridge * now
        direction = newton_direction(Z32, probability * (1 - probability), ridge[:, 0], gradient)
        length = line_search(margins, Z @ direction, y, now, direction, ridge, gradient)
        W[:, live] = now + length * direction
        live = live[(length * direction).abs().amax(0) > TOLERANCE]
    if len(live):
        log.warning("%d of %d classes did not converge at C = %g", len(live), W.shape[1], 1.0 / penalty)
    return W


def newton_direction(Z: Tensor, weights: Tensor, ridge: Tensor, gradient: Tensor) -> Tensor:
    """Solve (Z' diag(weights) Z + ridge) d = -gradient for each column, scaled so that a factor always exists."""
    columns = []
    for k in range(weights.shape[1]):
        hessian = (Z.T @ (weights[:, k, None].float() * Z)).double() + torch.diag(ridge)
        scale = hessian.diagonal().clamp(min=1e-30).rsqrt()
        scaled = scale[:, None] * hessian * scale + 1e-7 * torch.eye(len(scale), dtype=scale.dtype, device=scale.device)
        factor = torch.linalg.cholesky_ex(scaled)[0]
        step = torch.cholesky_solve((scale * -gradient[:, k])[:, None], factor)[:, 0] * scale
        downhill = step.isfinite().all() & ((step * gradient[:, k]).sum() < 0)
        columns.append(torch.where(downhill, step, -gradient[:, k] * scale**2))
    return torch.stack(columns, 1)


def line_search(
    margins: Tensor, change: Tensor, Y: Tensor, W: Tensor, direction: Tensor, ridge: Tensor, gradient: Tensor
) -> Tensor:
    """Return a step length for each column: 1, halved until the objective falls enough (Armijo)."""
    slope = (gradient * direction).sum(0)
    linear, quadratic = (ridge * W * direction).sum(0), (ridge * direction**2).sum(0) / 2
    before, length = log_loss(margins, Y), torch.ones_like(slope)
    for _ in range(HALVINGS):
        after = log_loss(margins + length * change, Y) + length * linear + length**2 * quadratic
        worse = after > before + ARMIJO * length * slope + ROUND_OFF * before.abs()
        if not bool(worse.any()):
            break
        length = torch.where(worse, length / 2, length)
    return length


def log_loss(margins: Tensor, Y: Tensor) -> Tensor:
    """Return the summed logistic loss of each column."""
    return torch.nn.functional.binary_cross_entropy_with_logits(margins, Y, reduction="none").sum(0)
