"""Newton's method for the micro equilibrium of one step: inexact, with a line search.

    find u:  div sigma(E + sym grad u; state before, dt) = 0,   u periodic

Each direction solves the linearised equilibrium with the consistent tangents by conjugate gradients (BiCGSTAB
where they are not symmetric), only as far as pays: to a part eta of the residual that falls with it (S. C.
Eisenstat & H. F. Walker, SIAM J. Sci. Comput. 17 (1996) 16, choice 2). The step along it is searched for on
the product of forces and direction, without which plastic steps were seen to cycle between two states.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scalebridge.cells.path_medium import Balance, PathMedium
from scalebridge.cells.path_points import States
from scalebridge.cells.path_settings import PathSettings
from scalebridge.core.results import Outcome
from scalebridge.core.vectors import dot
from scalebridge.grids.point_operators import StoredTangent

_LARGEST_ETA, _GAMMA = 0.1, 0.9
_SINGLE_ETA = 2e-5  # below it float32 would not do
_SLACK = 0.5  # of the slope along the direction that may be left by a line search
_TRIALS = 8
_STUCK = 4  # Newton steps in a row that fall by less than a tenth


@dataclass
class Equilibrium:
    """A state of equilibrium, or what was reached.

    Args:
        u: fluctuation (x, 3, y, z), m.
        balance: its strains, stresses and forces.
        outcome: how it ended.
        residuals: part of the stress out of equilibrium, start included.
        krylov: number of Krylov steps.
        trials: number of evaluations of the laws.
    """

    u: np.ndarray
    balance: Balance
    outcome: Outcome
    residuals: list[float] = field(default_factory=list)
    krylov: int = 0
    trials: int = 0


def equilibrate(
    medium: PathMedium,
    load: np.ndarray,
    states: States,
    dt: float,
    starts: Sequence[np.ndarray],
    settings: PathSettings,
) -> Equilibrium:
    """Find the equilibrium at a load, from the best of some starts.

    Args:
        medium: the cell.
        load: mean strain (6,), Mandel, or gradient (9,).
        states: internal variables before the step.
        dt: time of the step, s.
        starts: fields to start from; they are not changed.
        settings: tolerances.
    """
    found = _best_start(medium, load, states, dt, starts)
    slow = 0
    for _ in range(settings.max_iterations):
        rest = found.residuals[-1]
        if rest <= settings.tolerance:
            found.outcome = Outcome.converged
            return found
        if not math.isfinite(rest) or slow >= _STUCK:
            found.outcome = Outcome.breakdown if not math.isfinite(rest) else Outcome.stagnated
            return found
        eta = _forcing(found.residuals, settings.tolerance)
        tangent = medium.laws.tangent(found.balance.strains, states, dt)
        direction = _direction(medium, tangent, found, eta, settings)
        if not _advance(medium, load, states, dt, found, direction):
            found.outcome = Outcome.stagnated
            return found
        slow = slow + 1 if found.residuals[-1] > 0.9 * rest else 0
    done = found.residuals[-1] <= settings.tolerance
    found.outcome = Outcome.converged if done else Outcome.step_limit
    return found


def _best_start(
    medium: PathMedium, load: np.ndarray, states: States, dt: float, starts: Sequence[np.ndarray]
) -> Equilibrium:
    best: Equilibrium | None = None
    for u in starts:
        balance = medium.balance(u, load, states, dt)
        rest = medium.norm(balance.forces) / balance.scale if balance.scale > 0 else 0.0
        if best is None or not best.residuals[0] <= rest:
            best = Equilibrium(u.copy(), balance, Outcome.step_limit, [rest])
    assert best is not None
    best.trials = len(starts)
    return best


def _forcing(residuals: list[float], tolerance: float) -> float:
    """Part of the residual that a direction may leave: Eisenstat & Walker's second, guarded."""
    eta = _LARGEST_ETA
    if len(residuals) > 1:
        eta = _GAMMA * (residuals[-1] / residuals[-2]) ** 2
        before = _GAMMA * _LARGEST_ETA**2
        eta = max(eta, before) if before > 0.1 else eta
    eta = max(eta, 0.3 * tolerance / residuals[-1])
    return min(max(eta, 1e-6), _LARGEST_ETA)


def _direction(
    medium: PathMedium, tangent: StoredTangent, found: Equilibrium, eta: float, settings: PathSettings
) -> np.ndarray:
    """Solve the linearised equilibrium, scaled so that float32 holds it."""
    single = settings.precision == "mixed" and eta >= _SINGLE_ETA
    dtype = np.dtype(np.float32 if single else np.float64)
    size = float(np.abs(found.balance.forces).max())
    unit, stiff = size if size > 0 else 1.0, 2 * medium.reference[1]
    r = (found.balance.forces[None] * (-1.0 / unit)).astype(dtype)
    x = np.zeros_like(r)
    norm = found.residuals[-1] * found.balance.scale / unit
    solved = medium.solve(tangent.astype(dtype), r, x, np.array([eta * norm]), settings.max_steps)
    found.krylov += sum(solved.steps)
    del stiff
    return x[0].astype(np.float64) * unit


def _advance(
    medium: PathMedium, load: np.ndarray, states: States, dt: float, found: Equilibrium, step: np.ndarray
) -> bool:
    """Go along a direction as far as the line search says; return whether anything was gained."""
    slope = -dot(found.balance.forces, step)
    if not slope > 0:
        return False
    low, at_low, high, at_high, part = 0.0, slope, math.inf, 0.0, 1.0
    rest = found.residuals[-1]
    for trial in range(_TRIALS):
        u = found.u + part * step
        balance = medium.balance(u, load, states, dt)
        found.trials += 1
        here = -dot(balance.forces, step)
        if not math.isfinite(here):
            high, at_high, part = part, math.nan, low + 0.5 * (part - low)
            continue
        last = trial == _TRIALS - 1
        if abs(here) <= _SLACK * abs(slope) or (here > 0 and math.isinf(high)) or last:
            norm = medium.norm(balance.forces) / balance.scale
            if last and not norm < 2 * rest:
                return False
            found.u, found.balance = u, balance
            found.residuals.append(norm)
            return True
        if here < 0:
            high, at_high = part, here
        else:
            low, at_low = part, here
        ratio = at_low / (at_low - at_high) if math.isfinite(at_high) else 0.5
        part = low + (high - low) * min(max(ratio, 0.1), 0.9)
    return False
