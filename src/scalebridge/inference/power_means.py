"""Upscaled properties of a population: power means of what is distributed normally or log-normally.

    M_w = <k^w>^(1/w) = exp(m + w s^2 / 2)      for ln k normal with mean m and variance s^2

w = 1, 0, -1 are the arithmetic, geometric and harmonic mean; flow along, through random isotropic
two-dimensional
and across layers (G. Matheron 1967; A. G. Journel, C. Deutsch and A. J. Desbarats 1986, SPE 15128, for the
others).
"""

from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.io.stored import nearest

EXPONENTS = {"arithmetic": 1.0, "geometric": 0.0, "harmonic": -1.0}
FLOW = "flow"
NAMES = (*EXPONENTS, "power", FLOW)


def power_mean(mean: np.ndarray, variance: np.ndarray, exponent: float | np.ndarray) -> np.ndarray:
    """Return the power mean of a log-normal population.

    Args:
        mean: of the logarithm.
        variance: of the logarithm.
        exponent: 1 arithmetic, 0 geometric, -1 harmonic.

    Example:
        >>> float(power_mean(np.array(0.0), np.array(2.0), 1.0)) == float(np.exp(1.0))
        True
    """
    return np.exp(mean + 0.5 * np.asarray(exponent) * variance)


def parse_property(upscale: Any, exponent: Any, logarithmic: bool) -> tuple[str, tuple[float, float]]:
    """Read which mean is asked for; return its name and the exponent's mean and standard deviation.

    Raises:
        InputError: an unknown name, an exponent without "power" or the other way round, or a mean that values
            which may be negative do not have.
    """
    name = "callable" if callable(upscale) else upscale
    if name not in (*NAMES, "callable"):
        raise InputError(
            "upscale",
            got=repr(upscale),
            wanted=f"a function, or one of {', '.join(NAMES)}",
            cure=nearest(str(upscale), NAMES),
        )
    if (name == "power") != (exponent is not None):
        raise InputError(
            "exponent",
            got=repr(exponent),
            wanted="an exponent with upscale='power', and none with others",
            cure="pass upscale='power', exponent=0.33 or exponent=(0.33, 0.1)",
        )
    if not logarithmic and name not in ("arithmetic", "callable"):
        raise InputError(
            "upscale",
            got=f"{name!r} of normal values",
            wanted="'arithmetic' or a function, for values that may be negative",
            cure="pass distribution='log-normal' if the values are positive",
        )
    return name, _exponent(name, exponent)


def _exponent(name: str, exponent: Any) -> tuple[float, float]:
    if name != "power":
        return EXPONENTS.get(name, 0.0), 0.0
    pair = exponent if isinstance(exponent, list | tuple) else (exponent, 0.0)
    fit = len(pair) == 2 and all(isinstance(x, int | float) and not isinstance(x, bool) for x in pair)
    if not fit or not -1.0 <= pair[0] <= 1.0 or not 0.0 <= pair[1] < np.inf:
        raise InputError(
            "exponent",
            got=repr(exponent),
            wanted="a number from -1 to 1, or (mean, standard deviation)",
            cure="pass exponent=0.33 for isotropic heterogeneity in three dimensions",
        )
    return float(pair[0]), float(pair[1])
