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
_LONGEST = 3.0  # root mean square of a step's change of strain, over the load
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
    found = []
    for u in starts:
        balance = medium.balance(u, load, states, dt)
        rest = medium.unbalanced(balance)
        found.append(Equilibrium(u, balance, Outcome.step_limit, [rest]))
    best = min(found, key=lambda one: one.residuals[0] if math.isfinite(one.residuals[0]) else math.inf)
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
    unit = size if size > 0 else 1.0
    r = (found.balance.forces[None] * (-1.0 / unit)).astype(dtype)
    x = np.zeros_like(r)
    norm = found.residuals[-1] * found.balance.scale / unit
    solved = medium.solve(tangent.astype(dtype), r, x, np.array([eta * norm]), settings.max_steps)
    found.krylov += sum(solved.steps)
    return x[0].astype(np.float64) * unit


def _advance(
    medium: PathMedium, load: np.ndarray, states: States, dt: float, found: Equilibrium, step: np.ndarray
) -> bool:
    """Go along a direction as far as the line search says; return whether anything was gained."""
    step = step * _limit(medium, load, step)
    slope = -dot(found.balance.forces, step)
    search = _by_slope if slope > 0 else _by_norm
    return search(_Line(medium, load, states, dt, found, step), slope)


def _limit(medium: PathMedium, load: np.ndarray, step: np.ndarray) -> float:
    """Part of a direction that does not change strains by more than a few times the load.

    Where a material softens, a longer step was seen to tear it altogether: no stress is an equilibrium, too.
    """
    if medium.laws.compact or medium.layout.points == 0:
        return 1.0
    changes = medium.operators.strains(step, np.zeros(medium.operators.components))
    size = math.sqrt(float(np.vdot(changes, changes)) / medium.layout.points)
    rest = np.eye(3).ravel() if medium.finite else 0.0
    largest = _LONGEST * float(np.linalg.norm(load - rest))
    return min(1.0, largest / size) if size > 0 and largest > 0 else 1.0


@dataclass(frozen=True)
class _Line:
    """A direction from where Newton's method stands."""

    medium: PathMedium
    load: np.ndarray
    states: States
    dt: float
    found: Equilibrium
    step: np.ndarray

    def at(self, part: float) -> tuple[np.ndarray, Balance]:
        """Return field and balance at a part of the direction."""
        u = self.found.u + part * self.step
        self.found.trials += 1
        return u, self.medium.balance(u, self.load, self.states, self.dt)

    def take(self, u: np.ndarray, balance: Balance, norm: float) -> bool:
        """Go there."""
        self.found.u, self.found.balance = u, balance
        self.found.residuals.append(norm)
        return True


def _by_slope(line: _Line, slope: float) -> bool:
    """Search for where the forces' product with the direction has fallen, by secants in a bracket."""
    low, at_low, high, at_high, part = 0.0, slope, math.inf, 0.0, 1.0
    for trial in range(_TRIALS):
        u, balance = line.at(part)
        here = -dot(balance.forces, line.step)
        if not math.isfinite(here):
            high, at_high, part = part, math.nan, low + 0.5 * (part - low)
            continue
        last = trial == _TRIALS - 1
        if abs(here) <= _SLACK * slope or (here > 0 and math.isinf(high)) or last:
            norm = line.medium.unbalanced(balance)
            good = math.isfinite(norm) and (not last or norm < 2 * line.found.residuals[-1])
            return good and line.take(u, balance, norm)
        if here < 0:
            high, at_high = part, here
        else:
            low, at_low = part, here
        ratio = at_low / (at_low - at_high) if math.isfinite(at_high) else 0.5
        part = low + (high - low) * min(max(ratio, 0.1), 0.9)
    return False


def _by_norm(line: _Line, _: float) -> bool:
    """Halve the direction until the forces fall: where it does not go down in energy."""
    rest = line.found.residuals[-1]
    for trial in range(_TRIALS):
        part = 0.5**trial
        u, balance = line.at(part)
        norm = line.medium.unbalanced(balance)
        if norm < (1 - 1e-2 * part) * rest:
            return line.take(u, balance, norm)
    return False
