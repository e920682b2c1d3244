"""The dominant eigenvalue of a positive operator, by Arnoldi's method in SciPy (ARPACK)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from scalebridge.core.results import Outcome

_DENSE_MOST = 24  # unknowns: below, the operator is written out


@dataclass(frozen=True)
class DominantMode:
    """The largest eigenvalue and its vector, of sum one.

    Args:
        value: the eigenvalue.
        vector: (n,).
        residual: |A x - value x| / |value x|.
        applications: how often the operator was applied.
        outcome: how it ended.
    """

    value: float
    vector: np.ndarray
    residual: float
    applications: int
    outcome: Outcome


def dominant_mode(
    apply: Callable[[np.ndarray], np.ndarray], start: np.ndarray, *, rtol: float = 1e-10, max_steps: int = 500
) -> DominantMode:
    """Return the dominant mode of an operator whose largest eigenvalue is real and simple (Perron).

    Args:
        apply: the operator.
        start: (n,) a first guess, positive.
        rtol: wanted relative residual.
        max_steps: restarts of Arnoldi's method.

    Source: R. B. Lehoucq, D. C. Sorensen, C. Yang, ARPACK Users' Guide, SIAM (1998).

    Example:
        >>> found = dominant_mode(lambda x: np.array([[2.0, 1.0], [1.0, 2.0]]) @ x, np.ones(2))
        >>> round(found.value, 12), found.vector.round(12).tolist()
        (3.0, [0.5, 0.5])
    """
    count = 0

    def counted(x: np.ndarray) -> np.ndarray:
        nonlocal count
        count += 1
        return apply(x)

    size = len(start)
    if size <= _DENSE_MOST:
        matrix = np.stack([counted(row) for row in np.eye(size)], axis=1)
        values, vectors = np.linalg.eig(matrix)
    else:
        operator: Any = LinearOperator((size, size), matvec=counted, dtype=float)  # type: ignore[call-arg]
        try:
            found: Any = eigs(operator, k=1, which="LM", v0=start, tol=0.1 * rtol, maxiter=max_steps)  # type: ignore[arg-type]
            values, vectors = found
        except ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
    if not len(values):
        return DominantMode(np.nan, np.full(size, np.nan), np.nan, count, Outcome.step_limit)
    vector = np.real(vectors[:, int(np.abs(values).argmax())])
    after = counted(vector)  # a step of power iteration, whose ratio of sums is the eigenvalue
    value = float(after.sum() / vector.sum())
    residual = float(np.linalg.norm(after - value * vector) / np.linalg.norm(after))
    outcome = Outcome.converged if residual <= rtol else Outcome.step_limit
    return DominantMode(value, after / after.sum(), residual, count, outcome)
