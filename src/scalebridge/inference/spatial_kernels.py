"""The sums of one group whose heterogeneity is correlated in a plane or in space, by a sparse precision.

Of rows Z (ones, covariates, values) in some order, each less its regression on rows before it has an
innovation v of variance s, and

    Z' C^-1 Z = sum v v' / s,        log det C = sum log s

With all rows before, this is the factorisation of C, and exact; with the nearest of them, C^-1 is a sparse
matrix, whose error falls fast with their number (A. V. Vecchia, J. R. Stat. Soc. B 50 (1988) 297; in random
order: J. Guinness, Technometrics 60 (2018) 415). Groups of a few hundred samples are done exactly.
"""

import itertools
from functools import lru_cache

import numpy as np

from scalebridge.core.compiled import kernel
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import thread_count

NEAREST, EXACT = 30, 200
"""Rows that a row is regressed on, and samples of a group up to which all are."""


@kernel
def _covariances(order, points, own, theta, matrix):
    """Write the covariance of some samples: Matern, and the variance of what is added to each."""
    rate = np.sqrt(2.0 * order - 1.0) / theta[1]
    for i in range(len(points)):
        for j in range(i + 1):
            square = 0.0
            for axis in range(points.shape[1]):
                square += (points[i, axis] - points[j, axis]) ** 2
            far = rate * np.sqrt(square)
            factor = 1.0
            if order > 1:
                factor += far
            if order > 2:
                factor += far * far / 3.0
            matrix[i, j] = theta[0] * factor * np.exp(-far)
        matrix[i, i] += theta[3] * own[i] + theta[2]


@kernel
def _take(matrix, rows, first, white, sums):
    """Factor in place and add products of whitened rows from `first` on; return log det of their part."""
    total = 0.0
    count, columns = rows.shape
    for i in range(count):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = np.sqrt(value) if i == j else value / matrix[j, j]
        for c in range(columns):
            value = rows[i, c]
            for k in range(i):
                value -= matrix[i, k] * white[k, c]
            white[i, c] = value / matrix[i, i]
        if i >= first:
            total += 2.0 * np.log(matrix[i, i])
            for a in range(columns):
                for b in range(columns):
                    sums[a, b] += white[i, a] * white[i, b]
    return total


@kernel
def _run(begin, end, piece, order, blocks, sizes, firsts, owner, points, rows, scatter, thetas, sums, logs):
    """Do every block of samples for the hyperparameters from begin to end."""
    widest = blocks.shape[1]
    matrix, white = np.zeros((widest, widest)), np.zeros((widest, rows.shape[1]))
    for t in range(begin, end):
        for b in range(len(blocks)):
            index = blocks[b, : sizes[b]]
            some = rows[index]
            _covariances(order, points[index], scatter[index], thetas[t], matrix)
            logs[t, owner[b]] += _take(matrix, some, firsts[b], white, sums[t, owner[b]])


def spatial_sums(
    order: int,
    starts: np.ndarray,
    places: np.ndarray,
    rows: np.ndarray,
    scatter: np.ndarray,
    thetas: np.ndarray,
    nearest: int = NEAREST,
) -> tuple[np.ndarray, np.ndarray]:
    """Return Z' C^-1 Z and log det C of every group for many hyperparameters.

    Args:
        order: 1, 2 or 3 for exponential, Matern 3/2 and 5/2.
        starts: first sample of each group, and the end, (groups + 1,).
        places: positions, (samples, 2 or 3).
        rows: columns Z, (samples, K).
        scatter: variance of each sample's noise for a noise of one, (samples,).
        thetas: variance, length, variance of the uncorrelated part, variance of the noise, (count, 4).
        nearest: rows that a row of a large group is regressed on.

    Returns:
        sums (count, groups, K, K) and logs (count, groups).

    Cost: n^3 / 3 operations a group of up to 200 samples and hyperparameter, then some 10 us a sample.
    """
    count, groups, columns = len(thetas), len(starts) - 1, rows.shape[1]
    sums, logs = np.zeros((count, groups, columns, columns)), np.zeros((count, groups))
    key = (starts.tobytes(), np.ascontiguousarray(places).tobytes(), places.shape[1])
    in_slabs(
        _run, count, order, *_blocks(*key, nearest), np.ascontiguousarray(places), np.ascontiguousarray(rows),
        scatter, np.ascontiguousarray(thetas), sums, logs, threads=thread_count() if count > 4 else 1,
    )  # fmt: skip
    return sums, logs


@lru_cache(maxsize=8)
def _blocks(starts: bytes, places: bytes, dim: int, nearest: int) -> tuple[np.ndarray, ...]:
    """Return blocks of samples, their sizes, from where on they count, and their groups."""
    edges, points = np.frombuffer(starts, int), np.frombuffer(places).reshape(-1, dim)
    listed, firsts, owner = [], [], []
    for group, (start, end) in enumerate(itertools.pairwise(edges)):
        if end - start <= EXACT:
            found = [(np.arange(start, end), 0)] if end > start else []
        else:
            found = _sparse(points[start:end], int(start), nearest)
        listed += [index for index, _ in found]
        firsts += [first for _, first in found]
        owner += [group] * len(found)
    sizes = np.array([len(index) for index in listed])
    blocks = np.zeros((len(listed), int(sizes.max(initial=1))), int)
    for row, index in enumerate(listed):
        blocks[row, : len(index)] = index
    return blocks, sizes, np.array(firsts), np.array(owner)


def _sparse(points: np.ndarray, start: int, nearest: int) -> list[tuple[np.ndarray, int]]:
    """Return, in random order, each sample behind the nearest of those before it."""
    order = np.random.default_rng(0).permutation(len(points))
    found = [(start + order[: nearest + 1], 0)]
    for row in range(nearest + 1, len(order)):
        before = order[:row]
        square = np.sum((points[before] - points[order[row]]) ** 2, axis=1)
        near = before[np.argpartition(square, nearest)[:nearest]]
        found.append((start + np.r_[near, order[row]], nearest))
    return found
