"""The hierarchy with everything linear integrated out: the density of the few spreads that are left.

Of columns Z = (1, covariates, y) and the covariance C of the values that share a group, everything that the
levels
above have to know is the matrix S = Z' C^-1 Z and log det C. An effect of variance t that all rows of a
group share makes them, by the identity of Sherman and Morrison with s the first row of S,

    S - t s s' / (1 + t s_0),        log det C + log(1 + t s_0),

and the matrices of the groups of one level add up to that of their parent. So measurements go up the tree
one level
at a time, at a cost linear in their number, and on top stand the mean and the slopes with a Gaussian prior.
Going
down again, given the coefficients of the parent, the effect of a group is Gaussian with variance t / (1 + t
s_0).
Nothing is approximated. (D. V. Lindley and A. F. M. Smith, J. R. Stat. Soc. B 34 (1972) 1, for the model.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalebridge.inference.hierarchy_kernels import filtered_sums
from scalebridge.inference.hierarchy_tree import Tree, sample_sums, segment_sums
from scalebridge.inference.matern import ORDERS
from scalebridge.inference.spatial_kernels import spatial_sums

_CHUNK = 4_000_000  # numbers of one array of sums


@dataclass(frozen=True)
class Spreads:
    """Hyperparameters, an array of each, all of the same length; standard deviations in the values' unit.

    Args:
        levels: of each level's effects from coarse to fine, (count, levels).
        heterogeneity: between samples, uncorrelated, (count,).
        noise: of the measurements, (count,).
        correlated: between samples, correlated along the group, (count,); zeros without correlation.
        length: correlation length, (count,); ones without.
    """

    levels: np.ndarray
    heterogeneity: np.ndarray
    noise: np.ndarray
    correlated: np.ndarray
    length: np.ndarray

    @property
    def count(self) -> int:
        """How many."""
        return len(self.noise)

    def take(self, index: np.ndarray | slice) -> "Spreads":
        """Return some of them."""
        return Spreads(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Top:
    """Gaussian prior of the mean and the slopes: means and standard deviations, (unknowns,)."""

    mean: np.ndarray
    std: np.ndarray


@dataclass(frozen=True)
class Collapsed:
    """The tree going up, for some hyperparameters.

    Args:
        log_density: log of the marginal density of the data, (count,).
        mean: posterior means of the coefficients on top, (count, unknowns).
        covariance: their covariances, (count, unknowns, unknowns).
        sums: matrices S of each level's groups from coarse to fine, before their own effect.
    """

    log_density: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    sums: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Collapse:
    """A tree made ready to be collapsed for many hyperparameters.

    Args:
        tree: the measurements.
        top: prior of the coefficients on top.
    """

    tree: Tree
    top: Top

    @cached_property
    def samples(self) -> np.ndarray:
        """Products of each sample's rows, (samples, K, K)."""
        return sample_sums(self.tree)

    @cached_property
    def log_scatter(self) -> float:
        """Log det of the noise for a noise of one."""
        return float(np.sum(np.log(self.tree.scatter)))

    @cached_property
    def alike(self) -> tuple[np.ndarray, ...]:
        """Samples that weigh alike put together: owner, weight, number, products, products of first rows."""
        weights, kind = np.unique(self.samples[:, 0, 0], return_inverse=True)
        key = self.tree.finest * len(weights) + kind
        order = np.argsort(key, kind="stable")
        sorted_key = key[order]
        found, which, number = np.unique(sorted_key, return_inverse=True, return_counts=True)
        first = self.samples[order, 0, :]
        products = segment_sums(self.samples[order], which, len(found))
        firsts = segment_sums(first[:, :, None] * first[:, None, :], which, len(found))
        return found // len(weights), weights[found % len(weights)], number, products, firsts

    @cached_property
    def line(self) -> tuple[np.ndarray, ...]:
        """What the filter along groups takes: starts, values of samples, scatters, and what is left."""
        weight = self.samples[:, 0, 0]
        values = self.samples[:, 0, :] / weight[:, None]
        left = self.samples - weight[:, None, None] * values[:, :, None] * values[:, None, :]
        starts = np.searchsorted(self.tree.finest, np.arange(self.tree.groups + 1))
        return (
            starts, values, 1.0 / weight, segment_sums(left, self.tree.finest, self.tree.groups),
            segment_sums(np.log(weight), self.tree.finest, self.tree.groups),
        )  # fmt: skip

    def chunks(self, count: int) -> Iterator[slice]:
        """Cut so many hyperparameters into pieces that fit into the cache and into memory."""
        wide = len(self.alike[0]) if self.tree.correlation is None else self.tree.groups
        step = max(1, _CHUNK // (wide * self.tree.rows.shape[1] ** 2))
        for start in range(0, count, step):
            yield slice(start, min(start + step, count))

    def log_density(self, spreads: Spreads) -> np.ndarray:
        """Return the log of the marginal density of the data for each of the hyperparameters."""
        parts = [self.up(spreads.take(piece)).log_density for piece in self.chunks(spreads.count)]
        return np.concatenate(parts)

    def up(self, spreads: Spreads) -> Collapsed:
        """Carry the measurements up the tree."""
        sums, logs = self._finest(spreads)
        kept = []
        for level in range(len(self.tree.parents) - 1, -1, -1):
            kept.append(sums)
            sums, logs = _absorb(sums, logs, spreads.levels[:, level] ** 2)
            parent = self.tree.parents[level]
            above = len(self.tree.parents[level - 1]) if level else 1
            sums, logs = segment_sums(sums, parent, above, 1), segment_sums(logs, parent, above, 1)
        return self._on_top(sums[:, 0], logs[:, 0], spreads, tuple(reversed(kept)))

    def _finest(self, spreads: Spreads) -> tuple[np.ndarray, np.ndarray]:
        """Sums of the finest groups: heterogeneity and noise taken into account."""
        noise = spreads.noise**2
        if self.tree.correlation is None:
            owner, weight, number, products, firsts = self.alike
            variance = spreads.heterogeneity[:, None] ** 2
            grown = 1.0 + variance * weight / noise[:, None]
            factor = (variance / noise[:, None] ** 2 / grown)[:, :, None, None]
            sums = products / noise[:, None, None, None] - factor * firsts
            logs = number * np.log(grown)
            groups = self.tree.groups
            return segment_sums(sums, owner, groups, 1), segment_sums(logs, owner, groups, 1)
        starts, values, scatter, left, log_weights = self.line
        nugget = spreads.heterogeneity**2
        thetas = np.stack([spreads.correlated**2, spreads.length, nugget, noise], axis=1)
        order, counts = ORDERS[self.tree.correlation], np.diff(starts)
        own, which = np.unique(thetas, axis=0, return_inverse=True)  # points of a product rule share them
        summed = spatial_sums if self.tree.spatial else filtered_sums
        sums, logs = summed(order, starts, self.tree.place, values, scatter, own)
        sums, logs = sums[which.ravel()], logs[which.ravel()]
        sums = sums + left / noise[:, None, None, None]
        return sums, logs + log_weights - counts * np.log(noise)[:, None]

    def _on_top(
        self, sums: np.ndarray, logs: np.ndarray, spreads: Spreads, kept: tuple[np.ndarray, ...]
    ) -> Collapsed:
        k = self.tree.unknowns
        precision = np.diag(self.top.std**-2.0)
        system = sums[:, :k, :k] + precision
        right = sums[:, :k, k] + precision @ self.top.mean
        covariance = np.linalg.inv(system)
        mean = np.einsum("tij,tj->ti", covariance, right)
        prior = float(self.top.mean @ precision @ self.top.mean)
        square = sums[:, k, k] + prior - np.einsum("ti,ti->t", right, mean)
        noise = self.tree.count * np.log(spreads.noise**2) + self.log_scatter
        determinant = noise + logs + np.linalg.slogdet(system)[1] + 2.0 * float(np.sum(np.log(self.top.std)))
        density = -0.5 * (self.tree.count * np.log(2.0 * np.pi) + determinant + square)
        return Collapsed(density, mean, 0.5 * (covariance + covariance.transpose(0, 2, 1)), kept)


def _absorb(sums: np.ndarray, logs: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take an effect that a group shares into its sums (count, groups, K, K) and logs (count, groups)."""
    first = sums[:, :, 0, :]
    grown = 1.0 + variance[:, None] * first[:, :, 0]
    factor = (variance[:, None] / grown)[:, :, None, None]
    return sums - factor * first[:, :, :, None] * first[:, :, None, :], logs + np.log(grown)


def group_step(
    sums: np.ndarray, variance: np.ndarray, unknowns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how a group's coefficients follow from its parent's: matrix, shift, variance.

    coefficients = matrix @ parent's + shift e_0 + noise of that variance along e_0.

    Args:
        sums: S of the groups before their own effect, (count, groups, K, K).
        variance: of the level's effects, (count,).
        unknowns: number of coefficients.
    """
    gain = variance[:, None] / (1.0 + variance[:, None] * sums[:, :, 0, 0])
    matrix = np.broadcast_to(np.eye(unknowns), (*sums.shape[:2], unknowns, unknowns)).copy()
    matrix[:, :, 0, :] -= gain[:, :, None] * sums[:, :, 0, :unknowns]
    return matrix, gain * sums[:, :, 0, unknowns], gain


def moments_down(
    collapse: Collapse, found: Collapsed, spreads: Spreads
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return exact conditional means (count, groups, k) and covariances of each level's coefficients."""
    k = collapse.tree.unknowns
    mean, covariance = found.mean[:, None, :], found.covariance[:, None]
    levels = []
    for level, parent in enumerate(collapse.tree.parents):
        matrix, shift, variance = group_step(found.sums[level], spreads.levels[:, level] ** 2, k)
        mean = np.einsum("tgij,tgj->tgi", matrix, mean[:, parent])
        mean[:, :, 0] += shift
        covariance = matrix @ covariance[:, parent] @ matrix.transpose(0, 1, 3, 2)
        covariance[:, :, 0, 0] += variance
        levels.append((mean, covariance))
    return levels


def draws_down(tree: Tree, found: Collapsed, spreads: Spreads, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the coefficients on top and of every level exactly, one draw a hyperparameter.

    Returns:
        (count, k) for the top, then (count, groups, k) from the coarsest level to the finest.
    """
    k = tree.unknowns
    root = np.linalg.cholesky(found.covariance)
    top = found.mean + np.einsum("tij,tj->ti", root, rng.standard_normal(found.mean.shape))
    draws, above = [top], top[:, None, :]
    for level, parent in enumerate(tree.parents):
        matrix, shift, variance = group_step(found.sums[level], spreads.levels[:, level] ** 2, k)
        own = np.einsum("tgij,tgj->tgi", matrix, above[:, parent])
        own[:, :, 0] += shift + np.sqrt(variance) * rng.standard_normal(variance.shape)
        draws.append(own)
        above = own
    return draws
