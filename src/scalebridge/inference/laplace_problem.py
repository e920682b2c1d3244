"""The Bayesian inversion benchmark of Aristoff & Bangerth: a membrane's 64 coefficients from 169 deflections.

    -div(a grad u) = 10 on the unit square,   u = 0 on its boundary

with bilinear elements on 32 x 32 squares and a constant on each of 8 x 8 blocks; u is measured at 13 x 13
points with noise of standard deviation 0.05. The published prior, exp(-(log a)² / (2 · 2²)), is a density of
the coefficients themselves: their logarithms are N(2², 2²), as `PRIOR` has it.

Source: Aristoff & Bangerth, SIAM Rev. 65 (2023) 1074. What the prior is a density of follows from the ratio
of proposals in their program (deal.II code gallery, MCMC-Laplace).
"""

from typing import Any

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csr_matrix

CELLS, BLOCKS, SENSORS = 32, 8, 13
NOISE, PRIOR_SPREAD, LOAD = 0.05, 2.0, 10.0
PRIOR = f"lognormal({np.exp(PRIOR_SPREAD**2):.17g}, {PRIOR_SPREAD:g}) * {BLOCKS**2}"
"""As text for `sample`; the density of logarithms has the published one times the coefficient."""
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

    Cost: a banded Cholesky factorisation, cells⁴ operations: half a millisecond on 32 x 32 squares; solves
        with it take a tenth of that.
    """

    def __init__(self, cells: int = CELLS):
        self.name, self._cells = f"{cells} x {cells}", cells
        nodes, self._width = cells + 1, cells + 1  # entries of a column from the diagonal down
        corner = (np.arange(cells)[:, None] * nodes + np.arange(cells)).ravel()  # (y, x), x fastest
        self._corners = corner[:, None] + np.array([0, 1, nodes + 1, nodes])
        block = np.arange(cells) * BLOCKS // cells
        self._block = (block * BLOCKS + block[:, None]).ravel()
        inner = np.zeros((nodes, nodes), dtype=bool)
        inner[1:-1, 1:-1] = True
        self._inner = np.flatnonzero(inner.ravel())
        self._bands = self._assembled()
        self._load = np.full(self._inner.size, LOAD / cells**2)
        line = _interpolation(cells)
        observe = np.einsum("ai,bj->abij", line, line).reshape(SENSORS**2, nodes**2)[:, self._inner]
        self._observe, self._spread = csr_matrix(observe), csr_matrix(observe.T)
        self._last: tuple[bytes, np.ndarray, np.ndarray] | None = None  # of an answer, for its gradient

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel as the number of squares; factors do not."""
        return LaplaceModel, (self._cells,)

    def __call__(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the 169 deflections."""
        return self._observe @ self._solved(coefficients)[1]

    def gradient(self, coefficients: np.ndarray, sensitivity: np.ndarray) -> np.ndarray:
        """Return sensitivityᵀ d(deflections)/d(coefficients), (64,): -λᵀ (dK/da) u with K λ = Mᵀ s."""
        factor, solved = self._solved(coefficients)
        deflection, adjoint = np.zeros((2, (self._cells + 1) ** 2))
        deflection[self._inner] = solved
        adjoint[self._inner] = _solve(factor, self._spread @ sensitivity)
        each = np.einsum("ei,ei->e", adjoint[self._corners] @ _ELEMENT, deflection[self._corners])
        return -np.bincount(self._block, each, BLOCKS**2)

    def _assembled(self) -> csr_matrix:
        """The lower bands of the stiffness as a linear function of the coefficients."""
        size = self._inner.size
        number = np.full((self._cells + 1) ** 2, -1)
        number[self._inner] = np.arange(size)
        row, column = number[np.repeat(self._corners, 4, axis=1)], number[np.tile(self._corners, (1, 4))]
        kept = (column >= 0) & (row >= column)
        place = (column * self._width + row - column)[kept]  # bands run down the columns of Fortran's order
        block = np.broadcast_to(self._block[:, None], kept.shape)[kept]
        entries = np.broadcast_to(_ELEMENT.ravel(), kept.shape)[kept]
        return csr_matrix((entries, (place, block)), shape=(size * self._width, BLOCKS**2))

    def _solved(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The factor and the deflections of all inner nodes."""
        values = np.asarray(coefficients, dtype=float)
        key = values.tobytes()
        if self._last is None or key != self._last[0]:
            bands = (self._bands @ values).reshape(-1, self._width).T
            factor = cholesky_banded(bands, overwrite_ab=True, lower=True, check_finite=False)
            self._last = key, factor, _solve(factor, self._load)
        return self._last[1:]


def _solve(factor: np.ndarray, load: np.ndarray) -> np.ndarray:
    return cho_solve_banded((factor, True), load, check_finite=False)


def _interpolation(cells: int) -> np.ndarray:
    """Linear interpolation from the nodes of an edge to the sensors at 1/14, ..., 13/14."""
    places = np.arange(1, SENSORS + 1) / (SENSORS + 1) * cells
    left = np.floor(places).astype(int)
    table = np.zeros((SENSORS, cells + 1))
    table[np.arange(SENSORS), left] = 1.0 - (places - left)
    table[np.arange(SENSORS), np.minimum(left + 1, cells)] += places - left
    return table
