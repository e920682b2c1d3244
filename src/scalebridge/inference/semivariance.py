"""Whether values that lie close are alike: semivariance by distance, and a test by permutation.

    gamma(h) = 1/2 <(y(s) - y(s + h))^2>        over pairs of the same group

A rise of gamma with the distance says that neighbours are alike, so that samples of one group are not
independent.
The test compares the mean squared difference of neighbours with that after random permutations within each
group (J. von Neumann 1941, of the ratio). Source of the estimator: G. Matheron (1963).
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

_PERMUTATIONS = 999
_CLASSES = 10
_MOST_PAIRS = 4_000_000


@dataclass(frozen=True)
class Semivariance:
    """Semivariance of the coordinate within groups, by distance.

    Args:
        edges: of the classes of distance, (classes + 1,).
        distance: mean distance in each, (classes,).
        gamma: semivariance, (classes,).
        pairs: number of pairs, (classes,).
        p_value: probability of neighbours that are so alike if the order within groups meant nothing.
    """

    edges: np.ndarray
    distance: np.ndarray
    gamma: np.ndarray
    pairs: np.ndarray
    p_value: float


def semivariance(
    values: np.ndarray, place: np.ndarray, group: np.ndarray, rng: np.random.Generator
) -> Semivariance | None:
    """Find the semivariance by distance within groups, and test it.

    Args:
        values: one a sample, sorted by group and place.
        place: positions, (n,) or (n, dim).
        group: groups.
        rng: source of the permutations.

    Returns:
        what was found; None with fewer than ten pairs of neighbours at different positions.
    """
    if place.ndim == 1:
        index = np.flatnonzero((group[1:] == group[:-1]) & (place[1:] > place[:-1]))
        neighbours = index, index + 1
    else:
        neighbours, _ = nearest_pairs(place, group)
    if len(neighbours[0]) < _CLASSES:
        return None
    distance, square = _pairs(values, place, group, rng)
    low = float(np.median(distance[distance > 0][: 10**6])) * 1e-3
    shortest, longest = max(low, float(np.quantile(distance, 0.002))), float(np.max(distance))
    edges = np.r_[0.0, np.geomspace(2.0 * shortest, max(longest, 4.0 * shortest), _CLASSES)]
    which = np.digitize(distance, edges[1:-1])
    pairs = np.bincount(which, minlength=_CLASSES)
    held = np.maximum(pairs, 1)
    means = np.bincount(which, distance, _CLASSES) / held
    gamma = 0.5 * np.bincount(which, square, _CLASSES) / held
    kept = pairs > 0
    p_value = _permuted(values, group, neighbours, rng)
    return Semivariance(edges, means[kept], gamma[kept], pairs[kept], p_value)


def nearest_pairs(place: np.ndarray, group: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return samples with the nearest of their group, and how far it is; place is (n, dim)."""
    one, other, gaps = [], [], []
    for own in np.unique(group):
        index = np.flatnonzero(group == own)
        if len(index) > 1:
            distance, found = KDTree(place[index]).query(place[index], k=2)
            near = np.asarray(found)
            one.append(index)
            other.append(index[near[:, 1]])
            gaps.append(distance[:, 1])
    if not one:
        return (np.zeros(0, int), np.zeros(0, int)), np.zeros(0)
    return (np.concatenate(one), np.concatenate(other)), np.concatenate(gaps)


def _pairs(
    values: np.ndarray, place: np.ndarray, group: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Distances and squared differences of all pairs within groups, or of some where there are too many."""
    found = []
    most = int(np.sqrt(2.0 * _MOST_PAIRS / max(1, len(np.unique(group)))))
    for own in np.unique(group):
        index = np.flatnonzero(group == own)
        if len(index) > most:
            index = np.sort(rng.choice(index, most, replace=False))
        i, j = np.triu_indices(len(index), 1)
        gap = place[index[j]] - place[index[i]]
        distance = np.abs(gap) if gap.ndim == 1 else np.linalg.norm(gap, axis=1)
        found.append((distance, (values[index[j]] - values[index[i]]) ** 2))
    return np.concatenate([f[0] for f in found]), np.concatenate([f[1] for f in found])


def _permuted(
    values: np.ndarray,
    group: np.ndarray,
    neighbours: tuple[np.ndarray, np.ndarray],
    rng: np.random.Generator,
) -> float:
    one, other = neighbours

    def statistic(v: np.ndarray) -> float:
        return float(np.sum((v[other] - v[one]) ** 2))

    seen, below = statistic(values), 0
    for _ in range(_PERMUTATIONS):
        order = np.lexsort((rng.random(len(values)), group))
        below += statistic(values[order]) <= seen
    return (1 + below) / (1 + _PERMUTATIONS)
