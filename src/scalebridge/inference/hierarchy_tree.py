"""Measurements as a tree of samples and groups, sorted so that every group is a slice."""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.inference.matern import Correlation


@dataclass(frozen=True)
class Tree:
    """Rows of measurements below samples below groups, of any number of levels.

    Args:
        rows: a line a measurement: 1, covariates (centred), value; (n, K), sorted by group and sample.
        scatter: variance of each measurement's noise, for a noise of one; (n,).
        sample: sample of each measurement, (n,), rising.
        place: position of each sample in its finest group, (samples,), rising in it, or (samples, 2 or 3) in
            any order; zeros where none is known.
        parents: for each level from coarse to fine the group of the level above, (groups,); zeros for the
            first.
        finest: finest group of each sample, (samples,).
        correlation: how the heterogeneity within a finest group is correlated; None where it is not.
    """

    rows: np.ndarray
    scatter: np.ndarray
    sample: np.ndarray
    place: np.ndarray
    parents: tuple[np.ndarray, ...]
    finest: np.ndarray
    correlation: Correlation | None = None

    @property
    def spatial(self) -> bool:
        """Whether positions are in a plane or in space, and not along a line."""
        return self.place.ndim == 2

    @property
    def count(self) -> int:
        """Number of measurements."""
        return len(self.rows)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.finest)

    @property
    def unknowns(self) -> int:
        """Number of coefficients on top: the mean and one a covariate."""
        return self.rows.shape[1] - 1

    @property
    def groups(self) -> int:
        """Number of finest groups; one where there are no levels."""
        return len(self.parents[-1]) if self.parents else 1

    def with_values(self, values: np.ndarray, scatter: np.ndarray | None = None) -> "Tree":
        """Return the tree with other values, and another scatter if given."""
        rows = self.rows.copy()
        rows[:, -1] = values
        return replace(self, rows=rows, scatter=self.scatter if scatter is None else scatter)

    def ancestors(self, level: int) -> np.ndarray:
        """Return the group of a level (0 the coarsest) to which each sample belongs."""
        found = self.finest
        for above in range(len(self.parents) - 1, level, -1):
            found = self.parents[above][found]
        return found

    def keep(self, mask: np.ndarray) -> "Tree":
        """Return the tree of some of the measurements; groups keep their numbers, so some may be empty."""
        kept, sample = np.unique(self.sample[mask], return_inverse=True)
        return replace(
            self,
            rows=self.rows[mask],
            scatter=self.scatter[mask],
            sample=sample,
            place=self.place[kept],
            finest=self.finest[kept],
        )


def segment_sums(values: np.ndarray, owner: np.ndarray, count: int, axis: int = 0) -> np.ndarray:
    """Add up slices of values along an axis by their owner, which rises; owners without any get zero.

    Args:
        values: what is added up.
        owner: owner of each slice, rising.
        count: number of owners.
        axis: the axis of the slices.
    """
    starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]]) if len(owner) else np.array([], int)
    shape = list(values.shape)
    shape[axis] = count
    found = np.zeros(shape)
    if len(starts):
        index: list[slice | np.ndarray] = [slice(None)] * values.ndim
        index[axis] = owner[starts]
        found[tuple(index)] = np.add.reduceat(values, starts, axis=axis)
    return found


def sample_sums(tree: Tree) -> np.ndarray:
    """Return the weighted products of the rows of every sample for a noise of one, (samples, K, K)."""
    weighted = tree.rows / tree.scatter[:, None]
    return segment_sums(weighted[:, :, None] * tree.rows[:, None, :], tree.sample, tree.samples)
