"""One symmetric V-cycle of smoothed aggregation, for several vectors at once, as a preconditioner.

The hierarchy is built by pyamg (Vanek, Mandel & Brezina, Computing 56 (1996) 179) and applied here: smoothers
are polynomials in (diagonal^-1 matrix), the same before and after the coarse correction, so that the cycle is
symmetric and runs in parallel, which sweeps over unknowns in order would not. It works in single precision:
a preconditioner needs few digits, and half the bytes are read.
"""

from dataclasses import dataclass

import numpy as np
import pyamg
from scipy.sparse import csr_array, csr_matrix

from scalebridge.solvers.saddle_kernels import Rows, multiply, residual, rows_of, smooth

_COARSEST = 300  # unknowns that a dense inverse is quick for
_SINGULAR = 1e-11  # of the largest eigenvalue, below which one counts as zero; far slip leaves 1e-7
_NOTHING = 1e-10  # of the finest matrix's largest diagonal entry, below which one is rounding
_SMOOTHED = 4.0  # ratio of the largest eigenvalue to the smallest one that the smoother is to reduce
_SAFETY = 1.05  # on an eigenvalue that is estimated from below
_POWER_STEPS = 12
_TYPE = np.float32
# Damped row by row, by sums of its entries: pyamg's other choices estimate an eigenvalue from random vectors,
# and the same question would not give the same digits twice.
_PROLONGATION = ("jacobi", {"omega": 1.5, "weighting": "local"})


@dataclass(frozen=True)
class _Level:
    rows: Rows
    inverse: np.ndarray
    steps: tuple[tuple[float, float], ...]
    down: Rows
    up: Rows
    coarse: int


class VCycle:
    """A symmetric V-cycle for a symmetric positive (semi)definite matrix.

    Args:
        matrix: the matrix.
        degree: degree of the polynomial smoother, 1 or more.

    Attributes:
        complexity: stored values on all levels over those of the matrix.

    Cost: (2 degree + 1) products with the matrix, times the complexity, of some 1.3.
    """

    def __init__(self, matrix: csr_array, degree: int = 2):
        hierarchy = pyamg.smoothed_aggregation_solver(
            csr_matrix(matrix),
            symmetry="hermitian",
            max_coarse=_COARSEST,
            max_levels=20,
            improve_candidates=None,
            smooth=_PROLONGATION,
            presmoother=None,
            postsmoother=None,
        )
        nothing = _NOTHING * float(matrix.diagonal().max())
        self._levels = [_level_of(level, degree, nothing) for level in hierarchy.levels[:-1]]
        self._coarsest = _dense_inverse(hierarchy.levels[-1].A, nothing)
        stored = sum(level.A.nnz for level in hierarchy.levels)
        self.complexity = stored / max(matrix.nnz, 1)
        self._rooms: dict[int, list[tuple[np.ndarray, ...]]] = {}

    def apply(self, b: np.ndarray) -> np.ndarray:
        """Return the cycle's answer to a block of right-hand sides in float32, shape (unknowns, cases).

        The array that is returned is used again by the next call.
        """
        rooms = self._room(b.shape[1])
        return self._descend(0, b, rooms)

    def _descend(self, depth: int, b: np.ndarray, rooms: list[tuple[np.ndarray, ...]]) -> np.ndarray:
        if depth == len(self._levels):
            return self._coarsest @ b
        level, (x, d, r) = self._levels[depth], rooms[depth]
        smooth(level.rows, level.inverse, level.steps, b, x, d, from_zero=True)
        residual(level.rows, b, x, d)
        multiply(level.down, d, r)
        multiply(level.up, self._descend(depth + 1, r, rooms), x, keep=1.0)
        smooth(level.rows, level.inverse, level.steps, b, x, d, from_zero=False)
        return x

    def _room(self, cases: int) -> list[tuple[np.ndarray, ...]]:
        if cases not in self._rooms:
            self._rooms[cases] = [
                (
                    np.empty((len(level.inverse), cases), _TYPE),
                    np.empty((len(level.inverse), cases), _TYPE),
                    np.empty((level.coarse, cases), _TYPE),
                )
                for level in self._levels
            ]
        return self._rooms[cases]


def _level_of(level, degree: int, nothing: float) -> _Level:
    matrix = level.A.tocsr()
    diagonal = matrix.diagonal()
    # A part of the unknowns on which constants cost nothing may have shrunk to one: its row is zero but for
    # rounding, and is left alone.
    alive = diagonal > nothing
    inverse = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=alive)
    largest = _SAFETY * _largest_eigenvalue(matrix, diagonal, inverse)
    return _Level(
        rows_of(matrix, _TYPE),
        inverse.astype(_TYPE),
        _chebyshev(largest / _SMOOTHED, largest, degree),
        rows_of(level.P.T.tocsr(), _TYPE),
        rows_of(level.P.tocsr(), _TYPE),
        level.P.shape[1],
    )


def _largest_eigenvalue(matrix, diagonal: np.ndarray, inverse: np.ndarray) -> float:
    """Estimate the largest eigenvalue of diagonal^-1 matrix by powers, from a vector drawn with a seed."""
    x = np.random.default_rng(0).standard_normal(matrix.shape[0])
    found = 1.0
    for _ in range(_POWER_STEPS):
        y = inverse * (matrix @ x)
        if not np.any(y):
            break
        found = float(np.sqrt((y @ (diagonal * y)) / (x @ (diagonal * x))))
        x = y / np.linalg.norm(y)
    return found


def _chebyshev(low: float, high: float, degree: int) -> tuple[tuple[float, float], ...]:
    """Return the recurrence of Chebyshev's polynomial on [low, high] (Saad, Iterative Methods, alg. 12.1)."""
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    sigma = middle / half
    rho = 1.0 / sigma
    steps = [(0.0, 1.0 / middle)]
    for _ in range(degree - 1):
        following = 1.0 / (2.0 * sigma - rho)
        steps.append((following * rho, 2.0 * following / half))
        rho = following
    return tuple(steps)


def _dense_inverse(matrix, nothing: float) -> np.ndarray:
    """Return the pseudo-inverse of the coarsest matrix, exactly symmetric."""
    values, vectors = np.linalg.eigh(np.asarray(matrix.todense(), float))
    kept = values > max(_SINGULAR * values[-1], nothing)
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return (0.5 * (inverse + inverse.T)).astype(_TYPE)
