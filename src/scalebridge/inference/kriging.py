"""A smooth function through scattered values: a Gaussian process on a linear trend, in closed form.

    f(w) ≈ H(w) b + k(w)ᵀ a,        k_j = exp(-|w - w_j|² / 2 l²),        [K + η 1, H; Hᵀ, 0] [a; b] = [y; 0]

Length and nugget η are those of the largest marginal likelihood (scikit-learn). What each value is missed by
when it is left out follows from the same matrix, without solving again: with P the upper left part of its
inverse, (P y)_i / P_ii (O. Dubrule, Math. Geol. 15 (1983) 687).
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.io.stored import need

_LENGTHS = (0.5, 20.0)  # least and largest, in units of the square root of the number of coordinates
_NUGGETS = (1e-8, 1e-1)  # in units of the process's variance
_BEGUN = (2.0, 1e-4)  # where the search begins


@dataclass(frozen=True)
class Kriged:
    """A fit, and how good it is.

    Args:
        length: l, in the units of the coordinates.
        pulls: (n, m) a.
        trend: (1 + d, m) b.
        left: (n, m) what each value is missed by when it is left out.
    """

    length: float
    pulls: np.ndarray
    trend: np.ndarray
    left: np.ndarray


def radial(places: Any, centres: Any, length: Any, xp: Any = np) -> Any:
    """Return exp(-|w - w_j|² / 2 l²) of places (..., d) and centres (n, d), with NumPy or (xp=jnp) JAX."""
    across = places @ centres.T
    square = xp.sum(places**2, axis=-1)[..., None] + xp.sum(centres**2, axis=-1) - 2.0 * across
    return xp.exp(-0.5 * square / length**2)


def krige(places: np.ndarray, values: np.ndarray, scale: np.ndarray) -> Kriged | None:
    """Fit values at places.

    Args:
        places: (n, d), spread by about one in each coordinate.
        values: (n, m).
        scale: (m,) by which what a trend leaves is weighed when length and nugget are chosen.

    Returns:
        the fit; None where there are hardly more places than a trend takes, or where they coincide.

    Raises:
        MissingExtraError: scikit-learn is not installed.

    Cost: some tens of Cholesky factors of an n x n matrix.
    """
    count, size = places.shape
    if count < 1.2 * (1 + size) + 2:
        return None
    trend = np.concatenate([np.ones((count, 1)), places], axis=1)
    rest = (values - trend @ np.linalg.lstsq(trend, values, rcond=None)[0]) / scale
    length, nugget = likeliest(places, rest)
    found = _fitted(radial(places, places, length) + nugget * np.eye(count), trend, values)
    return None if found is None else Kriged(length, *found)


def process_library() -> Any:
    """Return scikit-learn's Gaussian processes, or say which extra brings them."""
    return need("sklearn.gaussian_process", extra="sklearn", purpose="a Gaussian process as correction")


def likeliest(places: np.ndarray, rest: np.ndarray) -> tuple[float, float]:
    """Return length and nugget of the largest marginal likelihood of values (n, m) without a trend."""
    library, root = process_library(), math.sqrt(places.shape[1])
    size = float(np.sqrt(np.mean(rest**2)))
    begun = (_BEGUN[0] * root, _BEGUN[1])
    if size == 0.0:
        return begun
    lengths = (_LENGTHS[0] * root, _LENGTHS[1] * root)
    parts = library.kernels
    kernel = parts.ConstantKernel(1.0, (1e-3, 1e6)) * parts.RBF(begun[0], lengths)
    kernel += parts.WhiteKernel(begun[1], _NUGGETS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length or a nugget at an end of its range is an answer, too
        fitted = library.GaussianProcessRegressor(kernel).fit(places, rest / size).kernel_.get_params()
    nugget = fitted["k2__noise_level"] / fitted["k1__k1__constant_value"]
    return float(fitted["k1__k2__length_scale"]), float(np.clip(nugget, *_NUGGETS))


def _fitted(
    matrix: np.ndarray, trend: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    try:
        inverse = np.linalg.inv(matrix)
        carried = inverse @ trend
        solved = np.linalg.solve(trend.T @ carried, carried.T)
    except np.linalg.LinAlgError:
        return None
    projector = inverse - carried @ solved
    pulls, diagonal = projector @ values, np.diag(projector)
    if not np.all(np.isfinite(pulls)) or np.min(diagonal) <= 0.0:
        return None
    return pulls, solved @ values, pulls / diagonal[:, None]
