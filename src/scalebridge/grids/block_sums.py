"""Sums over boxes of voxels from one table of cumulated sums."""

import itertools

import numpy as np


def cumulated(mask: np.ndarray) -> np.ndarray:
    """Return how many voxels of a set have smaller indices along every axis, shape + 1.

    Sums over boxes are differences of this table. Cost: 4 bytes a voxel (8 from 2^31 voxels on), a pass an
    axis.

    Example:
        >>> cumulated(np.array([[True, False], [True, True]])).tolist()
        [[0, 0, 0], [0, 1, 1], [0, 2, 3]]
    """
    table = np.zeros([n + 1 for n in mask.shape], dtype=np.int32 if mask.size < 1 << 31 else np.int64)
    inner = table[(slice(1, None),) * mask.ndim]
    inner[...] = mask
    for axis in range(mask.ndim):
        np.cumsum(inner, axis=axis, out=inner)
    return table


def block_sums(table: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Return sums over blocks side by side, from a table of `cumulated`; what is left over is left out.

    Example:
        >>> block_sums(cumulated(np.eye(4, dtype=bool)), (2, 2)).tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """
    sums = table[tuple(slice(None, None, block) for block in size)].astype(float)
    for axis in range(sums.ndim):
        sums = np.diff(sums, axis=axis)
    return sums


def overlap_sums(table: np.ndarray, lags: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return for each vector r the sum over voxels x of the image for which x + r is in the image too.

    Args:
        table: from `cumulated`.
        lags: whole numbers that vectors have along each axis, one array an axis.

    Example:
        >>> overlap_sums(cumulated(np.array([[True, False, False]])), (np.array([0]), np.array([-1, 0, 1])))
        array([[0., 1., 1.]])
    """
    ends = [
        (np.maximum(0, -lag), n - 1 - np.maximum(0, lag)) for lag, n in zip(lags, table.shape, strict=True)
    ]
    total = np.zeros([lag.size for lag in lags])
    for corner in itertools.product((0, 1), repeat=table.ndim):
        sign = (-1) ** (table.ndim - sum(corner))
        total += sign * table[np.ix_(*[pair[side] for pair, side in zip(ends, corner, strict=True)])]
    return total
