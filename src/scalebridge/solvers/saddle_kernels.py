"""Compiled loops over sparse rows and vectors of several cases at once, for saddle-point systems.

A block of vectors has shape (unknowns, cases): one pass over a matrix serves all cases, and what bounds the
speed, reading the matrix, is paid once. Matrices come as the three arrays of compressed rows. The loop over a
row is written out wherever it stands: as a function of its own it took 1.8 times as long (9.6 instead of
5.3 ms for 300,000 rows of seven, in both precisions).
"""

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Starts, columns and values of a matrix in compressed rows."""


def rows_of(matrix, dtype: type = np.float64) -> Rows:
    """Return the arrays of a compressed matrix, numbers in 32 bits and values in a type."""
    return (
        matrix.indptr.astype(np.int32, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(dtype, copy=False),
    )


@kernel
def _multiply(start, stop, piece, rows, factor, x, keep, y):
    """Do  y = keep y + factor rows x."""
    starts, columns, values = rows
    cases = x.shape[1]
    if cases == 3:
        for i in range(start, stop):
            a, b, c = y.dtype.type(0), y.dtype.type(0), y.dtype.type(0)
            for k in range(starts[i], starts[i + 1]):
                value, j = values[k], columns[k]
                a += value * x[j, 0]
                b += value * x[j, 1]
                c += value * x[j, 2]
            if keep == 0:
                y[i, 0], y[i, 1], y[i, 2] = factor * a, factor * b, factor * c
            else:
                y[i, 0] = keep * y[i, 0] + factor * a
                y[i, 1] = keep * y[i, 1] + factor * b
                y[i, 2] = keep * y[i, 2] + factor * c
        return
    for i in range(start, stop):
        for case in range(cases):
            a = y.dtype.type(0)
            for k in range(starts[i], starts[i + 1]):
                a += values[k] * x[columns[k], case]
            y[i, case] = factor * a if keep == 0 else keep * y[i, case] + factor * a


def multiply(rows: Rows, x: np.ndarray, y: np.ndarray, factor: float = 1.0, keep: float = 0.0) -> None:
    """Do  y = keep y + factor rows x  for a block of vectors, in the type of all."""
    kind, count = y.dtype.type, len(rows[0]) - 1
    in_slabs(_multiply, count, rows, kind(factor), x, kind(keep), y, threads=_threads(rows))


@kernel
def _polynomial(start, stop, piece, rows, inverse, b, x, d, along, across):
    """Do  d = along d + across inverse (b - rows x)  row by row."""
    starts, columns, values = rows
    cases = x.shape[1]
    if cases == 3:
        for i in range(start, stop):
            e, f, g = b[i, 0], b[i, 1], b[i, 2]
            for k in range(starts[i], starts[i + 1]):
                value, j = values[k], columns[k]
                e -= value * x[j, 0]
                f -= value * x[j, 1]
                g -= value * x[j, 2]
            weight = across * inverse[i]
            d[i, 0] = along * d[i, 0] + weight * e
            d[i, 1] = along * d[i, 1] + weight * f
            d[i, 2] = along * d[i, 2] + weight * g
        return
    for i in range(start, stop):
        for case in range(cases):
            e = b[i, case]
            for k in range(starts[i], starts[i + 1]):
                e -= values[k] * x[columns[k], case]
            d[i, case] = along * d[i, case] + across * inverse[i] * e


@kernel
def _add(start, stop, piece, x, d):
    for i in range(start, stop):
        for case in range(x.shape[1]):
            x[i, case] += d[i, case]


@kernel
def _begin_smoothing(start, stop, piece, inverse, across, b, d, x):
    for i in range(start, stop):
        for case in range(x.shape[1]):
            d[i, case] = across * inverse[i] * b[i, case]
            x[i, case] = d[i, case]


def smooth(
    rows: Rows,
    inverse: np.ndarray,
    steps: tuple[tuple[float, float], ...],
    b: np.ndarray,
    x: np.ndarray,
    d: np.ndarray,
    *,
    from_zero: bool,
) -> None:
    """Smooth the error of  rows x = b  in place by a polynomial in (diagonal^-1 rows).

    Args:
        rows: the matrix.
        inverse: inverse of its diagonal.
        steps: for each step the factors of the last change and of the residual (Chebyshev's recurrence).
        b: right-hand sides.
        x: the iterate.
        d: room of the same shape.
        from_zero: whether the iterate is zero, whatever it holds.
    """
    kind, count, threads = x.dtype.type, len(x), _threads(rows)
    for number, (along, across) in enumerate(steps):
        if from_zero and number == 0:
            in_slabs(_begin_smoothing, count, inverse, kind(across), b, d, x, threads=threads)
            continue
        factors = (kind(along if number else 0.0), kind(across))
        in_slabs(_polynomial, count, rows, inverse, b, x, d, *factors, threads=threads)
        in_slabs(_add, count, x, d, threads=threads)


@kernel
def _residual(start, stop, piece, rows, b, x, r):
    """Do  r = b - rows x."""
    starts, columns, values = rows
    cases = x.shape[1]
    if cases == 3:
        for i in range(start, stop):
            e, f, g = b[i, 0], b[i, 1], b[i, 2]
            for k in range(starts[i], starts[i + 1]):
                value, j = values[k], columns[k]
                e -= value * x[j, 0]
                f -= value * x[j, 1]
                g -= value * x[j, 2]
            r[i, 0], r[i, 1], r[i, 2] = e, f, g
        return
    for i in range(start, stop):
        for case in range(cases):
            e = b[i, case]
            for k in range(starts[i], starts[i + 1]):
                e -= values[k] * x[columns[k], case]
            r[i, case] = e


def residual(rows: Rows, b: np.ndarray, x: np.ndarray, r: np.ndarray) -> None:
    """Do  r = b - rows x."""
    in_slabs(_residual, len(r), rows, b, x, r, threads=_threads(rows))


@kernel
def _dots(start, stop, piece, a, b, out):
    cases = a.shape[1]
    for case in range(cases):
        out[piece, case] = 0.0
    block = 4096  # sums of blocks are added, so that rounding does not grow with the size
    part = np.empty(cases)
    for low in range(start, stop, block):
        part[:] = 0.0
        for i in range(low, min(low + block, stop)):
            for case in range(cases):
                part[case] += a[i, case] * b[i, case]
        for case in range(cases):
            out[piece, case] += part[case]


def dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product of each case's two vectors."""
    threads = threads_for(a.size)
    out = np.zeros((threads, a.shape[1]))
    in_slabs(_dots, len(a), a, b, out, threads=threads)
    return out.sum(axis=0)


@kernel
def _lanczos(start, stop, piece, q, v, v_old, alpha, beta):
    for i in range(start, stop):
        for case in range(q.shape[1]):
            v_old[i, case] = q[i, case] - alpha[case] * v[i, case] - beta[case] * v_old[i, case]


def lanczos(q: np.ndarray, v: np.ndarray, v_old: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> None:
    """Do  v_old = q - alpha v - beta v_old  with factors for each case."""
    in_slabs(_lanczos, len(q), q, v, v_old, alpha, beta, threads=threads_for(q.size))


@kernel
def _turn(start, stop, piece, z, w, w_old, x, scale, second, third, step):
    for i in range(start, stop):
        for case in range(z.shape[1]):
            turned = scale[case] * z[i, case] - second[case] * w[i, case] - third[case] * w_old[i, case]
            w_old[i, case] = turned
            x[i, case] += step[case] * turned


def turn(
    z: np.ndarray, w: np.ndarray, w_old: np.ndarray, x: np.ndarray, factors: tuple[np.ndarray, ...]
) -> None:
    """Do  w_old = scale z - second w - third w_old,  x += step w_old  with factors for each case."""
    in_slabs(_turn, len(z), z, w, w_old, x, *factors, threads=threads_for(z.size))


@kernel
def _scale(start, stop, piece, z, factor):
    for i in range(start, stop):
        for case in range(z.shape[1]):
            z[i, case] *= factor[case]


def scale(z: np.ndarray, factor: np.ndarray) -> None:
    """Do  z *= factor  with a factor for each case."""
    in_slabs(_scale, len(z), z, factor, threads=threads_for(z.size))


def _threads(rows: Rows) -> int:
    return threads_for(rows[1].size)
