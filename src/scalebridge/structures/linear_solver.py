"""Sparse linear systems of the coarse model: a direct solver, or conjugate gradients with multigrid."""

import importlib
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
import pyamg
import scipy.sparse.linalg as sparse
from scipy.sparse import csr_matrix

from scalebridge.core.errors import InputError, MissingExtraError

LinearMethod = Literal["auto", "direct", "pardiso", "multigrid"]
_DIRECT_MOST = {2: 300_000, 3: 20_000}  # unknowns: beyond, the fill of a direct solver takes over
_RTOL = 1e-11


@dataclass(frozen=True)
class LinearSolver:
    """Solves K x = b.

    Args:
        method: "auto", "direct" (SuperLU), "pardiso" (where pypardiso is installed), or "multigrid"
            (conjugate gradients; a direct solver steps in where they do not converge).
        modes: (free, modes) rigid motions, for multigrid.
        dim: 2 or 3.
    """

    method: LinearMethod
    modes: np.ndarray
    dim: int

    def __call__(self, matrix: csr_matrix, right: np.ndarray) -> np.ndarray:
        """Return x; NaN where the matrix is singular."""
        if len(right) == 0:
            return np.zeros_like(right)
        chosen = self.chosen(len(right))
        if chosen == "pardiso":
            return _pardiso(matrix, right)
        if chosen == "multigrid":
            found = self._multigrid(matrix, right)
            if found is not None:
                return found
        return _direct(matrix, right)

    def chosen(self, size: int) -> str:
        """Return the method that is used for so many unknowns."""
        if self.method != "auto":
            return self.method
        if find_spec("pypardiso") is not None:
            return "pardiso"
        return "direct" if size <= _DIRECT_MOST[self.dim] else "multigrid"

    def _multigrid(self, matrix: csr_matrix, right: np.ndarray) -> np.ndarray | None:
        columns = right.reshape(len(right), -1)
        hierarchy = pyamg.smoothed_aggregation_solver(matrix, B=self.modes, max_coarse=500)
        found = np.zeros_like(columns)
        for i, column in enumerate(columns.T):
            history: list[float] = []
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an indefinite matrix is noticed by its residual
                found[:, i] = hierarchy.solve(column, tol=_RTOL, maxiter=200, accel="cg", residuals=history)
            rest = np.linalg.norm(matrix @ found[:, i] - column)
            if not rest <= 100 * _RTOL * np.linalg.norm(column):
                return None
        return found.reshape(right.shape)


def check_linear_method(method: str) -> None:
    """Refuse a method that there is not.

    Raises:
        InputError: no such method.
        MissingExtraError: pypardiso is asked for and not installed.
    """
    if method not in get_args(LinearMethod):
        raise InputError(
            "linear_solver",
            got=repr(method),
            wanted=", ".join(map(repr, get_args(LinearMethod))),
            cure="choose one of them",
        )
    if method == "pardiso" and find_spec("pypardiso") is None:
        raise MissingExtraError("pypardiso", extra="fe2", purpose="the linear solver 'pardiso'")


def rigid_motions(places: np.ndarray, component: np.ndarray) -> np.ndarray:
    """Return translations and rotations at each unknown: (unknowns, 3 in the plane or 6).

    Args:
        places: (dim, unknowns) coordinates of each unknown.
        component: (unknowns,) its axis.
    """
    dim = len(places)
    moves = [np.where(component == axis, 1.0, 0.0) for axis in range(dim)]
    for first in range(dim):
        for second in range(first + 1, dim):
            turn = np.where(component == first, -places[second], 0.0)
            moves.append(turn + np.where(component == second, places[first], 0.0))
    return np.stack(moves, axis=1)


def _pardiso(matrix: csr_matrix, right: np.ndarray) -> np.ndarray:
    pypardiso = importlib.import_module("pypardiso")
    failures = (ValueError, importlib.import_module("pypardiso.pardiso_wrapper").PyPardisoError)
    try:
        return np.asarray(pypardiso.spsolve(matrix, right))
    except failures:  # a row of zeros, or a pivot
        return np.full_like(right, np.nan)


def _direct(matrix: csr_matrix, right: np.ndarray) -> np.ndarray:
    try:
        return sparse.splu(matrix.tocsc()).solve(right)
    except RuntimeError:  # exactly singular
        return np.full_like(right, np.nan)
