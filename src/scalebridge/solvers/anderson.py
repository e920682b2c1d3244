"""Fixed points x = g(x), accelerated after Anderson."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalebridge.core.results import Outcome

_DIVERGED = 1e3  # times the least change seen so far
_PATIENCE = 60  # steps without a smaller change


@dataclass(frozen=True)
class FixedPoint:
    """Where an iteration ended.

    Args:
        value: the point.
        history: largest change |g(x) - x| at each step.
        outcome: how it ended.
    """

    value: np.ndarray
    history: tuple[float, ...]
    outcome: Outcome


def accelerated_fixed_point(
    step: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    atol: float = 1e-10,
    max_steps: int = 300,
    depth: int = 8,
) -> FixedPoint:
    """Return a point with g(x) = x.

    The next point is the combination of the last ones whose change is least in the mean square.

    Args:
        step: g.
        start: (n,) a first guess.
        atol: wanted largest change.
        max_steps: evaluations of g.
        depth: how many points are combined; 0 is the plain iteration.

    Returns:
        the point, or the one with the least change; its outcome is `stagnated` where the change has long
        stopped to fall, and `breakdown` where it grew without limit.

    Source: D. G. Anderson, J. ACM 12 (1965) 547; H. F. Walker, P. Ni, SIAM J. Numer. Anal. 49 (2011) 1715.

    Example:
        >>> found = accelerated_fixed_point(np.cos, np.ones(1))
        >>> print(f"{found.value[0]:.9f}", len(found.history) < 12)
        0.739085133 True
    """
    points: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    history: list[float] = []
    best, best_at, nearest, value = np.inf, 0, start, start
    for count in range(max_steps):
        with np.errstate(over="ignore", invalid="ignore"):  # where it diverges, that is told by the outcome
            change = step(value) - value
        size = float(np.abs(change).max(initial=0.0))
        history.append(size)
        if size <= atol:
            return FixedPoint(value + change, tuple(history), Outcome.converged)
        if not np.isfinite(size) or size > _DIVERGED * best:
            return FixedPoint(nearest, tuple(history), Outcome.breakdown)
        if size < best:
            best, best_at, nearest = size, count, value
        if count - best_at > _PATIENCE:
            return FixedPoint(nearest, tuple(history), Outcome.stagnated)
        points, changes = [*points[-depth:], value], [*changes[-depth:], change]
        value = _combined(points, changes) if depth else value + change
    return FixedPoint(nearest, tuple(history), Outcome.step_limit)


def _combined(points: list[np.ndarray], changes: list[np.ndarray]) -> np.ndarray:
    last = points[-1] + changes[-1]
    if len(points) < 2:
        return last
    moved = np.diff(np.stack(points), axis=0).T
    differed = np.diff(np.stack(changes), axis=0).T
    weights = np.linalg.lstsq(differed, changes[-1], rcond=1e-10)[0]
    return last - (moved + differed) @ weights
