"""Compiled vector operations that conjugate gradients need, each one pass over memory.

Sums are taken over blocks in the type of the field, and the blocks are added in float64. Rows come as slices
and loops start at zero: a first index that could be negative keeps the compiler from taking several numbers
at a time (dot and descend took five and nine times as long).
"""

import numpy as np

from scalebridge.core.compiled import kernel, row_kernel
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for

_BLOCK = 2048


@row_kernel
def _dot_block(a, b):
    part = a.dtype.type(0)
    for i in range(a.size):
        part += a[i] * b[i]
    return part


@kernel
def _dot(start, stop, piece, a, b):
    total = 0.0
    for low in range(start, stop, _BLOCK):
        high = min(low + _BLOCK, stop)
        total += _dot_block(a[low:high], b[low:high])
    return total


@row_kernel
def _descend_block(r, q, step):
    square, mixed, other = r.dtype.type(0), r.dtype.type(0), r.dtype.type(0)
    for i in range(r.size):
        along = q[i]
        rest = r[i] - step * along
        r[i] = rest
        square += rest * rest
        mixed += rest * along
        other += along * along
    return square, mixed, other


@kernel
def descend(r, q, alpha):
    """Do  r -= alpha q  on flat fields in place, and return r . r, r . q and q . q."""
    step = r.dtype.type(alpha)
    square, mixed, other = 0.0, 0.0, 0.0
    for low in range(0, r.size, _BLOCK):
        found = _descend_block(r[low : low + _BLOCK], q[low : low + _BLOCK], step)
        square, mixed, other = square + found[0], mixed + found[1], other + found[2]
    return square, mixed, other


@row_kernel
def _turn_block(x, p, z, step, factor):
    for i in range(p.size):
        direction = p[i]
        x[i] += step * direction
        p[i] = z[i] + factor * direction


@kernel
def advance_and_turn(x, p, z, alpha, beta):
    """Do  x += alpha p,  p = z + beta p  on flat fields in place."""
    _turn_block(x, p, z, p.dtype.type(alpha), p.dtype.type(beta))


@row_kernel
def _add_row(x, part, field):
    for i in range(x.size):
        x[i] += part * field[i]


@kernel
def _add(start, stop, piece, x, part, field):
    _add_row(x[start:stop], part, field[start:stop])


def add_scaled(x: np.ndarray, part: float, field: np.ndarray) -> None:
    """Do  x += part field  in place, on contiguous fields whose types may differ."""
    in_slabs(_add, x.size, x.reshape(-1), part, field.reshape(-1), threads=threads_for(x.size))


@row_kernel
def copy_row(source, target):
    """Copy a row, to any type."""
    for k in range(target.size):
        target[k] = source[k]


@kernel
def _widen(start, stop, piece, x, field):
    copy_row(field[start:stop], x[start:stop])


def widen(x: np.ndarray, field: np.ndarray) -> None:
    """Write a contiguous field over another one of a wider type."""
    in_slabs(_widen, x.size, x.reshape(-1), field.reshape(-1), threads=threads_for(x.size))


def dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the product of two contiguous fields of one type."""
    return sum(in_slabs(_dot, a.size, a.reshape(-1), b.reshape(-1), threads=threads_for(a.size)))
