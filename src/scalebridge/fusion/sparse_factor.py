"""Sparse Cholesky factors of a joint precision: CHOLMOD where it is installed, else SuperLU, in one ordering.

Unknowns are ordered by nested dissection of the places that they have in time and space, which fills far less
than a minimum degree does where all dates and pixels hang together.
"""

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import get_lapack_funcs
from scipy.sparse.linalg import splu

from scalebridge.core.errors import SolverError
from scalebridge.fusion import sparse_kernels
from scalebridge.grids.footprints import Sparse

_LEAF = 64  # unknowns that are not divided further


class Factor(NamedTuple):
    """A symmetric factor.

    Args:
        name: "CHOLMOD" or "SuperLU".
        solve: answers of right sides, (unknowns,) or (unknowns, columns).
        log_determinant: of the matrix.
        place: where each unknown went.
        lower: the factor L of the permuted matrix, L L', with rows sorted and everything in its pattern that
            elimination fills, whatever the numbers; made when it is asked for.
    """

    name: str
    solve: Callable[[np.ndarray], np.ndarray]
    log_determinant: float
    place: np.ndarray
    lower: Callable[[], sp.csc_matrix]


def factor_package() -> str:
    """Return which package factors here: "CHOLMOD" (with the extra cholmod) or "SuperLU" (of SciPy)."""
    return "CHOLMOD" if importlib.util.find_spec("cvxopt") is not None else "SuperLU"


def factorise(precision: sp.csc_matrix, order: np.ndarray, package: str | None = None) -> Factor:
    """Return the factor of a symmetric positive definite matrix.

    Args:
        precision: the matrix.
        order: of elimination; see `dissect`.
        package: "CHOLMOD" or "SuperLU"; `factor_package` unless given.

    Raises:
        SolverError: the matrix is not positive definite to rounding.
    """
    made = _by_cholmod if (package or factor_package()) == "CHOLMOD" else _by_superlu
    return made(precision, order)


def _not_definite() -> SolverError:
    return SolverError(
        "the precision is not positive definite; a length or noise may be far too large or small"
    )


def _by_cholmod(precision: sp.csc_matrix, order: np.ndarray) -> Factor:
    """CHOLMOD's supernodal factor, by CVXOPT."""
    cvxopt = importlib.import_module("cvxopt")
    cholmod = importlib.import_module("cvxopt.cholmod")
    size = len(order)
    low = sp.tril(precision).tocoo()
    table = cvxopt.spmatrix(
        cvxopt.matrix(low.data),
        *(cvxopt.matrix(i.astype(np.int64)) for i in (low.row, low.col)),
        (size, size),
    )

    def numeric() -> Any:
        found = cholmod.symbolic(table, cvxopt.matrix(order.astype(np.int64)))
        try:
            cholmod.numeric(table, found)
        except ArithmeticError as error:
            raise _not_definite() from error
        return found

    factor = numeric()

    def ask(side: np.ndarray, system: int = 0) -> np.ndarray:
        given = np.asarray(side, dtype=float)
        wide = cvxopt.matrix(np.asfortranarray(given.reshape(size, -1)))
        cholmod.solve(factor, wide, system)
        return np.array(wide).reshape(given.shape)

    def lower() -> sp.csc_matrix:
        found = cholmod.getfactor(numeric())  # which takes the factor itself apart
        pointer, index, values = (np.asarray(a).ravel() for a in found.CCS)
        return sp.csc_matrix((values, index, pointer), (size, size))

    log = 2.0 * float(np.log(np.asarray(cholmod.diag(factor))).sum())
    place = np.empty(size, dtype=np.int64)
    place[np.rint(ask(np.arange(size), 7)).astype(np.int64)] = np.arange(size)
    return Factor("CHOLMOD", ask, log, place, lower)


def _by_superlu(precision: sp.csc_matrix, order: np.ndarray) -> Factor:
    """SciPy's SuperLU in its symmetric mode, without pivoting."""
    sorted_ = sp.csc_matrix(precision[order][:, order])
    told: dict[str, Any] = {"permc_spec": "NATURAL", "diag_pivot_thresh": 0.0}
    found = splu(sorted_, options={"SymmetricMode": True}, **told)
    diagonal = found.U.diagonal()
    if not (diagonal > 0).all() or (found.perm_r != found.perm_c).any():
        raise _not_definite()
    place = np.empty(len(order), dtype=np.int64)
    place[order] = found.perm_r

    def solve(side: np.ndarray) -> np.ndarray:
        out = np.empty(np.shape(side))
        out[order] = found.solve(np.asarray(side, dtype=float)[order])
        return out

    def lower() -> sp.csc_matrix:
        pattern = filled_pattern(precision, place)
        keys = np.repeat(np.arange(len(order)), np.diff(pattern.indptr)) * len(order) + pattern.indices
        entries = found.L.tocoo()
        values = np.zeros(len(keys))
        at = np.searchsorted(keys, entries.col.astype(np.int64) * len(order) + entries.row)
        values[at] = entries.data * np.sqrt(diagonal)[entries.col]
        return sp.csc_matrix((values, pattern.indices, pattern.indptr), pattern.shape)

    return Factor("SuperLU", solve, float(np.log(diagonal).sum()), place, lower)


def filled_pattern(precision: sp.csc_matrix, place: np.ndarray) -> sp.csc_matrix:
    """Return the pattern of the factor of a permuted matrix, whatever its numbers: ones in its lower half.

    A column's pattern is that of the matrix, and those of its children in the elimination tree.
    """
    size = len(place)
    table = precision.tocoo()
    rows, columns = place[table.row], place[table.col]
    low = sp.csc_matrix(
        (np.ones(len(rows)), (np.maximum(rows, columns), np.minimum(rows, columns))), (size, size)
    )
    children: list[list[np.ndarray]] = [[] for _ in range(size)]
    found = []
    for j in range(size):
        parts = [low.indices[low.indptr[j] : low.indptr[j + 1]], np.array([j]), *children[j]]
        own = np.unique(np.concatenate(parts))
        children[j] = []
        found.append(own)
        if len(own) > 1:
            children[own[1]].append(own[1:])
    pointer = np.concatenate([[0], np.cumsum([len(own) for own in found])])
    index = np.concatenate(found)
    return sp.csc_matrix((np.ones(len(index)), index, pointer), (size, size))


def dissect(precision: Sparse, where: np.ndarray) -> np.ndarray:
    """Return an order of elimination by nested dissection.

    Unknowns are halved across their longest extent; those of one half that touch the other come last.

    Args:
        precision: the matrix.
        where: (unknowns, axes), places, in steps that the matrix couples about as far along each.

    Source: George, SIAM J. Numer. Anal. 10 (1973) 345.

    Example:
        >>> line = sp.diags([np.ones(199), 2 * np.ones(200), np.ones(199)], [-1, 0, 1])
        >>> int(dissect(sp.csr_matrix(line), np.arange(200.0)[:, None])[-1])
        99
    """
    rows = sp.csr_matrix(precision, copy=True)
    rows.data[:] = 1.0
    other, found = np.zeros(len(where), dtype=np.int64), []
    waiting = [np.arange(len(where))]
    while waiting:  # the last of what is found comes first
        nodes = waiting.pop()
        halves = _halved(where[nodes]) if len(nodes) > _LEAF else None
        if halves is None:
            found.append(nodes)
            continue
        near, far = nodes[halves], nodes[~halves]
        other[far] = 1
        touching = rows[near] @ other > 0
        other[far] = 0
        found.append(near[touching])
        waiting += [near[~touching], far]
    return np.concatenate(found[::-1])


def _halved(places: np.ndarray) -> np.ndarray | None:
    """Which places lie in the first half along their longest extent; None where all are one."""
    extent = np.ptp(places, axis=0)
    axis = int(np.argmax(extent))
    if extent[axis] <= 0:
        return None
    along = places[:, axis]
    half = along < np.median(along)
    return half if half.any() else along <= np.median(along)


class Selected(NamedTuple):
    """Entries of an inverse in the pattern of its factor, permuted as it is: compressed columns."""

    pointer: np.ndarray
    index: np.ndarray  # pyright: ignore[reportIncompatibleMethodOverride]
    inverse: np.ndarray
    place: np.ndarray

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return entries of the inverse, all of them in the pattern."""
        found = np.empty(len(rows))
        sparse_kernels.entries_at(self.place[rows], self.place[columns], *self[:3], found)
        return found

    def variances(self, rows: Sparse) -> np.ndarray:
        """Return w' A^-1 w of sparse rows whose pairs of unknowns lie in the pattern."""
        found = np.empty(rows.shape[0])
        sparse_kernels.row_variances(rows.indptr, rows.indices, rows.data, *self, found)
        return found


def selected_inverse(factor: Factor) -> Selected:
    """Return the entries of the inverse in the pattern of the factor, supernode by supernode from the last.

    With S the columns of a supernode and R the rows below them, Y = L_RS L_SS^-1, Z_RS = -Z_RR Y and
    Z_SS = (L_SS L_SS')^-1 - Y' Z_RS.

    Cost: of the factorisation, about three times.

    Source: Takahashi, Fagan & Chin (1973); by supernodes Lin et al., ACM Trans. Math. Softw. 37 (2011) 40.
    """
    lower = factor.lower()
    pointer, index = lower.indptr.astype(np.int64), lower.indices.astype(np.int64)
    inverse = np.empty(len(index))
    (invert,) = get_lapack_funcs(("trtri",), dtype=np.float64)
    heads = sparse_kernels.supernodes(pointer, index)
    for first, last in zip(heads[-2::-1], heads[:0:-1], strict=True):
        width, rows = last - first, index[pointer[first] : pointer[first + 1]]
        block = np.zeros((len(rows), width))
        sparse_kernels.move_columns(pointer, lower.data, first, block, False)
        root = invert(block[:width], lower=1)[0]
        own = root.T @ root
        below = rows[width:]
        found = own
        if len(below):
            around = np.empty((len(below), len(below)))
            sparse_kernels.gather_square(pointer, index, inverse, below, around)
            share = block[width:] @ root
            beside = -around @ share
            found = np.concatenate([own - share.T @ beside, beside])
        sparse_kernels.move_columns(pointer, inverse, first, found, True)
    return Selected(pointer, index, inverse, factor.place)
