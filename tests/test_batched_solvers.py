"""Conjugate gradients of several fields at once, and BiCGSTAB, against dense solves."""

from collections.abc import Callable

import numpy as np
import pytest

from scalebridge.core.results import Outcome
from scalebridge.solvers.batched_conjugate_gradients import solve_batch
from scalebridge.solvers.stabilised_gradients import stabilised_gradients

SIZE = 12
RANDOM = np.random.default_rng(11)
ROOT = RANDOM.normal(size=(SIZE, SIZE))
POSITIVE = ROOT @ ROOT.T + SIZE * np.eye(SIZE)


class Dense:
    """A matrix on fields (SIZE, 1), and its diagonal for a preconditioner."""

    def __init__(self, matrix: np.ndarray):
        self.matrix, self.products = matrix, 0

    def product(self, p: np.ndarray, out: np.ndarray) -> None:
        self.products += 1
        out[...] = p @ self.matrix.T

    def sweep(self, r: np.ndarray, update: Callable | None, then: Callable) -> float:
        if update is not None:
            update(0, len(r))
        z = r / np.abs(np.diag(self.matrix))
        rz = float(r @ z)
        then(rz)(0, len(r), z)
        return rz


def test_every_field_is_solved_to_its_own_goal_and_leaves():
    right = RANDOM.normal(size=(3, SIZE))
    right[1] = 0.0
    exact = np.linalg.solve(POSITIVE, right.T).T
    x, operator = np.zeros_like(right), Dense(POSITIVE)
    x[2] = exact[2] * (1 + 1e-6)
    residual = right - x @ POSITIVE
    found = solve_batch(operator, residual, x, np.array([1e-10, 1e-10, 1e-3]), 100)
    assert found.outcome is Outcome.converged
    assert found.steps[0] > found.steps[2] == found.steps[1] == 0
    assert operator.products == found.steps[0]
    assert np.abs(x[0] - exact[0]).max() <= 1e-9
    assert not found.indefinite


def test_a_direction_without_energy_ends_a_field_and_is_told():
    matrix = np.diag(np.r_[-1.0, np.ones(SIZE - 1)])
    right = np.zeros((2, SIZE))
    right[0, 0], right[1, 3] = 1.0, 2.0
    x = np.zeros_like(right)
    found = solve_batch(Dense(matrix), right.copy(), x, np.full(2, 1e-12), 50)
    assert found.indefinite
    assert np.abs(x[1] - right[1]).max() <= 1e-14
    assert x[0] @ right[0] > 0  # the preconditioned residual: down in energy


def test_too_few_steps_and_numbers_that_are_none_are_told():
    right = RANDOM.normal(size=(1, SIZE))
    few = solve_batch(Dense(POSITIVE), right.copy(), np.zeros_like(right), np.array([1e-12]), 2)
    assert few.outcome is Outcome.step_limit
    right[0, 0] = np.nan
    assert (
        solve_batch(Dense(POSITIVE), right, np.zeros_like(right), np.ones(1), 9).outcome is Outcome.breakdown
    )


@pytest.mark.parametrize("skew", [0.0, 3.0])
def test_stabilised_gradients_solve_what_is_not_symmetric(skew: float):
    matrix = POSITIVE + skew * (ROOT - ROOT.T)
    right = RANDOM.normal(size=SIZE)
    x, diagonal = np.zeros(SIZE), np.diag(matrix)
    found = stabilised_gradients(lambda p: matrix @ p, lambda r: r / diagonal, right.copy(), x, 1e-10, 200)
    assert found.outcome is Outcome.converged
    assert np.abs(matrix @ x - right).max() <= 1e-9 * np.abs(right).max()


def test_stabilised_gradients_say_when_they_break_down():
    nothing = stabilised_gradients(lambda p: 0 * p, lambda r: r, np.ones(SIZE), np.zeros(SIZE), 1e-6, 20)
    assert nothing.outcome is not Outcome.converged
    still = stabilised_gradients(lambda p: p, lambda r: r, np.zeros(SIZE), np.zeros(SIZE), 1e-6, 20)
    assert (still.outcome, still.steps) == (Outcome.converged, 0)
