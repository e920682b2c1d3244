"""Noise with heavy tails: Student's t as a normal noise whose variance every observation has to itself.

With nu degrees of freedom an observation has the weight w = (nu + 1) / (nu + E[e^2] / R), where e is what is
left of it after smoothing and R the variance of its noise; it counts as a normal one with variance R / w.
Weights and smoothing are found in turn, which is expectation and maximisation of the t likelihood.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from scalebridge.fusion.fusion_problem import Problem

ROUNDS = 6


def reweighted(
    problem: Problem,
    values: dict[str, float],
    squares: Callable[[Problem, dict[str, float]], Mapping[str, np.ndarray]],
) -> Problem:
    """Return the problem with a weight for every observation of sensors whose noise has heavy tails.

    Args:
        problem: the problem.
        values: all parameters.
        squares: of a method: by sensor (dates, rows), E[e^2] of what smoothing leaves of each observation, at
            the coefficients' mean.

    Cost: six times that of `squares`.

    Source: Lange, Little & Taylor, J. Am. Statist. Assoc. 84 (1989) 881.
    """
    for _ in range(ROUNDS):
        left = squares(problem, values)
        problem = replace(
            problem,
            observed=tuple(
                o
                if o.tails is None
                else replace(
                    o, weight=_weights(left[o.name], o.scale * values[f"{o.name} noise"] ** 2, o.tails)
                )
                for o in problem.observed
            ),
        )
    return problem


def _weights(square: np.ndarray, noise: np.ndarray, tails: float) -> np.ndarray:
    """Weights of observations; one where nothing was seen."""
    return np.where(np.isfinite(square), (tails + 1.0) / (tails + square / noise), 1.0)


def doubtful(problem: Problem) -> dict[str, int]:
    """Return by sensor how many observations count for less than a third of what they would."""
    return {
        o.name: int((o.weight[np.isfinite(o.values)] < 1 / 3).sum())
        for o in problem.observed
        if o.weight is not None
    }
