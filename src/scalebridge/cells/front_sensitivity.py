"""How a front's speed changes with the layers: one adjoint solve for all of their numbers.

A front that repeats, phi(t + T, x + period) = phi(t, x), is carried along by any change of its rate: with psi
the adjoint front, -psi_t = J' psi, that repeats in the same way,

    -dT / T = 1/T  int_0^T <psi, dR> / <psi, phi_t> dt,

dR being the change of the right-hand side at a fixed phase field, and <psi, phi_t> constant in time. In the
variable chi = psi L / h the adjoint equation has the matrix of the forward one, so that the same elimination
solves it. Where a thickness changes, cells widen, and the period with them.
"""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.cells.front_kernels import front_pivots, front_rates, front_solve
from scalebridge.cells.front_medium import FrontGrid
from scalebridge.cells.travelling_front import FrontRun, Pace, follow_periods
from scalebridge.laws.double_well import tilt_slope, well_slope

_SHARE = 1.0 - math.sqrt(0.5)  # of a step, where the stages of Alexander's second-order scheme stand
_STEPS = 50  # of the time that is followed, at least
_TIME = 1.0  # followed at least: the adjoint forgets as exp(-1.5 t), whatever the period
_REPEATS = 50
_SETTLED = 1e-8


@dataclass(frozen=True)
class SpeedSlopes:
    """Relative derivatives of a front's speed by cell of a period, in the front's own units: d(ln v)/d(...).

    Args:
        mobility: by each cell's mobility.
        gradient_energy: by each cell's gradient energy.
        barrier: by each cell's barrier.
        width: by each cell's width.
        driving: by the driving force.
        wander: by how much <psi, phi_t> wanders about its mean, relative to it: the adjoint's own error.
    """

    mobility: np.ndarray
    gradient_energy: np.ndarray
    barrier: np.ndarray
    width: np.ndarray
    driving: float
    wander: float

    def of_layers(self, layer_of_cell: np.ndarray, count: int) -> np.ndarray:
        """Add up cells by layer: (4, layers), by thickness, mobility, gradient energy and barrier."""
        cells = np.bincount(layer_of_cell, minlength=count)
        rows = (self.mobility, self.gradient_energy, self.barrier)
        summed = [np.bincount(layer_of_cell, row, count) for row in rows]
        return np.array([np.bincount(layer_of_cell, self.width, count) / cells, *summed])


def speed_slopes(run: FrontRun, pace: Pace) -> SpeedSlopes:
    """Return the relative derivatives of a settled run's speed.

    Args:
        run: a run that has settled and is not pinned.
        pace: its tolerances.

    Cost: one more period, and a few passes of its steps backwards.
    Source: the adjoint phase response of limit cycles, I. G. Malkin 1949; R. Alexander, SIAM J. Numer. Anal.
    14 (1977) 1006, for the scheme.
    """
    grid = run.grid
    periods = max(1, math.ceil(_TIME * run.speed / grid.period))
    longest = periods * grid.period / run.speed / _STEPS
    steps, phases = follow_periods(grid, run.driving, pace, run.phase, longest, periods)
    adjoint = _repeated(grid, run.driving, steps, phases, periods * grid.per_period)
    return _collect(grid, run.driving, steps, phases, adjoint)


def _repeated(
    grid: FrontGrid, driving: float, steps: np.ndarray, phases: list[np.ndarray], cells: int
) -> list[np.ndarray]:
    """Integrate the adjoint backwards, time and again, until it repeats; return it at the steps' ends."""
    rates = np.empty_like(phases[0])
    front_rates(phases[-1], grid.medium, driving, rates)
    last, path = rates / np.max(np.abs(rates)), [rates]
    for _ in range(_REPEATS):
        path = [last]
        for row in range(len(steps) - 1, -1, -1):
            path.append(_back(grid, driving, steps[row], phases[row : row + 2], path[-1]))
        found = np.zeros_like(last)  # the start is the end of the time before, and lies that far behind
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
    """Integrate the products in time by the trapezoidal rule, and fold the window into one period."""
    weights = 0.5 * (np.append(steps, 0.0) + np.append(0.0, steps))
    mobility, barrier, width, _ = grid.medium
    powers, by, pushed = np.zeros(len(weights)), np.zeros((4, width.size)), 0.0
    rates = np.empty_like(phases[0])
    for row, (weight, phase, chi) in enumerate(zip(weights, phases, adjoint, strict=True)):
        front_rates(phase, grid.medium, driving, rates)
        power = width / mobility * chi * rates
        powers[row] = power.sum()
        tilted, bent = chi * tilt_slope(phase), chi * well_slope(phase)
        by_gradient, by_width = _by_conductance(grid, phase, chi)
        by[0] += weight * power / mobility
        by[1] += weight * by_gradient
        by[2] -= weight * width * bent
        # A wider cell has a smaller divergence of the same fluxes: -(rate / L - force).
        by[3] += weight * (by_width - power / width + driving * tilted - barrier * bent)
        pushed += weight * float(width @ tilted)
    total = float(weights @ powers)
    mean = total / float(weights.sum())
    folded = by.reshape(4, -1, grid.per_period).sum(axis=1) / total
    wander = float(np.max(np.abs(powers / mean - 1.0)))
    return SpeedSlopes(folded[0], folded[1], folded[2], folded[3] + 1.0 / grid.period, pushed / total, wander)


def _by_conductance(grid: FrontGrid, phase: np.ndarray, chi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of -sum_faces T dchi dphi by gradient energy and width of both cells beside a face."""
    width, conductance = grid.medium[2], grid.medium[3, :-1]
    by_resistance = np.diff(chi) * np.diff(phase) * conductance**2
    both = np.zeros_like(width)
    both[:-1] += by_resistance
    both[1:] += by_resistance
    return -both * 0.5 * width / grid.gradient_energy**2, both * 0.5 / grid.gradient_energy
