"""What uncertain volume fractions do to a mixture's tensor, by the power mean through the tensor."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from scalebridge.core.errors import InputError

_FLATTEST = 1e-6  # exponent that stands for the geometric mean


def fraction_scatter(
    tensor: ArrayLike, fractions: ArrayLike, values: ArrayLike, covariance: ArrayLike
) -> np.ndarray:
    """Standard deviation of a mixture's tensor that comes from scattering volume fractions.

    The mean k of the principal values is read as a power mean, k = (sum f_i k_i^a)^(1/a), -1 <= a <= 1, whose
    derivatives g_i = k ((k_i / k)^a - 1) / a give  var k = g' C g.

    Args:
        tensor: (n, n) tensor of the mixture.
        fractions: (phases,) volume fractions, with sum 1.
        values: (phases,) non-negative numbers of the phases, in the tensor's unit.
        covariance: (phases, phases) covariance of the fractions.

    Returns:
        (n, n) standard deviations: of each diagonal component its own share of that of the mean, 0 elsewhere.

    Raises:
        InputError: arrays that do not fit together, or negative values.

    Limits: an estimate of size; the power mean knows nothing of where the phases are.
    Cost: nothing to speak of.

    Source: power means of phases as mixture laws: K. Lichtenecker and K. Rother, Phys. Z. 32 (1931) 255.

    Example:
        >>> one_percent = 1e-4 * np.array([[1.0, -1.0], [-1.0, 1.0]])
        >>> fraction_scatter(np.eye(2) * 2.0, [0.5, 0.5], [1.0, 3.0], one_percent).round(4).tolist()
        [[0.02, 0.0], [0.0, 0.02]]
    """
    matrix, shares, known, scatter = (
        np.asarray(array, dtype=float) for array in (tensor, fractions, values, covariance)
    )
    fits = matrix.ndim == 2 and shares.ndim == 1 and known.shape == shares.shape
    if not fits or scatter.shape != shares.shape * 2 or np.any(known < 0):
        raise InputError(
            "tensor, fractions, values, covariance",
            got=f"shapes {matrix.shape}, {shares.shape}, {known.shape} and {scatter.shape}",
            wanted="(n, n), (phases,), (phases,) non-negative, and (phases, phases)",
            cure="give one number a phase",
        )
    mean = float(np.trace(matrix)) / len(matrix)
    if mean <= 0:
        return np.zeros_like(matrix)
    slopes = _slopes(shares, known / mean)
    relative = math.sqrt(max(float(slopes @ scatter @ slopes), 0.0))
    return np.diag(relative * np.abs(np.diag(matrix)))


def _slopes(shares: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Return g_i / k of the power mean that makes 1 of the ratios k_i / k, or of the nearest one."""
    lowest = -1.0 if ratios.min() > 0 else _FLATTEST

    def excess(exponent: float) -> float:
        return float(shares @ _powers(ratios, exponent))

    if excess(lowest) >= 0:
        return _powers(ratios, lowest)
    if excess(1.0) <= 0:
        return _powers(ratios, 1.0)
    return _powers(ratios, float(np.asarray(brentq(excess, lowest, 1.0))))


def _powers(ratios: np.ndarray, exponent: float) -> np.ndarray:
    """(x^a - 1) / a, the logarithm where a is next to 0."""
    if abs(exponent) < _FLATTEST and ratios.min() > 0:
        return np.log(ratios)
    return (ratios**exponent - 1) / exponent
