"""The collapse for one set of hyperparameters at a time, compiled: what sampling asks for."""

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scalebridge.inference.hierarchy import CORRELATED, HETEROGENEITY, LENGTH, NOISE, Hierarchy
from scalebridge.inference.hierarchy_collapse import Collapse, Collapsed, Spreads
from scalebridge.inference.hierarchy_kernels import climbed_sums, one_log_density
from scalebridge.inference.hierarchy_priors import Prior
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

    @cached_property
    def ladder(self) -> tuple[np.ndarray, np.ndarray]:
        """Parents of all groups in a row, and where each level's begin, the root being number 0."""
        sizes = [1, *(len(parent) for parent in self.tree.parents)]
        return np.concatenate([np.zeros(0, int), *self.tree.parents]), np.cumsum(sizes)

    @property
    def order(self) -> int:
        """Size of the state along a group; 0 without correlation."""
        return ORDERS[self.tree.correlation] if self.tree.correlation else 0

    @property
    def given(self) -> tuple[np.ndarray, ...]:
        """The tree as kernels take it."""
        tree = self.tree
        return tree.rows, tree.scatter, tree.sample, tree.finest, tree.place

    @cached_property
    def top(self) -> tuple[np.ndarray, np.ndarray]:
        """Prior means and precisions of the coefficients."""
        return self.hierarchy.top.mean, self.hierarchy.top.std**-2.0

    @cached_property
    def _many(self) -> Collapse:
        """The collapse for many hyperparameters, which does for one what is not along a line."""
        return Collapse(self.tree, self.hierarchy.top)

    def log_density(self, z: np.ndarray) -> float:
        """Return the log-density of data and prior at coordinates (free,), up to a constant."""
        values, total, column = {}, 0.0, 0
        for name, prior in self.hierarchy.priors.items():
            values[name] = prior.scale
            if not prior.known:
                values[name], log = scalar_prior(prior, float(z[column]))
                total, column = total + log, column + 1
        micro, noise = values[HETEROGENEITY] ** 2, values.get(NOISE, 0.0) ** 2
        if self.hierarchy.noiseless:
            micro, noise = 0.0, micro
        noise = max(noise, self.hierarchy.least_noise**2)
        if self.tree.spatial and self.order:
            levels = np.array([[values[name] for name in self.hierarchy.measurements.levels]])
            rest = (micro**0.5, noise**0.5, values.get(CORRELATED, 0.0), values.get(LENGTH, 1.0))
            spreads = Spreads(levels, *(np.array([number]) for number in rest))
            return total + float(self._many.log_density(spreads)[0])
        theta = np.array([values.get(CORRELATED, 0.0) ** 2, values.get(LENGTH, 1.0), micro, noise])
        variances = np.array([values[name] ** 2 for name in self.hierarchy.measurements.levels])
        return total + one_log_density(self.order, self.given, (theta, variances), self.ladder, self.top)

    def up(self, spreads: Spreads) -> Collapsed:
        """Carry the measurements up for one set of hyperparameters; the density lacks the scatter's part."""
        tree, (prior_mean, precision) = self.tree, self.top
        if tree.spatial and self.order:
            return self._many.up(spreads)
        theta = np.array(
            [
                spreads.correlated[0] ** 2,
                spreads.length[0],
                spreads.heterogeneity[0] ** 2,
                spreads.noise[0] ** 2,
            ]
        )
        offsets = self.ladder[1]
        sums, log = climbed_sums(self.order, self.given, theta, spreads.levels[0] ** 2, self.ladder)
        k = tree.unknowns
        system = sums[0, :k, :k] + np.diag(precision)
        right = sums[0, :k, k] + precision * prior_mean
        covariance = np.linalg.inv(system)
        mean = covariance @ right
        square = sums[0, k, k] + float(precision @ prior_mean**2) - float(right @ mean)
        determinant = tree.count * np.log(theta[3]) + log + np.linalg.slogdet(system)[1]
        kept = tuple(sums[None, a:b] for a, b in itertools.pairwise(offsets))
        density = np.array([-0.5 * (determinant + square)])
        return Collapsed(density, mean[None], 0.5 * (covariance + covariance.T)[None], kept)


def scalar_prior(prior: Prior, z: float) -> tuple[float, float]:
    """Return value and log-density of a prior at one coordinate, as `Prior` has them for many."""
    if prior.kind == "log-normal":
        return prior.scale * math.exp(prior.spread * z), -0.5 * z * z
    sinh, stretch = math.sinh(z), math.log(math.cosh(z))
    log = -0.5 * sinh * sinh + stretch if prior.kind == "half-normal" else -stretch
    return prior.scale * sinh, log
