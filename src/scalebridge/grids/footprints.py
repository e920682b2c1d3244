"""Footprints of sensors on a fine grid: weighted means over pixels, from overlaps, blurs or points."""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import Array, Float
from scipy.sparse.linalg import splu

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.transfer import Transfer

Sparse = Any
"""A matrix by rows; SciPy's own types do not know that it has a shape."""


class WeightedFootprint(Transfer):
    """Weighted means of pixels upwards; downwards the smallest field that has these means.

    restrict: c = W f, rows of W sum to one;  prolong: f = W' (W W')^-1 c.  With the plain inner product on
    the fine grid and (W W')^-1 on the coarse one, each is the other's adjoint, and restrict after prolong is
    the identity, however footprints overlap. The mean of all is conserved where footprints tile the grid.

    Args:
        weights: (footprints, pixels), sparse, rows that sum to one and do not depend on each other.
        shape: of the fine grid.
        coarse: shape of the footprints; (footprints,) unless given.

    Raises:
        InputError: another number of pixels, or a row that does not sum to one.

    Cost: restrict one product; prolong a sparse factorisation on the first call.

    Example:
        >>> from scipy.sparse import csr_matrix
        >>> footprint = WeightedFootprint(csr_matrix([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]), (3,))
        >>> footprint.restrict(jnp.array([1.0, 3.0, 5.0])).tolist()
        [2.0, 4.0]
        >>> [round(float(x), 9) for x in footprint.restrict(footprint.prolong(jnp.array([2.0, 4.0])))]
        [2.0, 4.0]
    """

    weights: Sparse = eqx.field(static=True)
    shape: tuple[int, ...] = eqx.field(static=True)
    coarse: tuple[int, ...] | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        rows, pixels = self.weights.shape
        if pixels != math.prod(self.shape) or rows != math.prod(self.coarse_shape):
            raise InputError(
                "weights",
                got=f"{rows} x {pixels}",
                wanted=f"{math.prod(self.coarse_shape)} footprints x {math.prod(self.shape)} pixels",
                cure="give one row a footprint and one column a pixel",
            )
        sums = np.asarray(self.weights.sum(axis=1)).ravel()
        if np.abs(sums - 1.0).max(initial=0.0) > 1e-9 or self.weights.min() < 0:
            cure = "divide each row by its sum"
            raise InputError(
                "weights", got="other rows", wanted="rows of positive weights that sum to one", cure=cure
            )

    @property
    def fine_shape(self) -> tuple[int, ...]:
        """The pixels."""
        return self.shape

    @property
    def coarse_shape(self) -> tuple[int, ...]:
        """The footprints."""
        return (self.weights.shape[0],) if self.coarse is None else self.coarse

    def restrict(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        """Take the weighted mean over each footprint."""
        table = self.weights.tocoo()
        products = jnp.asarray(table.data) * jnp.ravel(fine)[table.col]
        return jnp.zeros(self.weights.shape[0]).at[table.row].add(products).reshape(self.coarse_shape)

    def prolong(self, coarse: Float[Array, "..."]) -> Float[Array, "..."]:
        """Return the smallest fine field with these means."""
        return jnp.asarray(self.weights.T @ self._lifted(coarse)).reshape(self.shape)

    def inner_fine(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Sum of products over pixels."""
        return jnp.sum(first * second)

    def inner_coarse(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """The product weighted by (W W')^-1."""
        return jnp.vdot(jnp.ravel(first), jnp.asarray(self._lifted(second)))

    def _lifted(self, coarse: Float[Array, "..."]) -> np.ndarray:
        return splu((self.weights @ self.weights.T).tocsc()).solve(np.ravel(np.asarray(coarse, dtype=float)))


def overlap_weights(corners: np.ndarray, shape: tuple[int, int], covered: float = 0.999) -> Sparse:
    """Return how much of each footprint lies in each pixel, as shares of the footprint.

    Args:
        corners: (footprints, 4, 2), corners of convex quadrilaterals in turn, in pixels (row, column), with
            pixel (i, j) the square from (i, j) to (i + 1, j + 1).
        shape: (rows, columns) of the grid.
        covered: share of a footprint that has to lie on the grid; others get an empty row.

    Returns:
        (footprints, pixels); rows sum to one, or are empty.

    Cost: some 10 us for each pixel that a footprint touches.

    Source: clipping of polygons by half planes, Sutherland & Hodgman, CACM 17 (1974) 32.

    Example:
        >>> square = np.array([[[0.5, 0.0], [0.5, 1.0], [1.5, 1.0], [1.5, 0.0]]])
        >>> overlap_weights(square, (2, 1)).toarray().tolist()
        [[0.5, 0.5]]
    """
    rows, columns, shares = [], [], []
    for number, polygon in enumerate(np.asarray(corners, dtype=float)):
        area = polygon_area(polygon)
        cells, parts = _cells(polygon, shape, area)
        if sum(parts) >= covered:
            rows += [number] * len(cells)
            columns += cells
            shares += list(np.array(parts) / sum(parts))
    return sp.csr_matrix((shares, (rows, columns)), shape=(len(corners), shape[0] * shape[1]))


def _cells(polygon: np.ndarray, shape: tuple[int, int], area: float) -> tuple[list[int], list[float]]:
    low = np.maximum(np.floor(polygon.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(polygon.max(axis=0)).astype(int), shape)
    cells, parts = [], []
    for i in range(low[0], high[0]):
        strip = clip_polygon(clip_polygon(polygon, 0, i, 1.0), 0, i + 1, -1.0)
        for j in range(low[1], high[1]):
            piece = clip_polygon(clip_polygon(strip, 1, j, 1.0), 1, j + 1, -1.0)
            share = polygon_area(piece) / area if len(piece) > 2 else 0.0
            if share > 1e-12:
                cells.append(i * shape[1] + j)
                parts.append(share)
    return cells, parts


def clip_polygon(polygon: np.ndarray, axis: int, limit: float, sign: float) -> np.ndarray:
    """Return the part of a convex polygon where sign (x_axis - limit) >= 0.

    Example:
        >>> clip_polygon(np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0]]), 0, 1.0, 1.0).tolist()
        [[1.0, 0.0], [1.0, 1.0], [2.0, 0.0]]
    """
    found = []
    for k in range(len(polygon)):
        here, there = polygon[k - 1], polygon[k]
        a, b = sign * (here[axis] - limit), sign * (there[axis] - limit)
        if a * b < 0:
            found.append(here + (there - here) * a / (a - b))
        if b >= 0:
            found.append(there)
    return np.array(found).reshape(-1, 2)


def polygon_area(polygon: np.ndarray) -> float:
    """Return the area of a polygon (shoelace formula).

    Example:
        >>> polygon_area(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]))
        1.0
    """
    x, y = polygon[:, 0], polygon[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def blur_weights(weights: Sparse, shape: tuple[int, int], width: float) -> Sparse:
    """Spread footprints by a Gaussian point-spread function, cut at three deviations and the grid's edge.

    Args:
        weights: (footprints, pixels).
        shape: of the grid.
        width: standard deviation, pixels.

    Returns:
        (footprints, pixels), rows that sum to one, or are empty where the given ones were.

    Example:
        >>> from scipy.sparse import csr_matrix
        >>> blurred = blur_weights(csr_matrix([[0.0, 1.0, 0.0]]), (1, 3), 0.5).toarray()[0]
        >>> [round(float(x), 4) for x in blurred]
        [0.1065, 0.787, 0.1065]
    """
    matrices = []
    for count in shape:
        reach = min(math.ceil(3 * width), count - 1)
        offsets = np.arange(-reach, reach + 1)
        places: Any = offsets.tolist()
        line = np.exp(-0.5 * (offsets / width) ** 2)
        matrices.append(sp.diags(list(line), places, shape=(count, count)))
    spread = (weights @ sp.kron(*matrices, format="csr")).tocsr()
    sums = np.asarray(spread.sum(axis=1)).ravel()
    return (sp.diags(1.0 / np.where(sums > 0, sums, 1.0)) @ spread).tocsr()
