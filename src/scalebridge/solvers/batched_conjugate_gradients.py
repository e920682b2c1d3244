"""Conjugate gradients for several right-hand sides of one operator, in one pass over it.

Where an operator's numbers are stored at every point, reading them is what a product costs: several fields
at once read them once. Each has its own steps, and leaves the batch when it has converged. The method is the
plain one of Hestenes & Stiefel, stopped on the preconditioned norm  sqrt(r . M^-1 r),  which bounds the energy
of the error; nothing is renewed, because Newton's method (or a quadratic form) stands around it and sees the
true residual.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scalebridge.core.results import Outcome, worst_outcome
from scalebridge.core.vectors import advance_and_turn, descend


class BatchOperator(Protocol):
    """A symmetric operator on several fields, and its preconditioner."""

    def product(self, p: np.ndarray, out: np.ndarray) -> None:
        """Write K p of fields (fields, ...) to `out`."""
        ...

    def sweep(self, r: np.ndarray, update: Callable | None, then: Callable) -> float:
        """Precondition one field; see `grids.transforms.Inverse`."""
        ...


@dataclass(frozen=True)
class BatchSolved:
    """How a batch ended.

    Args:
        outcome: the gravest of its fields'.
        steps: steps of each field.
        norms: preconditioned norm that is left of each residual.
        indefinite: whether a direction without positive energy was met.
    """

    outcome: Outcome
    steps: list[int]
    norms: list[float]
    indefinite: bool


def solve_batch(
    operator: BatchOperator, r: np.ndarray, x: np.ndarray, goals: np.ndarray, max_steps: int
) -> BatchSolved:
    """Add to x what takes the residuals r = b - K x below their goals, in place.

    Args:
        operator: K and its preconditioner.
        r: (fields, ...) residuals at x, changed in place.
        x: (fields, ...) iterates of the same type, changed in place.
        goals: (fields,) preconditioned norms to reach.
        max_steps: largest number of steps.

    Returns:
        how it ended; x holds the best of what was found in any case. At a direction without positive energy
        a field stops: at the first step of all with the preconditioned residual, a descent direction.
    """
    batch = _Batch(operator, r, x, goals)
    for _ in range(max_steps):
        if not batch.slots:
            break
        batch.step()
    ended = worst_outcome([batch.code, Outcome.step_limit if batch.slots else Outcome.converged])
    return BatchSolved(ended, batch.steps, batch.norms, batch.indefinite)


class _Batch:
    """Fields under way; `slots` says which field each place of the batch holds."""

    def __init__(self, operator: BatchOperator, r: np.ndarray, x: np.ndarray, goals: np.ndarray):
        self.operator, self.r, self.x, self.goals = operator, r, x, goals
        self.p, self.q = np.empty_like(r), np.empty_like(r)
        self.rz = [operator.sweep(one, None, _copier(p)) for one, p in zip(r, self.p, strict=True)]
        self.steps, self.norms = [0] * len(r), [math.sqrt(max(one, 0.0)) for one in self.rz]
        self.slots: list[int] = []
        self.indefinite, self.code = False, Outcome.converged
        for f in range(len(r)):
            if not math.isfinite(self.rz[f]):
                self.code = Outcome.breakdown
            elif self.norms[f] > goals[f]:
                _move(self.p, f, len(self.slots))
                self.slots.append(f)

    def step(self) -> None:
        """Take a step of every field that is left, with one product for all."""
        active = len(self.slots)
        self.operator.product(self.p[:active], self.q[:active])
        for slot in range(active - 1, -1, -1):
            if not self._advance(slot, self.slots[slot]):
                _leave(self.p, self.q, self.slots, slot)

    def _advance(self, slot: int, f: int) -> bool:
        """Take a step of one field; return whether it goes on."""
        p, q, old = self.p[slot], self.q[slot], self.rz[f]
        curvature = float(np.vdot(p, q))
        if not curvature > 0.0:
            self.indefinite = True
            if self.steps[f] == 0:
                self.x[f] += p
            return False
        alpha = old / curvature
        down = _descender(self.r[f], q, alpha)
        self.rz[f] = self.operator.sweep(self.r[f], down, _turner(self.x[f], p, alpha, old))
        self.steps[f] += 1
        self.norms[f] = math.sqrt(max(self.rz[f], 0.0))
        if not math.isfinite(self.rz[f]):
            self.code = Outcome.breakdown
            return False
        return self.norms[f] > self.goals[f]


def _move(p: np.ndarray, source: int, target: int) -> None:
    if source != target:
        p[target] = p[source]


def _leave(p: np.ndarray, q: np.ndarray, slots: list[int], slot: int) -> None:
    """Let the last field take the place of one that leaves; it has had its turn in this step already."""
    last = len(slots) - 1
    _move(p, last, slot)
    slots[slot] = slots[last]
    slots.pop()


def _copier(p: np.ndarray) -> Callable[[float], Callable]:
    def use(low: int, high: int, z: np.ndarray) -> None:
        p[low:high] = z

    return lambda _: use


def _descender(r: np.ndarray, q: np.ndarray, alpha: float) -> Callable[[int, int], None]:
    def update(low: int, high: int) -> None:
        descend(r[low:high].reshape(-1), q[low:high].reshape(-1), alpha)

    return update


def _turner(x: np.ndarray, p: np.ndarray, alpha: float, old: float) -> Callable[[float], Callable]:
    def then(rz: float) -> Callable:
        beta = rz / old

        def use(low: int, high: int, z: np.ndarray) -> None:
            advance_and_turn(x[low:high].reshape(-1), p[low:high].reshape(-1), z.reshape(-1), alpha, beta)

        return use

    return then
