"""How a front's speed changes with the layers' coefficients: one adjoint solve for all of them.

A front that repeats, phi(t + T, x + period) = phi(t, x), is carried along by any change of its rate: with psi
the adjoint front, -psi_t = J' psi, that repeats in the same way,

    dv / v = 1/T  int_0^T <psi, dR> / <psi, phi_t> dt,

dR being the change of the right-hand side at a fixed phase field. In the variable chi = psi L / h the adjoint
equation has the matrix of the forward one, so that the same elimination solves it.
"""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.cells.front_kernels import front_pivots, front_rates, front_solve
from scalebridge.cells.front_medium import FrontGrid
from scalebridge.cells.travelling_front import FrontRun, Pace, follow_period
from scalebridge.laws.double_well import tilt_slope, well_slope

_SHARE = 1.0 - math.sqrt(0.5)  # of a step, where the stages of Alexander's second-order scheme stand
_STEPS = 50  # of a period at least
_REPEATS = 200
_SETTLED = 1e-7


@dataclass(frozen=True)
class SpeedSlopes:
    """Relative derivatives of a front's speed by cell of a period, in the front's own units: d(ln v)/d(...).

    Args:
        mobility: by each cell's mobility.
        gradient_energy: by each cell's gradient energy.
        barrier: by each cell's barrier.
        driving: by the driving force.
    """

    mobility: np.ndarray
    gradient_energy: np.ndarray
    barrier: np.ndarray
    driving: float

    def of_layers(self, layer_of_cell: np.ndarray, count: int) -> np.ndarray:
        """Add up cells by layer: (3, layers), mobility, gradient energy and barrier."""
        rows = (self.mobility, self.gradient_energy, self.barrier)
        return np.array([np.bincount(layer_of_cell, row, count) for row in rows])


def speed_slopes(run: FrontRun, pace: Pace) -> SpeedSlopes:
    """Return the relative derivatives of a settled run's speed.

    Args:
        run: a run that has settled and is not pinned.
        pace: its tolerances.

    Cost: one more period, and a few passes of its steps backwards.
    Source: the adjoint phase response of limit cycles, I. G. Malkin 1949; R. Alexander, SIAM J. Numer. Anal. 14
    (1977) 1006, for the scheme.
    """
    grid = run.grid
    longest = grid.period / run.speed / _STEPS
    steps, phases = follow_period(grid, run.driving, pace, run.phase, longest)
    adjoint = _repeated(grid, run.driving, steps, phases)
    return _collect(grid, run.driving, steps, phases, adjoint)


def _repeated(
    grid: FrontGrid, driving: float, steps: np.ndarray, phases: list[np.ndarray]
) -> list[np.ndarray]:
    """Integrate the adjoint backwards, period by period, until it repeats; return it at the steps' ends."""
    rates = np.empty_like(phases[0])
    front_rates(phases[-1], grid.medium, driving, rates)
    last, cells = rates / np.max(np.abs(rates)), grid.per_period
    for _ in range(_REPEATS):
        path = [last]
        for row in range(len(steps) - 1, -1, -1):
            path.append(_back(grid, driving, steps[row], phases[row : row + 2], path[-1]))
        found = np.zeros_like(last)  # the start of a period is the end of the one before, a period behind
        found[cells:] = path[-1][:-cells]
        found /= np.max(np.abs(found))
        change = float(np.max(np.abs(found - last)))
        last = found
        if change < _SETTLED:
            break
    return path[::-1]


def _back(
    grid: FrontGrid, driving: float, step: float, phases: list[np.ndarray], adjoint: np.ndarray
) -> np.ndarray:
    """One step backwards in time of -chi_t = J(t) chi, second order and L-stable."""
    before, after = phases
    pivots, inverse = np.empty_like(adjoint), 1.0 / (_SHARE * step)
    first = adjoint * inverse
    front_pivots(after + _SHARE * (before - after), grid.medium, driving, inverse, pivots)
    front_solve(grid.medium, pivots, first)
    second = (adjoint + (1.0 - _SHARE) / _SHARE * (first - adjoint)) * inverse
    front_pivots(before, grid.medium, driving, inverse, pivots)
    front_solve(grid.medium, pivots, second)
    return second


def _collect(
    grid: FrontGrid, driving: float, steps: np.ndarray, phases: list[np.ndarray], adjoint: list[np.ndarray]
) -> SpeedSlopes:
    """Integrate the products over a period by the trapezoidal rule, and fold the window into one period."""
    weights = 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps))
    mobility, barrier, width, _ = grid.medium
    total, by = 0.0, np.zeros((3, width.size))
    pushed = 0.0
    rates = np.empty_like(phases[0])
    for weight, phase, chi in zip(weights, phases, adjoint, strict=True):
        front_rates(phase, grid.medium, driving, rates)
        power = width / mobility * chi * rates
        total += weight * float(power.sum())
        by[0] += weight * power / mobility
        by[1] += weight * _by_gradient(grid, phase, chi)
        by[2] -= weight * width * chi * well_slope(phase)
        pushed += weight * float(np.sum(width * chi * tilt_slope(phase)))
    folded = by.reshape(3, -1, grid.per_period).sum(axis=1) / total
    return SpeedSlopes(folded[0], folded[1], folded[2], pushed / total)


def _by_gradient(grid: FrontGrid, phase: np.ndarray, chi: np.ndarray) -> np.ndarray:
    """Derivative of -sum_faces T dchi dphi by the gradient energy of the two cells beside each face."""
    width, conductance = grid.medium[2], grid.medium[3, :-1]
    by_conductance = -np.diff(chi) * np.diff(phase) * conductance**2
    share = 0.5 * width / grid.gradient_energy**2
    found = np.zeros_like(width)
    found[:-1] += by_conductance * share[:-1]
    found[1:] += by_conductance * share[1:]
    return found
