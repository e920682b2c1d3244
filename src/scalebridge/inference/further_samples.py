"""How many more samples reach a wanted interval: the expected posterior variance.

A further sample of a group carries on average the information i that those measured carried, so that m of
them leave of the conditional variance V of the group's value

    V(m) = < 1 / (1 / V + m i) >,

a mean over the posterior of the spreads, to which the part from not knowing the spreads is added as it is.
For independent samples i = 1 / (heterogeneity^2 + noise^2), exactly.
"""

import math

import numpy as np

from scalebridge.inference.hierarchy import Hierarchy
from scalebridge.inference.hierarchy_collapse import Collapse, moments_down

_Z = 1.959963984540054
MOST = 1_000_000


def information(
    hierarchy: Hierarchy, values: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return conditional means and variances of the finest groups, and what one sample each tells.

    Args:
        hierarchy: the model.
        values: draws of the hyperparameters, (draws,).

    Returns:
        means, variances and information, each (draws, groups).
    """
    collapse = Collapse(hierarchy.measurements.tree, hierarchy.top)
    spreads = hierarchy.spreads(values)
    number = np.maximum(np.bincount(collapse.tree.finest, minlength=collapse.tree.groups), 1)
    means, variances, told = [], [], []
    for piece in collapse.chunks(spreads.count):
        some = spreads.take(piece)
        up = collapse.up(some)
        mean, covariance = moments_down(collapse, up, some)[-1]
        means.append(mean[:, :, 0])
        variances.append(covariance[:, :, 0, 0])
        told.append(up.sums[-1][:, :, 0, 0] / number)
    return np.concatenate(means), np.concatenate(variances), np.concatenate(told)


def further_samples(
    variance: np.ndarray, information_each: np.ndarray, rest: float, wanted: float
) -> int | None:
    """Return how many more samples a group needs.

    Args:
        variance: conditional variances of the group's value, (draws,).
        information_each: of one sample, (draws,).
        rest: variance that samples of this group do not remove.
        wanted: half width of the 95 % interval, in the coordinate.

    Returns:
        the number; 0 where the interval is narrow enough; None where no number is enough.

    Example:
        >>> one = np.ones(3)
        >>> further_samples(one, one, 0.0, 1.96 / 1.9)  # 1 / (1 + m) is to be below 1 / 1.9^2
        3
    """
    goal = (wanted / _Z) ** 2 * (1.0 - 1e-12)

    def left(m: float) -> float:
        return float(np.mean(1.0 / (1.0 / variance + m * information_each))) + rest

    if left(0) <= goal:
        return 0
    if left(MOST) > goal:
        return None
    low, high = 0, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if left(middle) <= goal else (middle, high)
    return high


def further_groups(
    between: np.ndarray, within: np.ndarray, groups: int, rest: float, wanted: float
) -> int | None:
    """Return how many more groups, sampled as those there are, the mean of all needs.

    Args:
        between: variances between groups, (draws,).
        within: variances of a group's own mean, (draws,).
        groups: number of groups there are.
        rest: variance that groups do not remove.
        wanted: half width of the 95 % interval, in the coordinate.
    """
    goal = (wanted / _Z) ** 2 - rest
    if goal <= 0:
        return None
    needed = math.ceil(float(np.mean(between + within)) / goal - 1e-9)
    return max(0, needed - groups) if needed < MOST else None
