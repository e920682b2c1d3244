"""Loops over the entries of a sparse inverse that lie in the pattern of its factor, compiled."""

import numpy as np

from scalebridge.core.compiled import kernel


@kernel
def find(index, low, high, wanted):
    """Return where `wanted` is in the sorted part [low, high) of an index."""
    while low < high:
        middle = (low + high) // 2
        if index[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def supernodes(pointer, index):
    """Return the first columns of runs that have one pattern below, and the number of columns at the end."""
    size = len(pointer) - 1
    heads = np.empty(size + 1, dtype=np.int64)
    heads[0], count = 0, 1
    for j in range(1, size):
        low, high = pointer[j - 1], pointer[j]
        same = high - low == pointer[j + 1] - high + 1
        if same:
            for e in range(low + 1, high):
                if index[e] != index[e + high - low - 1]:
                    same = False
                    break
        if not same:
            heads[count] = j
            count += 1
    heads[count] = size
    return heads[: count + 1]


@kernel
def move_columns(pointer, values, first, block, back):
    """Fill the lower part of a supernode (rows, columns) that begins at a column, or put it back."""
    rows, width = block.shape
    for c in range(width):
        low = pointer[first + c]
        if back:
            values[low : low + rows - c] = block[c:, c]
        else:
            block[c:, c] = values[low : low + rows - c]


@kernel
def gather_square(pointer, index, inverse, rows, square):
    """Fill the entries of a symmetric inverse between some sorted rows, all of them in its pattern."""
    for j in range(len(rows)):
        at = pointer[rows[j]]
        for i in range(j, len(rows)):
            while index[at] < rows[i]:
                at += 1
            square[i, j] = inverse[at]
            square[j, i] = inverse[at]


@kernel
def entries_at(rows, columns, pointer, index, inverse, found):
    """Fill entries of a symmetric inverse that lie in its pattern."""
    for e in range(len(rows)):
        small, large = min(rows[e], columns[e]), max(rows[e], columns[e])
        found[e] = inverse[find(index, pointer[small], pointer[small + 1], large)]


@kernel
def row_variances(row_pointer, row_index, row_weight, pointer, index, inverse, place, variance):
    """Fill w' A^-1 w for sparse rows whose pairs of unknowns lie in the pattern of the factor."""
    for r in range(len(row_pointer) - 1):
        total = 0.0
        for e in range(row_pointer[r], row_pointer[r + 1]):
            for f in range(row_pointer[r], row_pointer[r + 1]):
                i, j = place[row_index[e]], place[row_index[f]]
                small, large = min(i, j), max(i, j)
                at = find(index, pointer[small], pointer[small + 1], large)
                total += row_weight[e] * row_weight[f] * inverse[at]
        variance[r] = total


@kernel
def sweep_lines(diagonal, below, right, out):
    """Solve for every column a tridiagonal symmetric system along the first axis (Thomas).

    Args:
        diagonal: (dates, lines).
        below: (dates - 1, lines).
        right: (dates, lines).
        out: filled.
    """
    dates, lines = diagonal.shape
    pivot = np.empty((dates, lines))
    for c in range(lines):
        pivot[0, c] = diagonal[0, c]
        out[0, c] = right[0, c]
        for t in range(1, dates):
            ratio = below[t - 1, c] / pivot[t - 1, c]
            pivot[t, c] = diagonal[t, c] - ratio * below[t - 1, c]
            out[t, c] = right[t, c] - ratio * out[t - 1, c]
        out[dates - 1, c] /= pivot[dates - 1, c]
        for t in range(dates - 2, -1, -1):
            out[t, c] = (out[t, c] - below[t, c] * out[t + 1, c]) / pivot[t, c]
