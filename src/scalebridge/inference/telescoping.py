"""Means by a telescoping sum over levels: cheap chains for most of it, the fine one for the differences.

    E_L[q_L] = E_0[q_0] + Σ_l (E_l[q_l] - E_{l-1}[q_{l-1}])

Each term is taken from one chain, that of level l, whose draws stand for level l - 1 with the weights
w = π_{l-1} / π_l, which the screened kernel knows already. So no term leans on a subchain having forgotten
its start, and its two halves are correlated, so that their difference varies little.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.inference.diagnostics import standard_error


@dataclass(frozen=True)
class Rung:
    """Draws of one level's own chain.

    Args:
        values: (chains, draws, n) values of the parameters.
        log_likelihoods: (chains, draws, l + 1) of this level and those below, as these were sampled.
        outputs: by level from the coarsest to this one, (chains, draws, m) answers.
        seconds: time that it took in all models.
    """

    values: np.ndarray
    log_likelihoods: np.ndarray
    outputs: tuple[np.ndarray, ...]
    seconds: float = math.nan


@dataclass(frozen=True)
class TelescopingMean:
    """A mean with its parts.

    Args:
        value: the mean on the finest level.
        std: its Monte-Carlo standard error.
        terms: mean of the coarsest level, then the differences.
        variances: variance of each term's estimate.
        costs: seconds in models that each term took.
        weights: for each difference, the share of draws that the weights leave, 1 for equal ones.
        plain: mean and standard error from the finest chain alone.
    """

    value: float
    std: float
    terms: tuple[float, ...]
    variances: tuple[float, ...]
    costs: tuple[float, ...]
    weights: tuple[float, ...]
    plain: tuple[float, float]


Quantity = Callable[[np.ndarray, np.ndarray], np.ndarray]


def telescoping_mean(rungs: Sequence[Rung], quantity: Quantity) -> TelescopingMean:
    """Estimate the mean of a quantity on the finest level from chains of all levels.

    Args:
        rungs: draws by level, coarse to fine.
        quantity: of values (..., n) and answers (..., m) of a level, returns (...) numbers.

    Raises:
        InputError: no level, or a quantity of another shape.

    Limits: the weights must have a variance; `weights` near zero says that the levels are too far apart.
    Source: Giles, Oper. Res. 56 (2008) 607; in this form, Lykkegaard et al. (2023) with importance weights in
        place of subchains' ends.
    """
    if not rungs:
        raise InputError(
            "rungs", got="no level", wanted="draws of each level", cure="sample with telescoping="
        )
    own = [_asked(rung, quantity, -1) for rung in rungs]
    terms, variances, shares = [float(own[0].mean())], [standard_error(own[0]) ** 2], []
    for rung, here in zip(rungs[1:], own[1:], strict=True):
        below, weight = _asked(rung, quantity, -2), _weights(rung)
        lower = float(np.mean(weight * below))
        influence = here - here.mean() - weight * (below - lower)
        terms.append(float(here.mean()) - lower)
        variances.append(0.0 if np.ptp(influence) == 0.0 else standard_error(influence) ** 2)
        shares.append(float(1.0 / np.mean(weight**2)))
    plain = (float(own[-1].mean()), standard_error(own[-1]))
    return TelescopingMean(
        math.fsum(terms),
        math.sqrt(math.fsum(variances)),
        tuple(terms),
        tuple(variances),
        tuple(rung.seconds for rung in rungs),
        tuple(shares),
        plain,
    )


def _asked(rung: Rung, quantity: Quantity, level: int) -> np.ndarray:
    found = np.asarray(quantity(rung.values, rung.outputs[level]), dtype=float)
    if found.shape != rung.values.shape[:2]:
        raise InputError(
            "quantity",
            got=f"an array of shape {found.shape}",
            wanted=f"one number a draw, {rung.values.shape[:2]}",
            cure="keep the first axes: lambda values, outputs: values[..., 0]",
        )
    return found


def _weights(rung: Rung) -> np.ndarray:
    """Importance weights of the level below, with mean 1."""
    gap = rung.log_likelihoods[..., -2] - rung.log_likelihoods[..., -1]
    raw = np.exp(gap - gap.max())
    return raw / raw.mean()
