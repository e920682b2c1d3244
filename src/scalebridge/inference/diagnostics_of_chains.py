"""Whether chains of a hierarchy may be believed: R-hat and effective size of `diagnostics`, and their checks.

A parameter that a chain cannot move (one that is known, say) is no reason to doubt it; chains that stand
still at different values are.
"""

import math
from collections.abc import Sequence

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.inference.diagnostics import ess_bulk, r_hat

_MIXED, _ENOUGH = 1.02, 200.0


def rhat(draws: np.ndarray) -> float:
    """Return the rank-normalised split R-hat of chains (chains, draws): 1 where they agree."""
    if np.ptp(draws) == 0.0:
        return 1.0
    found = r_hat(draws)
    return math.inf if math.isnan(found) else found


def effective_size(draws: np.ndarray) -> float:
    """Return how many independent draws chains (chains, draws) are worth; all of them if nothing moves.

    Example:
        >>> bool(effective_size(np.random.default_rng(0).standard_normal((4, 500))) > 1500)
        True
    """
    if np.ptp(draws) == 0.0:
        return float(draws.size)
    found = ess_bulk(draws)
    return 0.0 if math.isnan(found) else found


def chain_checks(series: Sequence[np.ndarray]) -> tuple[tuple[Check, ...], float]:
    """Return the checks of several parameters' chains (chains, draws), and the least effective size."""
    worst, least = max(map(rhat, series)), min(map(effective_size, series))
    checks = (
        Check("R-hat", worst, _MIXED, meaning="chains agree: rank-normalised split R-hat, worst parameter"),
        Check("effective draws", least, _ENOUGH, "at least", "independent draws of the worst parameter"),
    )
    return checks, least
