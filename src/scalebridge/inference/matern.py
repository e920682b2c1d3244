"""Matern correlations of half-integer smoothness, between positions and along a line.

    exponential    exp(-r)                                     r = d / l
    matern-3/2     (1 + a) exp(-a)                             a = sqrt(3) r
    matern-5/2     (1 + a + a^2 / 3) exp(-a)                   a = sqrt(5) r

Source: B. Matern (1960); C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning
    (2006),
eq. 4.14.
"""

from typing import Literal

import numpy as np

Correlation = Literal["exponential", "matern-3/2", "matern-5/2"]
ORDERS: dict[str, int] = {"exponential": 1, "matern-3/2": 2, "matern-5/2": 3}
"""Size of the state of the process along a line: smoothness + 1/2."""


def matern_correlation(distance: np.ndarray, length: float, correlation: Correlation) -> np.ndarray:
    """Return the correlation at some distances.

    Args:
        distance: distances, 0 or more.
        length: correlation length l, in the unit of the distances.
        correlation: "exponential", "matern-3/2" or "matern-5/2".

    Returns:
        numbers in (0, 1], of the same shape.

    Example:
        >>> float(matern_correlation(np.array(0.0), 2.0, "matern-3/2"))
        1.0
    """
    order = ORDERS[correlation]
    scaled = np.sqrt(2 * order - 1) * np.asarray(distance, float) / length
    factor = {1: 1.0, 2: 1.0 + scaled, 3: 1.0 + scaled + scaled**2 / 3.0}[order]
    return factor * np.exp(-scaled)


def matern_matrix(positions: np.ndarray, length: float, correlation: Correlation) -> np.ndarray:
    """Return the correlation matrix of positions, (n,) along a line or (n, d) in space.

    Cost: n^2 exponentials; what stands on it takes n^3, so some thousand positions.
    """
    points = np.asarray(positions, float).reshape(len(positions), -1)
    gaps = points[:, None, :] - points[None, :, :]
    return matern_correlation(np.sqrt(np.sum(gaps**2, axis=-1)), length, correlation)
