"""The Bayesian inversion benchmark of Aristoff & Bangerth: a membrane's 64 coefficients from 169 deflections.

    -div(a grad u) = 10 on the unit square,   u = 0 on its boundary

with bilinear elements on 32 x 32 squares and a constant on each of 8 x 8 blocks; u is measured at 13 x 13
points with noise of standard deviation 0.05, and the logarithms of the coefficients are N(0, 2²).

Source: Aristoff & Bangerth, SIAM Rev. 65 (2023) 1074.
"""

from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

CELLS, BLOCKS, SENSORS = 32, 8, 13
NOISE, PRIOR_SPREAD, LOAD = 0.05, 2.0, 10.0
# Stiffness of a bilinear square, corners counted round; it does not depend on the edge.
_ELEMENT = (
    np.array(
        [[4.0, -1.0, -2.0, -1.0], [-1.0, 4.0, -1.0, -2.0], [-2.0, -1.0, 4.0, -1.0], [-1.0, -2.0, -1.0, 4.0]]
    )
    / 6.0
)


class LaplaceModel:
    """The forward model, 64 coefficients -> 169 deflections, with its gradient by one adjoint solve.

    Sensors are counted with x running fastest, coefficients with y.

    Args:
        cells: squares along an edge, a multiple of 8; fewer make a coarse model.
    """

    def __init__(self, cells: int = CELLS):
        self.name, self._cells = f"{cells} x {cells}", cells
        nodes = cells + 1
        corner = (np.arange(cells)[:, None] * nodes + np.arange(cells)).ravel()  # (y, x), x fastest
        self._corners = corner[:, None] + np.array([0, 1, nodes + 1, nodes])
        block = np.arange(cells) * BLOCKS // cells
        self._block = (block * BLOCKS + block[:, None]).ravel()
        inner = np.zeros((nodes, nodes), dtype=bool)
        inner[1:-1, 1:-1] = True
        self._inner = np.flatnonzero(inner.ravel())
        number = np.full(nodes**2, -1)
        number[self._inner] = np.arange(self._inner.size)
        rows, columns = (number[np.repeat(self._corners, 4, axis=1)], number[np.tile(self._corners, (1, 4))])
        self._kept = ((rows >= 0) & (columns >= 0)).ravel()
        self._rows, self._columns = rows.ravel()[self._kept], columns.ravel()[self._kept]
        self._load = np.full(self._inner.size, LOAD / cells**2)
        line = _interpolation(cells)
        self._observe = np.einsum("ai,bj->abij", line, line).reshape(SENSORS**2, nodes**2)[:, self._inner]
        self._last: tuple[bytes, Any] = (b"", None)  # an answer and its gradient share a factorisation

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the number of squares; factors do not."""
        return LaplaceModel, (self._cells,)

    def __call__(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the 169 deflections."""
        return self._observe @ self._factor(coefficients).solve(self._load)

    def gradient(self, coefficients: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        """Return sensitivityᵀ d(deflections)/d(coefficients), (64,): -λᵀ (dK/da) u with K λ = Mᵀ s."""
        factor = self._factor(coefficients)
        deflection, adjoint = np.zeros((2, int(self._corners.max()) + 1))
        deflection[self._inner] = factor.solve(self._load)
        adjoint[self._inner] = factor.solve(self._observe.T @ sensitivity)
        each = np.einsum("ei,ij,ej->e", adjoint[self._corners], _ELEMENT, deflection[self._corners])
        return -np.bincount(self._block, each, BLOCKS**2)

    def _factor(self, coefficients: np.ndarray) -> Any:
        key = np.asarray(coefficients, dtype=float).tobytes()
        if key != self._last[0]:
            self._last = key, self._factored(coefficients)
        return self._last[1]

    def _factored(self, coefficients: np.ndarray) -> Any:
        entries = (np.asarray(coefficients)[self._block][:, None] * _ELEMENT.ravel()).ravel()[self._kept]
        size = self._inner.size
        matrix = csc_matrix((entries, (self._rows, self._columns)), shape=(size, size))
        return splu(
            matrix, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}, diag_pivot_thresh=0.0
        )


def _interpolation(cells: int) -> np.ndarray:
    """Linear interpolation from the nodes of an edge to the sensors at 1/14, ..., 13/14."""
    places = np.arange(1, SENSORS + 1) / (SENSORS + 1) * cells
    left = np.floor(places).astype(int)
    table = np.zeros((SENSORS, cells + 1))
    table[np.arange(SENSORS), left] = 1.0 - (places - left)
    table[np.arange(SENSORS), np.minimum(left + 1, cells)] += places - left
    return table
