"""Random sequential addition: bodies put into a periodic box one after the other, where they touch none."""

from collections.abc import Callable

import numpy as np
from scipy.spatial import KDTree

from scalebridge.grids.geometry import nearest_image, shifts_within, wrapped

_BATCH = 8  # places tried at once for the first time; four times as many whenever none was free
_TRIES = 5_000  # places tried for one body before the box counts as full

_MANY = 20_000  # pairs above which a tree finds the near ones sooner than a table of all

Apart = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""apart(i, j, away): whether bodies i and j are clear of each other when j's centre is `away` from i's."""


def insert_bodies(
    count: int, reach: float, apart: Apart, edges: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Place bodies of given shape and orientation one after the other at random, each clear of those before.

    Args:
        count: how many.
        reach: radius of a ball about the centre that holds any of them.
        apart: tells for pairs whether they are clear of each other.
        edges: of the periodic box, shape (dim,).
        rng: the source of randomness.

    Returns:
        centres, shape (placed, dim); fewer than `count` when one found no free place in 5000 tries.

    Cost: pairs within reach are looked at for every place that is tried.

    Source: B. Widom (1966), J. Chem. Phys. 44, 3888, doi:10.1063/1.1726548.

    Example:
        >>> discs = lambda i, j, away: np.linalg.norm(away, axis=1) >= 0.2
        >>> insert_bodies(5, 0.1, discs, np.ones(2), np.random.default_rng(0)).shape
        (5, 2)
    """
    centres = np.empty((count, edges.size))
    for number in range(count):
        tried, batch = 0, _BATCH
        while tried < _TRIES:
            trials = rng.random((batch, edges.size)) * edges
            free = _free(trials, number, centres[:number], reach, apart, edges)
            if free.size:
                centres[number] = trials[free[0]]
                break
            tried, batch = tried + batch, min(4 * batch, 512)
        else:
            return centres[:number]
    return centres


def close_pairs(
    places: np.ndarray, centres: np.ndarray, reach: float, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which places and centres are closer than twice the reach, and the way between, for every image.

    Returns:
        numbers of the places, numbers of the centres, centre less place: shapes (pairs,), (pairs,), (pairs,
        dim).
    """
    if len(places) * len(centres) > _MANY and 4 * reach < edges.min():
        trees = [KDTree(wrapped(points, edges), boxsize=edges) for points in (places, centres)]
        near = trees[0].sparse_distance_matrix(trees[1], 2 * reach, output_type="ndarray")
        return near["i"], near["j"], nearest_image(centres[near["j"]] - places[near["i"]], edges)
    away = nearest_image(centres[None] - places[:, None], edges)
    found = []
    for shift in shifts_within(np.full(edges.size, 2 * reach), edges):
        moved = away + shift
        near = np.nonzero(np.sum(moved**2, axis=-1) < (2 * reach) ** 2)
        found.append((*near, moved[near]))
    one, other, way = map(np.concatenate, zip(*found, strict=True))
    return one, other, way


def _free(
    trials: np.ndarray, number: int, centres: np.ndarray, reach: float, apart: Apart, edges: np.ndarray
) -> np.ndarray:
    """Return the numbers of the trial places where a body is clear of all before it."""
    clear = np.ones(len(trials), dtype=bool)
    if len(centres):
        place, other, away = close_pairs(trials, centres, reach, edges)
        clear[place[~apart(np.full(place.size, number), other, away)]] = False
    return np.flatnonzero(clear)
