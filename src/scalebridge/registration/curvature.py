"""The curvature of a level's cost: Fisher's information of the similarity and the bending energy, in a band.

    H = W sum_i w_i (d log p / d v)^2 g_i g_i' B_i B_i'  +  2 stiffness R

g the slope of the moving image by the displacement, B the splines at the point. It is the Gauss-Newton matrix
of the mutual information taken as a likelihood. Its factors precondition the descent; its inverse is the
covariance of the coefficients. (P. Viola and W. M. Wells 1997 for the likelihood; D. MacKay 1992 for
what the data say of the stiffness.)
"""

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from scalebridge.registration.curvature_kernels import add_curvature
from scalebridge.registration.matching import SplineCost
from scalebridge.registration.similarity import Matched
from scalebridge.registration.spline import BendingEnergy, SplineGrid

_FLOOR = 1e-9  # of the diagonal, against points that nothing holds


@dataclass(frozen=True)
class Curvature:
    """Fisher's information over the in-plane coefficients and the bending energy, as lower bands.

    Args:
        grid: the control points.
        information: (width, size).
        rough: the bending energy's matrix, (width, size).
        bending: the same as an operator.
    """

    grid: SplineGrid
    information: np.ndarray
    rough: np.ndarray
    bending: BendingEnergy

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self.information.shape[1]

    def factor(self, stiffness: float) -> np.ndarray:
        """Cholesky's factor of H in a band."""
        band = self.information + 2.0 * stiffness * self.rough
        band[0] += _FLOOR * band[0].max() + 1e-300
        return linalg.cholesky_banded(band, lower=True, overwrite_ab=True, check_finite=False)

    def solve(self, factor: np.ndarray, right: np.ndarray) -> np.ndarray:
        """H^-1 of vectors or columns."""
        return linalg.cho_solve_banded((factor, True), right, check_finite=False)

    def known(self, factor: np.ndarray, probes: int = 12) -> float:
        """How many coefficients the data decide: tr(H^-1 F), by signs drawn once (M. Hutchinson 1990)."""
        signs = np.random.default_rng(1).choice([-1.0, 1.0], (self.size, probes))
        return float(np.sum(self.solve(factor, signs) * multiply(self.information, signs)) / probes)


def _in_band(grid: SplineGrid, offsets: np.ndarray) -> np.ndarray:
    """Spread (rows, offsets and components, columns) over the lower band, (width, size)."""
    rows, columns = grid.count
    band = np.zeros((2 * (3 * columns + 3) + 2, 2 * rows * columns))
    k, m = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    for up in range(4):
        for side in range(-3, 4):
            distance = up * columns + side
            if distance < 0 or (up == 0 and side < 0):
                continue
            there = (k + up < rows) & (m + side >= 0) & (m + side < columns)
            number = 2 * (k * columns + m)[there]
            place = (up * 7 + side + 3) * 3
            xx, xy, yy = (offsets[:, place + c, :][there] for c in range(3))
            band[2 * distance, number] += xx
            band[2 * distance, number + 1] += yy
            band[2 * distance + 1, number] += xy  # (y, x): one further down
            if distance:
                band[2 * distance - 1, number + 1] += xy
    return band


def multiply(band: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Product of a symmetric matrix in its lower band with columns."""
    found = band[0][:, None] * vectors
    for down in range(1, len(band)):
        entries = band[down, : len(vectors) - down, None]
        if np.any(entries):
            found[down:] += entries * vectors[:-down]
            found[:-down] += entries * vectors[down:]
    return found


def _bending_offsets(bending: BendingEnergy, grid: SplineGrid) -> np.ndarray:
    rows, columns = grid.count
    (x0, x1, x2), (y0, y1, y2) = bending.gram
    found = np.zeros((rows, 84, columns))

    def shifted(matrix, step):
        """Entry (i + step, i), zero where there is none."""
        size = len(matrix)
        i = np.arange(size)
        there = (i + step >= 0) & (i + step < size)
        return np.where(there, matrix[np.clip(i + step, 0, size - 1), i], 0.0)

    for up in range(4):
        for side in range(-3, 4):
            part = np.outer(shifted(x2, up), shifted(y0, side)) + np.outer(shifted(x0, up), shifted(y2, side))
            part = (part + 2 * np.outer(shifted(x1, up), shifted(y1, side))) / bending.area
            place = (up * 7 + side + 3) * 3
            found[:, place], found[:, place + 2] = part, part
    return found


def squared_slopes(matched: Matched, into: np.ndarray) -> np.ndarray:
    """Fisher's information of each point by its displacement, a sample: xx, xy, yy in the plane, (n, 3)."""
    slopes = (
        (matched.slopes @ into).reshape(len(matched.curvatures), -1, into.shape[1])[..., :2].astype(float)
    )
    heavy = matched.curvatures.astype(float) * matched.weight
    x, y = slopes[..., 0], slopes[..., 1]
    return heavy[:, None] * np.stack(
        [np.einsum("nc,nc->n", a, b) for a, b in ((x, x), (x, y), (y, y))], axis=-1
    )


def measure_curvature(cost: SplineCost) -> Curvature:
    """The curvature where the cost was last evaluated."""
    matched, grid = cost.matched, cost.start.grid
    if matched is None or grid is None:
        raise ValueError("the cost was not evaluated yet")
    pairing = cost.pairing
    squares = squared_slopes(matched, pairing.inverse @ cost.start.matrix)
    first, second = (b.data.reshape(-1, 4) for b in (cost.first, cost.second))
    row, column = (b.indices.reshape(-1, 4)[:, 0] for b in (cost.first, cost.second))
    i, j = np.unravel_index(pairing.kept, cost.shape)
    band = np.zeros((1, grid.count[0], 84, grid.count[1]))
    add_curvature(
        0,
        len(i),
        0,
        row[i],
        column[j],
        first[i],
        second[j],
        squares,
        band,
    )
    rough = _in_band(grid, _bending_offsets(cost.bending, grid))
    return Curvature(grid, _in_band(grid, band[0]), rough, cost.bending)
