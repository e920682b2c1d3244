"""Priors of numbers that depend on each other: shares that add up to one, and matrices that stay definite.

Chains move in the coordinates of `Spec`, so that each density carries the Jacobian of its map:

    simplex   x_i = e^(u_i) / Σ e^(u_j), u_K = 0         |dx/du| = Π x_i
    spd       X = L Lᵀ, u the lower triangle of L, log of its diagonal
                                                         |dX/du| = 2ⁿ Π L_ii^(n - i + 2), i from 1
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln, polygamma


@dataclass(frozen=True)
class Dirichlet:
    """Shares with a Dirichlet prior: density Π x_i^(α_i - 1) Γ(Σ α) / Π Γ(α_i).

    Args:
        weights: (K,) α, each above 0; all 1 is uniform.
    """

    weights: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Means of the coordinates, (K - 1,)."""
        return digamma(self.weights[:-1]) - digamma(self.weights[-1])

    @property
    def std(self) -> np.ndarray:
        """Their standard deviations."""
        return np.sqrt(polygamma(1, self.weights[:-1]) + polygamma(1, self.weights[-1]))

    def log_shares(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the logarithms of the shares, (..., K)."""
        full = xp.concatenate([coordinates, xp.zeros((*coordinates.shape[:-1], 1))], axis=-1)
        top = xp.max(full, axis=-1, keepdims=True)
        return full - top - xp.log(xp.sum(xp.exp(full - top), axis=-1, keepdims=True))

    def values(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the shares, (..., K)."""
        return xp.exp(self.log_shares(coordinates, xp))

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of shares; not finite where there are none."""
        inside = bool(np.all(values > 0)) and abs(float(np.sum(values)) - 1.0) < 1e-9
        return np.log(values[:-1] / values[-1]) if inside else np.full(len(values) - 1, math.nan)

    def pulled(self, coordinates: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        """Return sensitivityᵀ d(values)/d(coordinates)."""
        shares = self.values(coordinates)
        return (shares * (sensitivity - shares @ sensitivity))[:-1]

    def log_density(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the logarithm of the density of coordinates."""
        constant = gammaln(self.weights.sum()) - gammaln(self.weights).sum()
        return xp.sum(self.weights * self.log_shares(coordinates, xp), axis=-1) + constant

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw coordinates; also where weights are so small that shares round to zero."""
        # The logarithm of a gamma number of any shape: that of shape + 1, times a uniform power.
        logs = np.log(rng.gamma(self.weights + 1.0)) + np.log(rng.random(self.weights.size)) / self.weights
        return logs[:-1] - logs[-1]


@dataclass(frozen=True)
class Wishart:
    """A symmetric positive definite matrix, Wishart with mean m 1: density ∝ |X|^((ν-n-1)/2) e^(-ν tr X/2m).

    Args:
        edge: n.
        mean_value: m, above 0.
        freedom: ν, above n - 1; the larger, the closer to the mean.
    """

    edge: int
    mean_value: float
    freedom: float

    @property
    def _rows(self) -> tuple[np.ndarray, np.ndarray]:
        return np.tril_indices(self.edge)

    @property
    def _diagonal(self) -> np.ndarray:
        rows, columns = self._rows
        return rows == columns

    @property
    def _left(self) -> np.ndarray:
        """Degrees of freedom of each diagonal entry's square (Bartlett)."""
        return self.freedom - np.arange(self.edge)

    @property
    def _scale(self) -> float:
        return self.mean_value / self.freedom

    @property
    def mean(self) -> np.ndarray:
        """Means of the coordinates, (n (n + 1) / 2,)."""
        found = np.zeros(self._diagonal.size)
        found[self._diagonal] = 0.5 * (digamma(0.5 * self._left) + math.log(2.0 * self._scale))
        return found

    @property
    def std(self) -> np.ndarray:
        """Their standard deviations."""
        found = np.full(self._diagonal.size, math.sqrt(self._scale))
        found[self._diagonal] = 0.5 * np.sqrt(polygamma(1, 0.5 * self._left))
        return found

    def _entries(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the lower triangle of L as a row."""
        logs = xp.where(self._diagonal, coordinates, 0.0)
        return xp.where(self._diagonal, xp.exp(logs), coordinates)

    def _factor(self, coordinates: Any, xp: Any = np) -> Any:
        rows, columns = self._rows
        place = np.zeros((rows.size, self.edge**2))
        place[np.arange(rows.size), rows * self.edge + columns] = 1.0
        flat = self._entries(coordinates, xp) @ place
        return flat.reshape(*coordinates.shape[:-1], self.edge, self.edge)

    def values(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the matrix row by row, (..., n²)."""
        lower = self._factor(coordinates, xp)
        return (lower @ xp.swapaxes(lower, -1, -2)).reshape(*coordinates.shape[:-1], self.edge**2)

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Return the coordinates of a matrix row by row; not finite where it is not definite."""
        matrix = values.reshape(self.edge, self.edge)
        nothing = np.full(self._diagonal.size, math.nan)
        if not np.allclose(matrix, matrix.T, rtol=1e-12, atol=0.0):
            return nothing
        try:
            row = np.linalg.cholesky(matrix)[self._rows]
        except np.linalg.LinAlgError:
            return nothing
        row[self._diagonal] = np.log(row[self._diagonal])
        return row

    def pulled(self, coordinates: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        """Return sensitivityᵀ d(values)/d(coordinates)."""
        given = sensitivity.reshape(self.edge, self.edge)
        row = ((given + given.T) @ self._factor(coordinates))[self._rows]
        return row * np.where(self._diagonal, self._entries(coordinates), 1.0)

    def log_density(self, coordinates: Any, xp: Any = np) -> Any:
        """Return the logarithm of the density of coordinates."""
        n, entries = self.edge, self._entries(coordinates, xp)
        logs = xp.where(self._diagonal, coordinates, 0.0)
        powers = np.zeros(self._diagonal.size)
        powers[self._diagonal] = self._left  # (freedom - n - 1) of the density and n - i + 2 of the map
        constant = n * math.log(2.0) - 0.5 * self.freedom * n * math.log(2.0 * self._scale)
        constant -= 0.25 * n * (n - 1) * math.log(math.pi) + float(np.sum(gammaln(0.5 * self._left)))
        trace = xp.sum(entries**2, axis=-1) / self._scale
        return xp.sum(powers * logs, axis=-1) - 0.5 * trace + constant

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw coordinates: the factor's entries are independent (Bartlett 1933)."""
        row = math.sqrt(self._scale) * rng.standard_normal(self._diagonal.size)
        row[self._diagonal] = 0.5 * np.log(self._scale * rng.chisquare(self._left))
        return row


Coupled = Dirichlet | Wishart
