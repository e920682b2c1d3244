"""Cubic B-splines on a regular grid of control points: basis, exact subdivision, bending energy.

The grid lies along the fixed image's own axes; coordinates are millimetres from its first sample. Control
point k sits at start + (k - 1) step, so that `count` of them carry count - 3 intervals.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class SplineGrid:
    """A grid of control points.

    Args:
        start: coordinate where the first interval begins, mm, one an axis.
        step: distance of control points, mm, one an axis.
        count: number of control points along each axis, 4 or more.

    Example:
        >>> grid = SplineGrid.covering((10.0, 7.0), 4.0)
        >>> grid.count, grid.refined().count
        ((6, 5), (9, 7))
    """

    start: tuple[float, ...]
    step: tuple[float, ...]
    count: tuple[int, ...]

    @classmethod
    def covering(cls, lengths: tuple[float, ...], step: float, start: tuple[float, ...] = ()) -> "SplineGrid":
        """The grid whose intervals cover lengths from a start, along each axis."""
        counts = tuple(max(1, int(np.ceil(length / step - 1e-9))) + 3 for length in lengths)
        return cls(start or (0.0,) * len(lengths), (step,) * len(lengths), counts)

    def refined(self) -> "SplineGrid":
        """The grid with half the step."""
        halves = tuple(h / 2 for h in self.step)
        return SplineGrid(self.start, halves, tuple(2 * n - 3 for n in self.count))

    def basis(self, axis: int, coordinates: np.ndarray, order: int = 0) -> sparse.csr_array:
        """Basis functions, or their derivatives, at coordinates of one axis, (coordinates, count).

        Beyond the grid the function goes on as its value at the edge, and derivatives are zero.
        """
        step, count = self.step[axis], self.count[axis]
        place = (coordinates - self.start[axis]) / step
        held = np.clip(place, 0.0, count - 3.0)
        first = np.minimum(held.astype(int), count - 4)
        weights = cubic_weights(held - first, order) / step**order
        if order:
            weights = np.where((place == held)[:, None], weights, 0.0)
        rows = np.repeat(np.arange(len(place)), 4)
        columns = (first[:, None] + np.arange(4)).ravel()
        return sparse.csr_array((weights.ravel(), (rows, columns)), shape=(len(place), count))

    def gram(self, axis: int, order: int) -> np.ndarray:
        """Integrals of products of derivatives over the grid, exact by Gauss points, (count, count)."""
        nodes, weights = np.polynomial.legendre.leggauss(4)
        intervals = self.count[axis] - 3
        places = (np.arange(intervals)[:, None] + 0.5 * (nodes + 1)).ravel() * self.step[axis]
        basis = self.basis(axis, places + self.start[axis], order).toarray()
        return basis.T @ (basis * (np.tile(weights, intervals) * self.step[axis] / 2)[:, None])


def cubic_weights(fraction: np.ndarray, order: int = 0) -> np.ndarray:
    """The four cubic B-splines that cover fractions of an interval, or derivatives, (n, 4)."""
    t, r = fraction, 1.0 - fraction
    if order == 0:
        parts = (r**3 / 6, 2 / 3 - t * t * (1 - t / 2), 2 / 3 - r * r * (1 - r / 2), t**3 / 6)
    elif order == 1:
        parts = (-(r**2) / 2, t * (1.5 * t - 2), r * (2 - 1.5 * r), t**2 / 2)
    else:
        parts = (r, 3 * t - 2, 3 * r - 2, t)
    return np.stack(parts, axis=-1)


def subdivide(coefficients: np.ndarray) -> np.ndarray:
    """Insert a knot into the middle of every interval along the first two axes; the spline stays the same.

    Between two control points: (a + b) / 2; at one: (a + 6 b + c) / 8.

    Source: E. Catmull and J. Clark 1978; of the tensor product along each axis.

    Example:
        >>> subdivide(np.ones((4, 4))).shape
        (5, 5)
    """
    for axis in (0, 1):
        old = np.moveaxis(coefficients, axis, 0)
        new = np.empty((2 * len(old) - 3, *old.shape[1:]))
        new[0::2] = 0.5 * (old[:-1] + old[1:])
        new[1::2] = (old[:-2] + 6 * old[1:-1] + old[2:]) / 8
        coefficients = np.moveaxis(new, 0, axis)
    return coefficients


class BendingEnergy:
    """Mean over the grid of |u_xx|^2 + 2 |u_xy|^2 + |u_yy|^2, with its exact derivative.

    A quadratic form of the coefficients (count, count, components): energy = <c, R c> / 2 x 2.
    """

    def __init__(self, grid: SplineGrid):
        self.gram = [[grid.gram(axis, order) for order in range(3)] for axis in range(2)]
        self.area = float(np.prod([(n - 3) * h for n, h in zip(grid.count, grid.step, strict=True)]))

    def apply(self, coefficients: np.ndarray) -> np.ndarray:
        """R c, where <c, R c> is the energy."""
        (x0, x1, x2), (y0, y1, y2) = self.gram
        parts = np.moveaxis(coefficients, -1, 0)
        found = x2 @ parts @ y0 + 2 * (x1 @ parts @ y1) + x0 @ parts @ y2
        return np.moveaxis(found, 0, -1) / self.area

    def matrix(self) -> np.ndarray:
        """R of one component, (points, points)."""
        (x0, x1, x2), (y0, y1, y2) = self.gram
        return (np.kron(x2, y0) + 2 * np.kron(x1, y1) + np.kron(x0, y2)) / self.area
