"""Conjugate gradients for several right-hand sides of one operator, each with its own steps, in one pass over it.

Where an operator's numbers are stored at every point, reading them is what a product costs: several fields at
once read them once. A field that has converged leaves the batch. The method is the plain one of Hestenes &
Stiefel, stopped on the preconditioned norm  sqrt(r . M^-1 r),  which bounds the energy of the error; nothing is
renewed, because Newton's method (or a quadratic form) stands around it and sees the true residual.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scalebridge.core.results import Outcome, worst_outcome
from scalebridge.core.vectors import advance_and_turn, descend

Sweep = Callable[[np.ndarray, Callable[[int, int], None] | None, Callable[[float], Callable]], float]


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
    fields = len(r)
    p, q = np.empty_like(r), np.empty_like(r)
    rz = [operator.sweep(r[f], None, _copier(p[f])) for f in range(fields)]
    steps, norms = [0] * fields, [math.sqrt(max(one, 0.0)) for one in rz]
    slots, indefinite, code = [], False, Outcome.converged
    for f in range(fields):
        if not math.isfinite(rz[f]):
            code = Outcome.breakdown
        elif norms[f] > goals[f]:
            _move(p, f, len(slots))
            slots.append(f)
    for _ in range(max_steps):
        if not slots:
            break
        active = len(slots)
        operator.product(p[:active], q[:active])
        for slot in range(active - 1, -1, -1):
            f = slots[slot]
            curvature = float(np.vdot(p[slot], q[slot]))
            if not curvature > 0.0:
                indefinite = True
                if steps[f] == 0:
                    x[f] += p[slot]
                _leave(p, q, slots, slot)
                continue
            alpha, old = rz[f] / curvature, rz[f]
            rz[f] = operator.sweep(r[f], _descender(r[f], q[slot], alpha), _turner(x[f], p[slot], alpha, old))
            steps[f] += 1
            norms[f] = math.sqrt(max(rz[f], 0.0))
            if not math.isfinite(rz[f]):
                code = Outcome.breakdown
            if norms[f] <= goals[f] or not math.isfinite(rz[f]):
                _leave(p, q, slots, slot)
    ended = worst_outcome([code, Outcome.step_limit if slots else Outcome.converged])
    return BatchSolved(ended, steps, norms, indefinite)


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
