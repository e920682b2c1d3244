"""L-BFGS with a given metric: the inner loop of every level."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Cost = Callable[[np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Descent:
    """Where a descent ended.

    Args:
        x: the minimiser.
        cost: there.
        costs: after each step, the start's first.
        evaluations: of cost and derivative.
    """

    x: np.ndarray
    cost: float
    costs: tuple[float, ...]
    evaluations: int


def descend(
    cost: Cost,
    start: np.ndarray,
    metric: Callable[[np.ndarray], np.ndarray],
    *,
    steps: int = 60,
    tolerance: float = 1e-5,
    memory: int = 10,
    longest: float = np.inf,
) -> Descent:
    """Minimise a function by limited-memory BFGS whose first guess of the inverse curvature is given.

    Args:
        cost: value and derivative at a point, (n,).
        start: where to begin.
        metric: applies the guess to a vector; the first step it proposes is tried whole.
        steps: most steps.
        tolerance: it ends when three steps together gain less than this.
        memory: pairs that are kept.
        longest: no number changes by more than this in one step.

    Source: J. Nocedal 1980; steps by backtracking to Armijo's condition.

    Example:
        >>> found = descend(lambda x: (float(x @ x), 2 * x), np.ones(3), lambda g: g / 2)
        >>> found.cost < 1e-20, found.evaluations
        (True, 2)
    """
    x, (value, slope) = start.copy(), cost(start)
    slope = slope.copy()
    costs, count, pairs = [value], 1, []
    for _ in range(steps):
        way = -_two_loops(slope, pairs, metric)
        way *= min(1.0, longest / max(np.abs(way).max(initial=0.0), 1e-300))
        fall = float(way @ slope)
        if not fall < 0:
            break
        length, new, new_value, new_slope, tried = _search(cost, x, value, fall, way)
        count += tried
        if length == 0:
            break
        change, bend = new - x, new_slope - slope
        if float(change @ bend) > 1e-10 * np.linalg.norm(change) * np.linalg.norm(bend):
            pairs = [*pairs[-(memory - 1) :], (change, bend)]
        x, value, slope = new, new_value, new_slope
        costs.append(value)
        if len(costs) > 3 and costs[-4] - value < tolerance:
            break
    return Descent(x, value, tuple(costs), count)


def _two_loops(slope: np.ndarray, pairs: list, metric: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    q, shares = slope.copy(), []
    for change, bend in reversed(pairs):
        share = float(change @ q) / float(change @ bend)
        shares.append(share)
        q -= share * bend
    found = metric(q)
    for (change, bend), share in zip(pairs, reversed(shares), strict=True):
        found += (share - float(bend @ found) / float(change @ bend)) * change
    return found


def _search(cost: Cost, x: np.ndarray, value: float, fall: float, way: np.ndarray):
    """Shorten a step until the value falls enough; give up after eight trials."""
    length = 1.0
    for tried in range(1, 9):
        new = x + length * way
        new_value, new_slope = cost(new)
        if new_value <= value + 1e-4 * length * fall:
            return length, new, new_value, new_slope.copy(), tried
        best = -0.5 * fall * length * length / (new_value - value - fall * length)
        length = min(max(best, 0.1 * length), 0.6 * length)
    return 0.0, x, value, np.zeros_like(x), 8
