"""The start on the line through two solutions, and the inverse Hessian that speeds conjugate gradients up."""

import numpy as np
from scipy.optimize import minimize_scalar

from cgdmer.probing import solver


def made_problem() -> solver.Problem:
    rng = np.random.default_rng(0)
    Z = np.column_stack([rng.normal(size=(200, 5)) * [5, 3, 2, 1, 0.5], np.ones(200)])
    Y = (Z @ rng.normal(size=(6, 3)) + rng.normal(size=(200, 3)) > 0).astype(float)
    return solver.Problem(Z, Z.astype(np.float32), (Z**2).sum(axis=0), Y)


def objective(problem: solver.Problem, W: np.ndarray, penalty: float) -> np.ndarray:
    return solver.log_loss(problem.Z @ W, problem.Y) + penalty * (W[:-1] ** 2).sum(axis=0) / 2


def at(problem: solver.Problem, penalty: float) -> solver.State:
    W = solver.solve_path(problem, [penalty], np.zeros((6, 3)))[0]
    return solver.State(W, problem.Z @ W)


def test_the_start_is_the_minimum_on_the_line_through_two_solutions():
    problem, penalty = made_problem(), 0.1
    earlier, state = at(problem, 10.0), at(problem, 1.0)
    last, move = state.W.copy(), state.W - earlier.W
    solver.extrapolate(problem, penalty, state, earlier)
    for k in range(3):
        found = minimize_scalar(lambda a, k=k: objective(problem, last + a * move, penalty)[k])
        np.testing.assert_allclose(state.W[:, k], last[:, k] + found.x * move[:, k], atol=1e-5)
    assert (objective(problem, state.W, penalty) < objective(problem, last, penalty)).all()
    np.testing.assert_allclose(state.margins, problem.Z @ state.W, atol=1e-10)


def test_equal_solutions_give_no_line_and_the_start_stays():
    problem = made_problem()
    state = at(problem, 1.0)
    before = state.W.copy()
    solver.extrapolate(problem, 0.1, state, solver.State(state.W.copy(), state.margins.copy()))
    np.testing.assert_array_equal(state.W, before)


def test_the_inverse_hessian_is_that_of_the_weighted_records():
    Z = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    weights, ridge = np.full(50, 0.25, np.float32), np.array([1.0, 1.0, 1.0, 0.0])
    expected = np.linalg.inv((Z.T * weights) @ Z + np.diag(ridge))
    np.testing.assert_allclose(solver.inverse_hessian(Z, weights, ridge), expected, rtol=1e-2, atol=1e-3)


def test_an_indefinite_hessian_gives_the_inverse_of_its_diagonal():
    Z, weights = np.ones((5, 3), np.float32), np.ones(5, np.float32)
    inverse = solver.inverse_hessian(Z, weights, np.full(3, -1.0))
    np.testing.assert_allclose(inverse, np.eye(3) / 4.0)
