"""The speed of a front through layers, with its own error; and the driving force below which it stands."""

import math
from dataclasses import dataclass

import numpy as np

from scalebridge.cells.front_medium import LayeredMedium, grid_of
from scalebridge.cells.travelling_front import FrontRun, Pace, run_front, stationary_front
from scalebridge.core.results import Outcome, worst_outcome
from scalebridge.laws.double_well import tilt, well

_FOURTH = 1.0 / 3.0  # of what halving the cells changes is left: the grid's error falls with its square


@dataclass(frozen=True)
class FrontSpeed:
    """How fast a front runs through layers under one driving force.

    Args:
        driving: J/m^3.
        speed: m/s, extrapolated to a fine grid; 0 for a front that stands.
        errors: by name, m/s: "grid" (what is left after halving the cells), "time step" (what steps half as
            long change) and "drift" (from one block of periods to the next).
        pinned: whether a stable stationary front was found, on the finer grid.
        outcome: how the runs ended.
        run: the run on the finer grid.
    """

    driving: float
    speed: float
    errors: dict[str, float]
    pinned: bool
    outcome: Outcome
    run: FrontRun

    @property
    def error(self) -> float:
        """Root of the sum of the squares of the errors, m/s."""
        return float(np.linalg.norm(list(self.errors.values())))


def front_speed(
    layers: LayeredMedium, driving: float, *, resolution: float = 8.0, pace: Pace | None = None
) -> FrontSpeed:
    """Measure the mean speed of a front over whole periods, once it repeats.

    Three runs: on a grid, on one with cells half as wide, and with time steps half as long.

    Args:
        layers: the layers, in SI.
        driving: m, J/m^3.
        resolution: cells to the interface's length l; the finer grid has twice as many.
        pace: tolerances and limits of a run.

    Returns:
        the speed, in SI.

    Raises:
        InputError: a driving force that is not positive, or at which a layer is not metastable.

    Limits: a flat front along the layers' normal.

    Example:
        >>> same = LayeredMedium((1.0,), (3.0,), (2.0,), (1.0,))
        >>> found = front_speed(same, 0.1)
        >>> print(f"{found.speed:.4f} of {same.coarse_interface.speed(3.0, 0.1):.4f}")
        1.8000 of 1.8000
    """
    layers.check_driving(driving)
    pace, scaled = pace or Pace(), driving / layers.coarse_interface.barrier
    coarse = run_front(grid_of(layers, scaled, resolution), scaled, pace)
    fine = _refined(layers, scaled, resolution, 2, pace, coarse)
    if coarse.pinned and not fine.pinned:  # just above the threshold: only the finer grid tells
        coarse, fine = fine, _refined(layers, scaled, resolution, 4, pace, fine)
    unit, outcome = layers.speed_unit, worst_outcome([coarse.outcome, fine.outcome])
    if fine.pinned or outcome is not Outcome.converged:
        return FrontSpeed(driving, unit * fine.speed, {}, fine.pinned, fine.outcome, fine)
    slower = run_front(coarse.grid, scaled, pace.halved, coarse.phase)
    step = fine.speed - coarse.speed
    errors = {
        "grid": abs(step) * _FOURTH,
        "time step": abs(slower.speed - coarse.speed),
        "drift": fine.drift,
    }
    return FrontSpeed(
        driving,
        unit * (fine.speed + _FOURTH * step),
        {name: unit * error for name, error in errors.items()},
        False,
        worst_outcome([outcome, slower.outcome]),
        fine,
    )


def _refined(
    layers: LayeredMedium, scaled: float, resolution: float, refinement: int, pace: Pace, coarse: FrontRun
) -> FrontRun:
    """Go on from a run on a grid with cells twice as wide."""
    start = np.repeat(coarse.phase, 2)
    return run_front(grid_of(layers, scaled, resolution, refinement), scaled, pace, start)


def thick_layer_threshold(layers: LayeredMedium) -> float:
    """Return the driving force below which a front stands, for layers much thicker than the interface; exact.

    A front stands at a boundary between a layer and the next one while forces balance there: with kappa phi'
    continuous, the first integrals  kappa phi'^2 / 2 = W phi^2 (1 - phi)^2 + m (1 - g)  behind and
    kappa phi'^2 / 2 = W phi^2 (1 - phi)^2 - m g  ahead,  g = phi^2 (3 - 2 phi),  give
    m = phi^2 (1 - phi)^2 (kappa_2 W_2 - kappa_1 W_1) / (kappa_1 (1 - g) + kappa_2 g)
    for some phi at the boundary. The largest such m of all boundaries is the answer: zero where kappa W is
    the same in all layers.

    Args:
        layers: the layers, in the order in which the front meets them.

    Returns:
        the threshold, J/m^3, to some 1e-6 of it.

    Example:
        >>> tough = LayeredMedium((1.0, 1.0), (1.0, 1.0), (2.0, 2.0), (1.0, 1.5))
        >>> print(f"{thick_layer_threshold(tough):.4f}")
        0.0312
    """
    phase = np.linspace(0.0, 1.0, 2001)[1:-1]
    gradients, barriers = layers.gradient_energies, layers.barriers
    largest = 0.0
    for before in range(len(gradients)):
        after = (before + 1) % len(gradients)
        rise = gradients[after] * barriers[after] - gradients[before] * barriers[before]
        held = gradients[before] * (1.0 - tilt(phase)) + gradients[after] * tilt(phase)
        largest = max(largest, float(np.max(well(phase) * rise / held)))
    return largest


@dataclass(frozen=True)
class Threshold:
    """Between which driving forces a front begins to move.

    Args:
        pinned: largest driving force at which a stationary front was found, J/m^3; 0 if none was.
        moving: smallest driving force at which the front went on, J/m^3; infinite if it never did.
        trials: how many driving forces were tried.
        outcome: `step_limit` if a front neither went on nor stopped within the limit of steps.
    """

    pinned: float
    moving: float
    trials: int
    outcome: Outcome = Outcome.converged


def depinning_threshold(
    layers: LayeredMedium, *, rtol: float = 0.01, resolution: float = 16.0, pace: Pace | None = None
) -> Threshold:
    """Find the driving force at which a front begins to move, by bisection.

    Each trial looks for a stationary front that is stable, first from the last one found by Newton's method,
    then by following a front until it stands or has gone far: two periods and two lengths of the interface.

    Args:
        layers: the layers, in SI.
        rtol: wanted width of the bracket, relative to its upper end.
        resolution: cells to the interface's length l.
        pace: tolerances and limits of a run.

    Returns:
        the bracket. Layers that pin no front at a thousandth of their limit of stability are taken for free.

    Cost: some ten runs.

    Example:
        >>> tough = LayeredMedium((40.0, 40.0), (1.0, 1.0), (2.0, 2.0), (1.0, 1.5))
        >>> found = depinning_threshold(tough, rtol=0.1, resolution=8.0)
        >>> found.pinned < thick_layer_threshold(tough) < found.moving
        True
    """
    limit = (1.0 - 1e-9) * layers.largest_driving
    floor = 1e-3 * limit
    far = 2 + math.ceil(2.0 * layers.coarse_interface.length() / layers.period)
    search = _Search(layers, resolution, (pace or Pace())._replace(periods=far), limit)
    high = min(1.05 * thick_layer_threshold(layers), limit) or floor
    low = 0.0
    while search.stands(high):
        low = high
        if high >= limit:
            return Threshold(limit, np.inf, search.trials, search.outcome)
        high = min(1.5 * high, limit)
    while high - low > rtol * high and high > floor:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if search.stands(middle) else (low, middle)
    return Threshold(low, high, search.trials, search.outcome)


@dataclass
class _Search:
    """Trials on one grid, whose window is wide enough for every driving force."""

    layers: LayeredMedium
    resolution: float
    pace: Pace
    limit: float
    trials: int = 0
    last: np.ndarray | None = None
    outcome: Outcome = Outcome.converged

    def __post_init__(self):
        barrier = self.layers.coarse_interface.barrier
        self.grid = grid_of(self.layers, 0.9 * self.limit / barrier, self.resolution)

    def stands(self, driving: float) -> bool:
        """Return whether a front is pinned."""
        self.trials += 1
        scaled = driving / self.layers.coarse_interface.barrier
        found = None if self.last is None else stationary_front(self.grid, scaled, self.last)
        if found is None:
            run = run_front(self.grid, scaled, self.pace)
            self.outcome = worst_outcome([self.outcome, run.outcome])
            found = run.phase if run.pinned else None
        if found is not None:
            self.last = found
        return found is not None
