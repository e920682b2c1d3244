"""A common inverse problem: the pressure at points says what a field of conductivities is like.

    -div(exp(g) grad p) = 0 on the unit square,   p = 1 at x = 0,   p = 0 at x = 1,   no flow at y = 0, 1
    g = Σ_k √λ_k θ_k c_i(x) c_j(y),   c_0 = 1,   c_m = √2 cos(m π x),   θ ~ N(0, I)

by cell-centred finite volumes with harmonic means on n x n cells; the answers are pressures at points between
cells. Coarse grids are coarse models of fine ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve

MODES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3), (3, 0))
"""Wave numbers (i, j) of the field's ten modes."""
_CORRELATION, _SENSORS = 0.3, 5


def mode_variances(modes: Sequence[tuple[int, int]] = MODES) -> np.ndarray:
    """Return λ of each mode, (1 + (0.3 π)² (i² + j²))⁻², scaled so that they add up to 1."""
    squares = np.array([i * i + j * j for i, j in modes])
    raw = (1.0 + (_CORRELATION * np.pi) ** 2 * squares) ** -2.0
    return raw / raw.sum()


@dataclass(frozen=True)
class EllipticGrid:
    """A grid of n x n cells, x first.

    Args:
        cells: n.
        basis: (n², 10) the modes, times √λ.
        pairs: (faces, 2) cells at the inner faces.
        ends: cells at x = 0 and at x = 1.
        observe: (25, n²) bilinear interpolation at the sensors.
    """

    cells: int
    basis: np.ndarray
    pairs: np.ndarray
    ends: tuple[np.ndarray, np.ndarray]
    observe: np.ndarray

    @classmethod
    def of(cls, cells: int) -> "EllipticGrid":
        """Make the grid of n x n cells."""
        centres = (np.arange(cells) + 0.5) / cells
        waves = [np.ones(cells), *(np.sqrt(2) * np.cos(m * np.pi * centres) for m in (1, 2, 3))]
        columns = [
            np.sqrt(variance) * np.outer(waves[i], waves[j]).ravel()
            for (i, j), variance in zip(MODES, mode_variances(), strict=True)
        ]
        number = np.arange(cells**2).reshape(cells, cells)
        along = np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1)
        across = np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1)
        line = _interpolation(cells)
        observe = np.einsum("ai,bj->abij", line, line).reshape(_SENSORS**2, cells**2)
        ends = number[0], number[-1]
        return cls(cells, np.stack(columns, axis=1), np.concatenate([along, across]), ends, observe)


def _interpolation(cells: int) -> np.ndarray:
    places = (np.arange(_SENSORS) + 0.5) / _SENSORS * cells - 0.5
    left = np.clip(np.floor(places).astype(int), 0, cells - 2)
    table = np.zeros((_SENSORS, cells))
    table[np.arange(_SENSORS), left] = 1.0 - (places - left)
    table[np.arange(_SENSORS), left + 1] = places - left
    return table


class EllipticModel:
    """The model with a sparse solve, θ (10,) -> pressures (25,).

    Args:
        cells: cells along an edge.
    """

    def __init__(self, cells: int):
        self.name = f"{cells} x {cells}"
        self._grid = EllipticGrid.of(cells)

    def __call__(self, theta: np.ndarray) -> np.ndarray:
        """Return the 25 pressures."""
        grid, size = self._grid, self._grid.cells**2
        conductivity = np.exp(grid.basis @ theta)
        first, second = grid.pairs.T
        faces = 2.0 / (1.0 / conductivity[first] + 1.0 / conductivity[second])
        inflow, outflow = 2.0 * conductivity[grid.ends[0]], 2.0 * conductivity[grid.ends[1]]
        diagonal = np.bincount(first, faces, size) + np.bincount(second, faces, size)
        diagonal[grid.ends[0]] += inflow
        diagonal[grid.ends[1]] += outflow
        every = np.arange(size)
        rows = np.concatenate([every, first, second])
        columns = np.concatenate([every, second, first])
        matrix = csc_matrix((np.concatenate([diagonal, -faces, -faces]), (rows, columns)), shape=(size, size))
        load = np.zeros(size)
        load[grid.ends[0]] = inflow
        return grid.observe @ spsolve(matrix, load, permc_spec="MMD_AT_PLUS_A")
