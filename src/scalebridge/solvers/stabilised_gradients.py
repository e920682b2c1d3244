"""BiCGSTAB for operators that are not symmetric, preconditioned from the right, in plain memory.

H. A. van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992) 631. Seven fields, two products and two
preconditionings a step. A breakdown starts it afresh from the residual that is left.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalebridge.core.results import Outcome

Apply = Callable[[np.ndarray], np.ndarray]
_SMALL = 1e-30  # of a square of norms, below which a product is a breakdown
_RESTARTS = 5


@dataclass(frozen=True)
class Stabilised:
    """How a solve ended.

    Args:
        outcome: how.
        steps: number of steps.
        residual: norm of the residual that is left over that of the start.
    """

    outcome: Outcome
    steps: int
    residual: float


def stabilised_gradients(
    product: Apply, precondition: Apply, r: np.ndarray, x: np.ndarray, rtol: float, max_steps: int
) -> Stabilised:
    """Add to x what takes the residual r = b - A x below rtol times itself, in place.

    Args:
        product: A times a field, as a new field.
        precondition: the preconditioner's field, as a new field.
        r: residual at x, changed in place.
        x: iterate, changed in place.
        rtol: part of the residual's norm to be left.
        max_steps: largest number of steps.
    """
    first = math.sqrt(float(np.vdot(r, r)))
    goal, done, norm = rtol * first, 0, first
    for _ in range(_RESTARTS):
        steps, norm = _run(product, precondition, r, x, goal, max_steps - done)
        done += steps
        if norm <= goal or done >= max_steps or not math.isfinite(norm):
            break
    outcome = Outcome.converged if norm <= goal else Outcome.step_limit
    if not math.isfinite(norm):
        outcome = Outcome.breakdown
    return Stabilised(outcome, done, norm / first if first > 0 else 0.0)


def _run(
    product: Apply, precondition: Apply, r: np.ndarray, x: np.ndarray, goal: float, max_steps: int
) -> tuple[int, float]:
    """Run until the goal, the limit or a breakdown; return steps and the norm of the residual."""
    shadow, p, v = r.copy(), np.zeros_like(r), np.zeros_like(r)
    rho, alpha, omega = 1.0, 1.0, 1.0
    norm = math.sqrt(float(np.vdot(r, r)))
    for step in range(max_steps):
        if norm <= goal or not math.isfinite(norm):
            return step, norm
        new = float(np.vdot(shadow, r))
        if abs(new) <= _SMALL * norm * norm or (step > 0 and abs(omega) <= _SMALL):
            return step + 1, norm
        beta = new / rho * (alpha / omega)
        rho = new
        p = r + r.dtype.type(beta) * (p - r.dtype.type(omega) * v) if step > 0 else r.copy()
        turned = precondition(p)
        v = product(turned)
        along = float(np.vdot(shadow, v))
        if abs(along) <= _SMALL * norm * norm or not math.isfinite(along):
            return step + 1, norm
        alpha = rho / along
        x += r.dtype.type(alpha) * turned
        r -= r.dtype.type(alpha) * v
        turned = precondition(r)
        t = product(turned)
        square = float(np.vdot(t, t))
        omega = float(np.vdot(t, r)) / square if square > 0.0 else 0.0
        x += r.dtype.type(omega) * turned
        r -= r.dtype.type(omega) * t
        norm = math.sqrt(float(np.vdot(r, r)))
    return max_steps, norm
