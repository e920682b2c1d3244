"""Noise with heavy tails: Student's t as a normal noise whose variance every observation has to itself.

With nu degrees of freedom an observation has the weight w = (nu + 1) / (nu + E[e^2] / R), where e is what is
left of it after smoothing and R the variance of its noise; it counts as a normal one with variance R / w.
Weights and smoothing are found in turn, which is expectation and maximisation of the t likelihood.
"""

from dataclasses import replace

import numpy as np

from scalebridge.fusion.block_engine import smooth
from scalebridge.fusion.fusion_blocks import cut_blocks, out_of_blocks
from scalebridge.fusion.fusion_problem import Problem
from scalebridge.fusion.learning import systems_of

ROUNDS = 6


def reweighted(problem: Problem, block: tuple[int, int], values: dict[str, float]) -> Problem:
    """Return the problem with a weight for every observation of sensors whose noise has heavy tails.

    Args:
        problem: the problem.
        block: pixels of a footprint.
        values: all parameters.

    Cost: six times that of a likelihood and its slope.

    Source: Lange, Little & Taylor, J. Am. Statist. Assoc. 84 (1989) 881.
    """
    place = np.full(len(problem.days), -1)
    place[0] = 0
    for _ in range(ROUNDS):
        layout, data = cut_blocks(problem, block)
        found, _ = smooth(data, systems_of(layout, values), place)
        precision = 1.0 / found.spread**2
        observed = []
        for number, o in enumerate(problem.observed):
            own = data.sensor == number
            if o.tails is None or o.factor is None:
                observed.append(o)
                continue
            shape, inner = (tuple(n // f for n, f in zip(whole, o.factor, strict=True))
                            for whole in (problem.grid.shape, block))  # fmt: skip
            smoothed, known = (
                out_of_blocks(a[:, :, own], shape, inner).reshape(o.values.shape)  # type: ignore[arg-type]
                for a in (found.residual * precision, precision)
            )
            base = o.scale * values[f"{o.name} noise"] ** 2
            now = o.noise_scale * values[f"{o.name} noise"] ** 2
            left = (now * smoothed) ** 2 + now - now**2 * known
            weight = (o.tails + 1.0) / (o.tails + left / base)
            observed.append(replace(o, weight=np.where(np.isfinite(o.values), weight, 1.0)))
        problem = replace(problem, observed=tuple(observed))
    return problem


def doubtful(problem: Problem) -> dict[str, int]:
    """Return by sensor how many observations count for less than a third of what they would."""
    return {
        o.name: int((o.weight[np.isfinite(o.values)] < 1 / 3).sum())
        for o in problem.observed
        if o.weight is not None
    }
