"""The entries of a sparse inverse that lie in the pattern of its factor, compiled."""

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
def invert_selected(pointer, index, factor, diagonal, inverse):
    """Fill the entries of (L D L')^-1 in the pattern of L, column by column from the last (Takahashi 1973).

    Args:
        pointer: columns of L, compressed; each begins with its diagonal, rows sorted.
        index: rows.
        factor: entries of L; ones on the diagonal.
        diagonal: D.
        inverse: filled, in the pattern of L.
    """
    for j in range(len(diagonal) - 1, -1, -1):
        low, high = pointer[j], pointer[j + 1]
        for e in range(high - 1, low, -1):
            i, total = index[e], 0.0
            for f in range(low + 1, high):
                k = index[f]
                small, large = min(i, k), max(i, k)
                total -= factor[f] * inverse[find(index, pointer[small], pointer[small + 1], large)]
            inverse[e] = total
        total = 1.0 / diagonal[j]
        for f in range(low + 1, high):
            total -= factor[f] * inverse[f]
        inverse[low] = total


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
