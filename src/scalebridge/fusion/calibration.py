"""Intervals held to scenes: every scene is predicted without itself, and deviations are stretched to fit.

Real fields change more here than there, and in autumn more than in winter; a Gaussian model of one size
for all then says intervals that more than one value in twenty lies outside of. With all standard deviations
(of the field, noise, bias and offsets) multiplied by one number the estimate stays what it is, and its
standard deviation is multiplied by that number.
"""

from collections.abc import Callable

import numpy as np

from scalebridge.fusion.fusion_problem import Observed, Problem
from scalebridge.fusion.learning import Learnt

_NORMAL = 1.959963984540054  # 95 % of a normal distribution lie within so many deviations
_FEWEST, _MOST = 4, 24  # scenes
_DEVIATIONS = ("std", "start", "slope", "noise", "offset")


def calibrated(problem: Problem, learnt: Learnt, scores: Callable[[Observed, int], np.ndarray]) -> Learnt:
    """Return parameters whose deviations are stretched so that 95 % of scenes' pixels are in their interval.

    Every scene of a sensor on the fine grid that lies between others is predicted from all other data, with
    the parameters that were learnt from all; the stretch is the 95 % quantile of the differences in units of
    their standard deviation, over 1.96. With fewer than four such scenes it is one.

    Args:
        problem: the problem, without scenes that are far off.
        learnt: the parameters.
        scores: of a method: absolute differences of a scene to its prediction without it, see `scene_scores`.

    Cost: for each scene, at most 24, a smoothing.

    Source: residuals of what was left out, as in the jackknife of Barber, Candès, Ramdas & Tibshirani, Ann.
        Statist. 49 (2021) 486, but over scenes, with parameters that saw all of them.
    """
    told = [
        scores(o, int(place))
        for o in problem.observed
        if o.factor == (1, 1) and o.alone is not None
        for place in _scenes_between(o)
    ]
    found = [score for score in told if len(score)]
    if len(found) < _FEWEST:
        return learnt
    stretch = float(np.quantile(np.concatenate(found), 0.95)) / _NORMAL
    return learnt._replace(values=stretched(learnt.values, stretch), stretch=stretch)


def stretched(values: dict[str, float], by: float) -> dict[str, float]:
    """Return parameters with all standard deviations multiplied.

    Example:
        >>> stretched({"ar1 std": 1.0, "ar1 time": 3.0, "ar1 std [2]": 2.0}, 1.5)
        {'ar1 std': 1.5, 'ar1 time': 3.0, 'ar1 std [2]': 3.0}
    """
    relative = {n.split(" std [")[0] for n in values if " std [" in n}  # parts whose start is in units of it

    def factor(name: str) -> float:
        part, _, kind = name.split(" [", maxsplit=1)[0].rpartition(" ")
        fixed = kind in ("start", "slope") and part in relative
        return by if kind in _DEVIATIONS and not fixed else 1.0

    return {n: v * factor(n) for n, v in values.items()}


def scene_scores(
    observed: Observed,
    values: dict[str, float],
    scene: tuple[np.ndarray, np.ndarray],
    told: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Return a scene's absolute differences to its prediction without it, in units of their deviation.

    Args:
        observed: its sensor.
        values: all parameters.
        scene: its values, and the variance of their noise in units of the sensor's.
        told: mean and variance of the field there.
    """
    seen, scale = scene
    noise = scale * values[f"{observed.name} noise"] ** 2 + values.get(f"{observed.name} offset", 0.0) ** 2
    score = np.abs(told[0] - seen) / np.sqrt(told[1] + noise)
    return score[np.isfinite(score)]


def _scenes_between(observed: Observed) -> np.ndarray:
    seen = np.flatnonzero(np.isfinite(observed.values).any(axis=1))[1:-1]
    if len(seen) <= _MOST:
        return seen
    return seen[np.linspace(0, len(seen) - 1, _MOST).round().astype(int)]
