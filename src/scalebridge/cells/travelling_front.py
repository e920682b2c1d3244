"""A front that runs through layers: Allen and Cahn's equation in one dimension, followed until it repeats.

    phi_t / L(x) = (kappa(x) phi')' - W(x) f'(phi) + m g'(phi)

The front moves towards +x, from phi = 1 into phi = 0. A window of a few periods goes with it, shifted by
whole periods, so that cells keep their layers. Once every period takes the same time as the one before, that
time is the answer; where the front stops instead, a stationary front that is stable is the proof: the
equation obeys a comparison principle, by which a front does not pass one of its kind that stands.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scalebridge.cells.front_kernels import front_pivots, front_rates, front_solve, front_step
from scalebridge.cells.front_medium import FrontGrid
from scalebridge.core.results import Outcome

_SLOW = 0.02  # of the coarse front's speed, below which a stationary front is looked for
_PATIENCE = 25  # steps between two looks
_BLOCK = 2.0  # times over which speeds are compared: a disturbed profile recovers as exp(-1.5 t)
_SAFETY, _SHRINK, _GROW = 0.8, 0.2, 4.0
_NEWTON = 40
_NEAR = 0.3  # largest change of the phase field between a slow front and the one it is taken to end in


class Pace(NamedTuple):
    """How a run is controlled.

    Args:
        tolerance: largest error of the phase field in a step.
        drift: relative change of speed between blocks of periods at which a run has settled.
        max_steps: limit of time steps.
        periods: periods after which a run ends though it has not settled.
    """

    tolerance: float = 1e-6
    drift: float = 2e-5
    max_steps: int = 40_000
    periods: int = 100_000

    @property
    def halved(self) -> "Pace":
        """The same with steps half as long.

        The error of a step of third order goes with its fourth power, that of the estimate with its third.
        """
        return self._replace(tolerance=self.tolerance / 8.0)


@dataclass(frozen=True)
class FrontRun:
    """What came of a run, in the front's own units.

    Args:
        grid: the grid.
        driving: the driving force.
        phase: the phase field at the end.
        crossings: when the front had passed one period, two, ...
        speed: over the last block of periods; 0 for a front that stands.
        drift: how far that differs from the block before.
        pinned: whether a stable stationary front was found.
        outcome: how it ended.
        steps: time steps done.
        path: (2, steps) times and distances covered.
    """

    grid: FrontGrid
    driving: float
    phase: np.ndarray
    crossings: list[float]
    speed: float
    drift: float
    pinned: bool
    outcome: Outcome
    steps: int
    path: np.ndarray

    @property
    def tail(self) -> float:
        """Largest distance from 0 and 1 at the window's ends: what the window cuts off."""
        return float(max(abs(1.0 - self.phase[0]), abs(self.phase[-1])))


@dataclass
class _Walk:
    """A run under way."""

    grid: FrontGrid
    driving: float
    phase: np.ndarray
    time: float = 0.0
    step: float = 0.01
    steps: int = 0
    shifted: float = 0.0
    pinned: bool = False
    crossings: list[float] = field(default_factory=list)
    path: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self):
        self.after = np.empty_like(self.phase)
        self.work = np.empty((5, self.phase.size))
        self.rate = front_rates(self.phase, self.grid.medium, self.driving, self.work[0])
        self.first = self.covered
        self.path.append((0.0, 0.0))

    @property
    def covered(self) -> float:
        """Integral of phi, with what has left the window: the front's position up to a constant."""
        return float(self.phase @ self.grid.medium[2]) + self.shifted

    def advance(self, tolerance: float, moving: bool = True) -> None:
        """Try a step, and choose the length of the next; a moving window follows the front."""
        error = front_step(self.phase, self.grid.medium, self.driving, self.step, self.after, self.work)
        scale = _SAFETY * (tolerance / max(error, 1e-3 * tolerance)) ** (1.0 / 3.0)
        taken, self.steps = self.step, self.steps + 1
        self.step *= min(max(scale, _SHRINK), _GROW) if math.isfinite(error) else _SHRINK
        if not error <= tolerance:
            return
        before, slope = self.covered, self.rate
        self.phase, self.after = self.after, self.phase
        self.rate = front_rates(self.phase, self.grid.medium, self.driving, self.work[0])
        passed = self._note((before, self.covered), (slope, self.rate), taken)
        if passed and moving:
            self._shift(passed * self.grid.per_period)
        self.time += taken
        self.path.append((self.time, self.covered - self.first))

    def _note(self, ends: tuple[float, float], slopes: tuple[float, float], step: float) -> int:
        """Note when whole periods were passed in a step, and return how many."""
        passed = 0
        while (target := self.first + (len(self.crossings) + 1) * self.grid.period) <= ends[1]:
            self.crossings.append(self.time + step * _crossing(ends, slopes, step, target))
            passed += 1
        return passed

    def _shift(self, cells: int) -> None:
        """Take the window along."""
        self.shifted += float(self.phase[:cells] @ self.grid.medium[2, :cells])
        self.phase[:-cells] = self.phase[cells:].copy()
        self.phase[-cells:] = 0.0

    def settled(self, wanted: float) -> tuple[bool, float, float]:
        """Return whether the speed has settled, the speed, and by how much it changed."""
        times = self.crossings
        count = next((n for n in range(1, len(times)) if times[-1] - times[-1 - n] >= _BLOCK), 0)
        if count == 0 or len(times) < 2 * count + 1:
            return False, 0.0, math.inf
        length = count * self.grid.period
        now = length / (times[-1] - times[-1 - count])
        drift = abs(now - length / (times[-1 - count] - times[-1 - 2 * count]))
        return drift <= wanted * now, now, drift


def run_front(grid: FrontGrid, driving: float, pace: Pace, start: np.ndarray | None = None) -> FrontRun:
    """Follow a front until its speed has settled, or it stands.

    Args:
        grid: layers and cells.
        driving: in units of the mean barrier, below the limit of stability of all layers.
        pace: tolerances and limits.
        start: the phase field to start from; the coarse profile unless given.

    Returns:
        the run. Its outcome is `step_limit` if it neither settled nor stopped.

    Cost: some 50 ns a cell and step; some 100 to 1000 steps.
    """
    walk = _Walk(grid, driving, (grid.first_front() if start is None else start).copy())
    seen, looked, done, speed, drift = 0, 0, False, 0.0, math.inf
    while not done and walk.steps < pace.max_steps:
        walk.advance(pace.tolerance)
        if len(walk.crossings) > seen:
            seen = len(walk.crossings)
            done, speed, drift = walk.settled(pace.drift)
            done = done or seen >= pace.periods
        elif walk.rate < _SLOW * 6.0 * driving and walk.steps > looked + _PATIENCE:
            looked = walk.steps
            found = stationary_front(grid, driving, walk.phase)
            if found is not None:
                walk.phase, walk.pinned, done, speed, drift = found, True, True, 0.0, 0.0
    return FrontRun(
        grid,
        driving,
        walk.phase,
        walk.crossings,
        speed,
        drift,
        walk.pinned,
        Outcome.converged if done else Outcome.step_limit,
        walk.steps,
        np.array(walk.path).T,
    )


def follow_periods(
    grid: FrontGrid, driving: float, pace: Pace, start: np.ndarray, longest: float, periods: int = 1
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Follow a settled front for some whole periods, without moving the window.

    Args:
        grid: layers and cells.
        driving: in units of the mean barrier.
        pace: tolerances and limits.
        start: the phase field of a run that has settled.
        longest: step not to be exceeded.
        periods: how many; together they have to leave the window its tails.

    Returns:
        the lengths of the steps, and the phase field at their ends, one more; the last one is interpolated to
        the end of the last period.
    """
    walk = _Walk(grid, driving, start.copy())
    phases, times = [start.copy()], [0.0]
    while len(walk.crossings) < periods and walk.steps < pace.max_steps:
        walk.step = min(walk.step, longest)
        walk.advance(pace.tolerance, moving=False)
        if walk.time > times[-1]:
            phases.append(walk.phase.copy())
            times.append(walk.time)
    if len(walk.crossings) >= periods:
        end = walk.crossings[periods - 1]
        share = (end - times[-2]) / (times[-1] - times[-2])
        phases[-1] = phases[-2] + share * (phases[-1] - phases[-2])
        times[-1] = end
    return np.diff(times), phases


def stationary_front(grid: FrontGrid, driving: float, near: np.ndarray) -> np.ndarray | None:
    """Return a stable stationary front near a phase field, None if there is none.

    Newton's method; stable means that the Jacobian has no growing mode, counted by the signs of its pivots.
    """
    phase, right, pivots = near.copy(), np.empty_like(near), np.empty_like(near)
    for _ in range(_NEWTON):
        front_rates(phase, grid.medium, driving, right)
        growing = front_pivots(phase, grid.medium, driving, 0.0, pivots)
        front_solve(grid.medium, pivots, right)
        change = float(np.max(np.abs(right)))
        if not math.isfinite(change) or np.max(np.abs(phase + right - near)) > _NEAR:
            return None
        phase += right
        if change < 1e-11:
            return phase if growing == 0 else None
    return None


def _crossing(ends: tuple[float, float], slopes: tuple[float, float], step: float, target: float) -> float:
    """Return the share of a step after which its cubic Hermite interpolant reaches a target, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        if _hermite(ends, slopes, step, middle) < target:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _hermite(ends: tuple[float, float], slopes: tuple[float, float], step: float, s: float) -> float:
    a, b = ends
    rest = 1.0 - s
    return (
        rest * rest * (1.0 + 2.0 * s) * a
        + s * s * (3.0 - 2.0 * s) * b
        + step * s * rest * (rest * slopes[0] - s * slopes[1])
    )
