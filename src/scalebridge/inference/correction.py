"""What a coarse model gets wrong, learnt from the fine one: an error model of the coarse answers.

    f(u) ≈ c(u) + B φ(w),      w = R⁻¹ (u - m)

with φ the polynomials of degree 0, 1 or 2 in whitened coordinates, or those of degree 1 with a Gaussian
process (`kriging`), and the covariance of what is left added to the noise. Degree 0 is the state-independent
adaptive error model (Cui, Fox & O'Sullivan, Water Resour. Res. 47 (2011) W10521). Whatever is learnt, the
last stage keeps the fine posterior exact.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from scalebridge.inference.kriging import krige, radial

PROCESS = 3  # the degree that stands for a Gaussian process
_MOST_CENTRES = 256  # of a Gaussian process; fewer are padded, so that what is compiled fits all
_MOST_QUADRATIC = 24  # coordinates; a hundred coordinates have 5,151 polynomials of degree 2
_RIDGE = 1e-8  # relative, so that points that nearly coincide do no harm


@dataclass(frozen=True)
class Correction:
    """A learnt correction of answers; as it is made by `none`, it changes nothing.

    Args:
        centre: (d,) m.
        inverse_root: (d, d) R⁻¹.
        weights: (p, m) B, a row a polynomial; rows of degrees that are not used are zero.
        covariance: (m, m) of what the correction leaves, empty where it is not added to the noise.
        degree: of the polynomials, -1 for none, 3 for a Gaussian process.
        error: root mean square of what it leaves, left out one by one, in standard deviations of the noise.
        points: number of fine answers it was learnt from.
        centres: (q, d) whitened places of a Gaussian process; none without.
        pulls: (q, m) of each centre.
        length: of the process.
    """

    centre: np.ndarray
    inverse_root: np.ndarray
    weights: np.ndarray
    covariance: np.ndarray
    degree: int = -1
    error: float = float("nan")
    points: int = 0
    centres: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    pulls: np.ndarray = field(default_factory=lambda: np.zeros((0, 1)))
    length: float = 1.0

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What compiled code takes, and `of_arrays` puts together again."""
        return self.centre, self.inverse_root, self.weights, self.centres, self.pulls, self.length

    @classmethod
    def of_arrays(cls, arrays: tuple[Any, ...]) -> "Correction":
        """Return a correction that shifts as the one whose arrays these are."""
        centre, inverse, weights, centres, pulls, length = arrays
        return cls(centre, inverse, weights, weights, centres=centres, pulls=pulls, length=length)

    def shift(self, coordinates: Any, xp: Any = np) -> Any:
        """Return B φ at coordinates, with NumPy or (xp=jnp) JAX."""
        white = self.inverse_root @ (coordinates - self.centre)
        found = features(white, self.weights.shape[0], xp) @ self.weights
        if self.centres.shape[0]:
            found = found + radial(white, self.centres, self.length, xp) @ self.pulls
        return found


def no_correction(size: int, outputs: int) -> Correction:
    """Return the correction that changes nothing."""
    zeros = np.zeros((feature_count(size), outputs))
    return Correction(np.zeros(size), np.eye(size), zeros, np.zeros((0, 0)))


def feature_count(size: int) -> int:
    """Return how many polynomials there are in so many coordinates."""
    return 1 + size + (size * (size + 1) // 2 if size <= _MOST_QUADRATIC else 0)


def features(white: Any, count: int, xp: Any = np) -> Any:
    """Return the polynomials at whitened coordinates, (..., d) -> (..., p)."""
    size = white.shape[-1]
    ones = xp.ones((*white.shape[:-1], 1))
    if count == 1 + size:
        return xp.concatenate([ones, white], axis=-1)
    rows, columns = _pairs(size)
    return xp.concatenate([ones, white, white[..., rows] * white[..., columns]], axis=-1)


@lru_cache(maxsize=64)
def _pairs(size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.triu_indices(size)


def learn(
    points: np.ndarray,
    differences: np.ndarray,
    centre: np.ndarray,
    root: np.ndarray,
    noise: np.ndarray | None,
    most: int = 2,
) -> Correction:
    """Fit a correction, of the degree that predicts left-out points best.

    Args:
        points: (n, d) coordinates.
        differences: (n, m) fine less coarse answers.
        centre: (d,) of the whitening.
        root: (d, d) of the whitening.
        noise: (m, m) covariance of the noise; None where there is none, and then no covariance is added.
        most: highest degree to try, 3 for a Gaussian process too.

    Returns:
        the correction; without one whose error can be judged, that of degree 0.
    """
    count, size = points.shape
    inverse = np.linalg.inv(root)
    table = features((points - centre) @ inverse.T, feature_count(size))
    scale = np.ones(differences.shape[1]) if noise is None else np.sqrt(np.diag(noise))
    best = None
    for degree, width in enumerate((1, 1 + size, feature_count(size))[: min(most, 2) + 1]):
        if count < 1.2 * width + 2 or (degree == 2 and width == 1 + size):
            continue
        weights, left = _fitted(table[:, :width], differences)
        error = float(np.sqrt(np.mean((left / scale) ** 2)))
        if best is None or error < best[0]:
            best = (error, degree, weights, left)
    if best is None:
        return no_correction(size, differences.shape[1])
    process = _process(table[:, 1 : 1 + size], differences, scale) if most == PROCESS else None
    if process is not None and process.error < best[0]:
        covariance = np.zeros((0, 0)) if noise is None else process.covariance
        return replace(process, centre=centre, inverse_root=inverse, covariance=covariance, points=count)
    error, degree, weights, left = best
    padded = np.zeros((table.shape[1], differences.shape[1]))
    padded[: weights.shape[0]] = weights
    covariance = np.zeros((0, 0)) if noise is None else left.T @ left / count
    return Correction(centre, inverse, padded, covariance, degree, error, count)


def _process(white: np.ndarray, differences: np.ndarray, scale: np.ndarray) -> Correction | None:
    """Fit a Gaussian process to the last of the points, in whitened coordinates."""
    places, values = white[-_MOST_CENTRES:], differences[-_MOST_CENTRES:]
    found = krige(places, values, scale)
    if found is None:
        return None
    size, more = places.shape[1], _MOST_CENTRES - len(places)
    weights = np.zeros((feature_count(size), values.shape[1]))
    weights[: 1 + size] = found.trend
    return Correction(
        np.zeros(size), np.eye(size), weights, found.left.T @ found.left / len(places), PROCESS,
        float(np.sqrt(np.mean((found.left / scale) ** 2))), len(places),
        np.pad(places, ((0, more), (0, 0))), np.pad(found.pulls, ((0, more), (0, 0))), found.length,
    )  # fmt: skip


def _fitted(table: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return least-squares weights, and what each point misses when it is left out (closed form)."""
    gram = table.T @ table
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, table.T @ wanted)
    leverage = np.einsum("ij,ji->i", table, np.linalg.solve(gram, table.T))
    left = (wanted - table @ weights) / np.maximum(1.0 - leverage, 1e-3)[:, None]
    return weights, left
