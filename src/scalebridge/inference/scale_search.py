"""Which subsets of scales leave the least: all of them, the best of each size, or a good one of each size.

- Orthonormal columns: what a scale explains does not depend on the others, so that all subsets are known at
once,
  and the best of each size is made of the largest.
- Up to a dozen scales of other columns: all subsets.
- Up to some twenty: the best of each size by leaps and bounds (G. M. Furnival and R. W. Wilson,
Technometrics 16
  (1974) 499): a subset never leaves less than what contains it, so that whole branches are passed over.
- Beyond: forward steps, each mended by exchanges until none helps (J. Zhu and others, PNAS 117 (2020) 33117).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scalebridge.inference.scale_bases import ScaleBasis

ALL_ORTHONORMAL, ALL_OTHERS, MOST_EXACT = 18, 12, 20
_SWAPS = 50


@dataclass(frozen=True)
class Subsets:
    """Subsets of scales and what they leave of the values.

    Args:
        masks: which scales are in, (subsets, scales).
        rss: residual sums of squares, (subsets,).
        unknowns: number of coefficients, the constant included, (subsets,).
        path: of each size from 0 on the number of its best subset.
        method: how they were found, in words.
        exact: whether no better subset of a size exists.
        complete: whether these are all subsets.
    """

    masks: np.ndarray
    rss: np.ndarray
    unknowns: np.ndarray
    path: np.ndarray
    method: str
    exact: bool
    complete: bool

    @property
    def sizes(self) -> np.ndarray:
        """Number of scales in each subset."""
        return self.masks.sum(axis=1)


def search_subsets(basis: ScaleBasis, values: np.ndarray, *, quick: bool = False) -> Subsets:
    """Find the subsets of scales that are to be compared.

    Args:
        basis: the scales.
        values: (n,).
        quick: whether steps and exchanges do in place of leaps and bounds.
    """
    count = len(basis.names)
    if basis.orthonormal:
        masks, exact = (all_masks(count), True) if count <= ALL_ORTHONORMAL else (None, True)
        energy = scale_energies(basis, values)
        if masks is None:
            masks = _largest(energy)
        total = float(np.sum((values - values.mean()) ** 2))
        rss = np.maximum(total - masks @ energy, 0.0)
        said = "all subsets" if count <= ALL_ORTHONORMAL else "the best of each size, by sorting"
        return subsets_of(basis, masks, rss, said, exact=exact, complete=count <= ALL_ORTHONORMAL)
    reduced = Reduced.of(basis, values)
    if count <= ALL_OTHERS:
        masks = all_masks(count)
        return subsets_of(basis, masks, reduced.all_left(masks), "all subsets", exact=True, complete=True)
    exact = count <= MOST_EXACT and not quick
    masks = leaps_and_bounds(reduced) if exact else forward_with_exchanges(reduced)
    said = "the best of each size, by leaps and bounds" if exact else "forward steps with exchanges"
    return subsets_of(basis, masks, reduced.all_left(masks), said, exact=exact, complete=False)


def scale_energies(basis: ScaleBasis, values: np.ndarray) -> np.ndarray:
    """Return what each scale of an orthonormal basis explains of values (n,) or (n, m), scales first."""
    squares = (basis.columns.T @ values) ** 2
    starts = np.searchsorted(basis.owner, np.arange(len(basis.names)))
    return np.add.reduceat(squares, starts, axis=0)


def residuals_of_all(basis: ScaleBasis, values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the residual sums of squares of many subsets for many values (m, n): (subsets, m)."""
    centred = (values - values.mean(axis=1, keepdims=True)).T
    q, r = np.linalg.qr(basis.columns - basis.columns.mean(axis=0))
    rotated = q.T @ centred
    beyond = np.sum(centred**2, axis=0) - np.sum(rotated**2, axis=0)
    found = np.empty((len(masks), len(values)))
    for i, mask in enumerate(masks):
        own = np.linalg.qr(r[:, mask[basis.owner]])[0] if np.any(mask) else np.zeros((len(r), 0))
        found[i] = beyond + np.sum(rotated**2, axis=0) - np.sum((own.T @ rotated) ** 2, axis=0)
    return found


def all_masks(count: int) -> np.ndarray:
    """Return all subsets of some scales as rows, the empty one first."""
    return (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1


def _largest(energy: np.ndarray) -> np.ndarray:
    order = np.argsort(-energy, kind="stable")
    masks = np.zeros((len(energy) + 1, len(energy)), bool)
    for size in range(1, len(masks)):
        masks[size, order[:size]] = True
    return masks


def subsets_of(
    basis: ScaleBasis, masks: np.ndarray, rss: np.ndarray, method: str, *, exact: bool, complete: bool
) -> Subsets:
    """Put subsets together with what they leave and the best of each size."""
    sizes = masks.sum(axis=1)
    path = [
        int(i[np.argmin(rss[i])]) for s in range(masks.shape[1] + 1) if len(i := np.flatnonzero(sizes == s))
    ]
    unknowns = 1 + masks @ basis.sizes
    return Subsets(masks, rss, unknowns, np.array(path), method, exact, complete)


@dataclass(frozen=True)
class Reduced:
    """Columns and values rotated onto as few rows as there are columns; what no column explains is apart.

    Args:
        triangle: (p, p), of the centred columns.
        rotated: the values in it, (p,).
        beyond: sum of squares that no column explains.
        owner: scale of each column.
        count: number of scales.
    """

    triangle: np.ndarray
    rotated: np.ndarray
    beyond: float
    owner: np.ndarray
    count: int

    @classmethod
    def of(cls, basis: ScaleBasis, values: np.ndarray) -> "Reduced":
        """Rotate a basis and values."""
        centred = values - values.mean()
        q, r = np.linalg.qr(basis.columns - basis.columns.mean(axis=0))
        rotated = q.T @ centred
        beyond = float(np.sum((centred - q @ rotated) ** 2))
        return cls(r, rotated, beyond, basis.owner, len(basis.names))

    def left(self, mask: np.ndarray) -> float:
        """Return the residual sum of squares of some scales."""
        columns = self.triangle[:, mask[self.owner]]
        if not columns.shape[1]:
            return self.beyond + float(self.rotated @ self.rotated)
        q = np.linalg.qr(columns)[0]
        rest = self.rotated - q @ (q.T @ self.rotated)
        return self.beyond + float(rest @ rest)

    def all_left(self, masks: np.ndarray) -> np.ndarray:
        """Return the residual sums of squares of many subsets."""
        return np.array([self.left(mask) for mask in masks])


def leaps_and_bounds(reduced: Reduced) -> np.ndarray:
    """Return the best subset of each size, exactly."""
    count = reduced.count
    best = forward_with_exchanges(reduced)
    least = np.array([reduced.left(mask) for mask in best])
    whole = np.ones(count, bool)
    drop = [reduced.left(np.arange(count) != i) for i in range(count)]
    order = np.argsort(drop)  # scales that matter least are dropped first, which makes the bounds tight
    waiting = [(whole, reduced.left(whole), 0)]
    while waiting:
        mask, rss, start = waiting.pop()
        for child, found, after, size in _children(reduced, mask, rss, start, order, least):
            if found < least[size]:
                least[size], best[size] = found, child
            waiting.append((child, found, after))
    return best


def _children(
    reduced: Reduced, mask: np.ndarray, rss: float, start: int, order: np.ndarray, least: np.ndarray
) -> Iterator[tuple[np.ndarray, float, int, int]]:
    """Yield subsets with one scale less whose own subsets may still be better than what is known."""
    size = int(mask.sum())
    for place in range(start, len(order)):
        # Below this child, at most the scales behind `place` can go as well.
        smallest = size - 1 - (len(order) - place - 1)
        sizes = least[max(smallest, 0) : size]
        if rss >= np.max(sizes):
            continue
        child = mask.copy()
        child[order[place]] = False
        yield child, reduced.left(child), place + 1, size - 1


class Leaves(Protocol):
    """What a search by steps asks: how many scales there are, and what some of them leave."""

    @property
    def count(self) -> int:
        """Number of scales."""
        ...

    def left(self, mask: np.ndarray) -> float:
        """Return what some scales leave."""
        ...


def forward_with_exchanges(reduced: Leaves) -> np.ndarray:
    """Return a good subset of each size: the one before with the best further scale, and exchanges."""
    count = reduced.count
    masks = np.zeros((count + 1, count), bool)
    for size in range(1, count + 1):
        mask = masks[size - 1].copy()
        mask[_best_addition(reduced, mask)] = True
        masks[size] = _exchanged(reduced, mask)
    return masks


def _best_addition(reduced: Leaves, mask: np.ndarray) -> int:
    outside = np.flatnonzero(~mask)
    return int(outside[np.argmin([reduced.left(_with(mask, add=int(i))) for i in outside])])


def _exchanged(reduced: Leaves, mask: np.ndarray) -> np.ndarray:
    """Exchange the scale that matters least for the best one outside, until that no longer helps."""
    rss = reduced.left(mask)
    for _ in range(_SWAPS):
        inside = np.flatnonzero(mask)
        weakest = inside[np.argmin([reduced.left(_with(mask, drop=int(i))) for i in inside])]
        smaller = _with(mask, drop=int(weakest))
        candidate = _with(smaller, add=_best_addition(reduced, smaller))
        found = reduced.left(candidate)
        if found >= rss * (1.0 - 1e-12):
            return mask
        mask, rss = candidate, found
    return mask


def _with(mask: np.ndarray, add: int | None = None, drop: int | None = None) -> np.ndarray:
    found = mask.copy()
    if add is not None:
        found[add] = True
    if drop is not None:
        found[drop] = False
    return found
