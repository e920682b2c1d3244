"""The collapse for one set of hyperparameters at a time, compiled: what sampling asks for."""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from scalebridge.inference.hierarchy import Hierarchy
from scalebridge.inference.hierarchy_collapse import Collapsed, Spreads
from scalebridge.inference.hierarchy_kernels import climbed_sums
from scalebridge.inference.hierarchy_tree import Tree
from scalebridge.inference.matern import ORDERS


@dataclass(frozen=True)
class Single:
    """A hierarchy whose values may change, collapsed one set of hyperparameters at a time.

    Args:
        hierarchy: the model.
        tree: its tree, with values and scatter as they are now.
    """

    hierarchy: Hierarchy
    tree: Tree

    def with_values(self, values: np.ndarray, scatter: np.ndarray) -> "Single":
        """Return the same with other values and scatter."""
        return replace(self, tree=self.tree.with_values(values, scatter))

    def log_density(self, z: np.ndarray) -> float:
        """Return the log-density of data and prior at coordinates (free,), up to a constant."""
        spreads = self.hierarchy.spreads(self.hierarchy.values(z[None]))
        return float(self.up(spreads).log_density[0]) + float(self.hierarchy.log_prior(z[None])[0])

    def up(self, spreads: Spreads) -> Collapsed:
        """Carry the measurements up for one set of hyperparameters; the density lacks the scatter's part."""
        tree, top = self.tree, self.hierarchy.top
        order = ORDERS[tree.correlation] if tree.correlation else 0
        theta = np.array(
            [
                spreads.correlated[0] ** 2,
                spreads.length[0],
                spreads.heterogeneity[0] ** 2,
                spreads.noise[0] ** 2,
            ]
        )
        sizes = [1, *(len(parent) for parent in tree.parents)]
        offsets = np.cumsum(sizes)
        parents = np.concatenate([np.zeros(0, int), *tree.parents])
        given = (tree.rows, tree.scatter, tree.sample, tree.finest, tree.place)
        sums, log = climbed_sums(order, given, theta, spreads.levels[0] ** 2, (parents, offsets))
        k = tree.unknowns
        precision = top.std**-2.0
        system = sums[0, :k, :k] + np.diag(precision)
        right = sums[0, :k, k] + precision * top.mean
        covariance = np.linalg.inv(system)
        mean = covariance @ right
        square = sums[0, k, k] + float(precision @ top.mean**2) - float(right @ mean)
        determinant = tree.count * np.log(theta[3]) + log + np.linalg.slogdet(system)[1]
        kept = tuple(sums[None, a:b] for a, b in itertools.pairwise(offsets))
        density = np.array([-0.5 * (determinant + square)])
        return Collapsed(density, mean[None], 0.5 * (covariance + covariance.T)[None], kept)
