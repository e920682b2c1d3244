"""Made measurements, the dense Gaussian that they come from; a linear inverse problem with its posterior."""

import jax.numpy as jnp
import numpy as np

from scalebridge.inference.hierarchy_collapse import Collapse, Spreads, Top
from scalebridge.inference.hierarchy_tree import Tree
from scalebridge.inference.matern import matern_matrix

SPREADS = Spreads(np.array([[0.9, 0.6]]), np.array([0.5]), np.array([0.3]), np.array([0.7]), np.array([1.4]))


def made_tree(correlation=None, seed=0):
    """Two wells, five cores, samples at rising depths, some measured twice or thrice, one covariate."""
    rng = np.random.default_rng(seed)
    finest = np.repeat([0, 1, 2, 3, 4], [3, 1, 4, 2, 5])
    place = np.concatenate([np.cumsum(rng.uniform(0.2, 2.0, n)) for n in (3, 1, 4, 2, 5)])
    sample = np.repeat(np.arange(15), rng.integers(1, 4, 15))
    count = len(sample)
    rows = np.stack([np.ones(count), rng.standard_normal(count), rng.standard_normal(count)], axis=1)
    parents = (np.zeros(2, int), np.array([0, 0, 1, 1, 1]))
    return Tree(rows, rng.uniform(0.5, 2.0, count), sample, place, parents, finest, correlation)


def made_top():
    return Top(np.array([0.3, -0.2]), np.array([2.0, 1.5]))


def dense(tree, spreads, top, at=0):
    """Mean and covariance of the measurements, and their covariance with mean, slope and groups' effects."""
    x, owner = tree.rows[:, :-1], tree.sample
    parts = []
    for level in range(len(tree.parents)):
        group = tree.ancestors(level)[owner]
        parts.append(spreads.levels[at, level] ** 2 * (group[:, None] == group))
    micro = spreads.heterogeneity[at] ** 2 * (owner[:, None] == owner)
    noise = spreads.noise[at] ** 2 * np.diag(tree.scatter)
    covariance = (x * top.std**2) @ x.T + sum(parts) + micro + noise
    if tree.correlation is not None:
        line = matern_matrix(tree.place[owner], float(spreads.length[at]), tree.correlation)
        same = tree.finest[owner][:, None] == tree.finest[owner]
        covariance = covariance + spreads.correlated[at] ** 2 * line * same
    return x @ top.mean, covariance


def made_collapse(correlation=None):
    return Collapse(made_tree(correlation), made_top())


def made_plugs(groups=6, each=8, seed=1, correlation_length=None):
    """A table of plugs of some cores: heterogeneity 0.8, between cores 1, noise 0.3, of the logarithm."""
    rng = np.random.default_rng(seed)
    depth = np.concatenate([np.sort(rng.uniform(0, 10, each)) for _ in range(groups)])
    core = np.repeat(np.arange(groups), each)
    micro = 0.8 * rng.standard_normal(groups * each)
    if correlation_length is not None:
        for g in range(groups):
            own = core == g
            root = np.linalg.cholesky(
                matern_matrix(depth[own], correlation_length, "exponential") + 1e-9 * np.eye(each)
            )
            micro[own] = root @ micro[own]
    value = 2.0 + rng.standard_normal(groups)[core] + micro + 0.3 * rng.standard_normal(groups * each)
    return {"core": core, "k": np.exp(value), "depth": depth}


MATRIX = np.array([[1.0, 0.5], [0.3, -1.0], [0.2, 0.8]])
DATA = np.array([1.0, -0.6, 0.9])
NOISE = 0.4
# Gaussian prior N(0, 1) and noise: posterior mean and covariance in closed form.
PRECISION = MATRIX.T @ MATRIX / NOISE**2 + np.eye(2)
EXACT_MEAN = np.linalg.solve(PRECISION, MATRIX.T @ DATA / NOISE**2)
EXACT_STD = np.sqrt(np.diag(np.linalg.inv(PRECISION)))
TWO = {"a": "normal(0, 1)", "b": "normal(0, 1)"}


def fine(theta):
    return jnp.asarray(MATRIX) @ theta


def coarse(theta):
    return jnp.asarray(MATRIX * 0.8 + 0.1) @ theta + 0.2 * jnp.sin(theta[0])


def host_fine(theta):
    return np.array(MATRIX @ np.asarray(theta))


def host_coarse(theta):
    return np.array((MATRIX * 0.8 + 0.1) @ np.asarray(theta))


def assert_exact(found):
    for row, mean, std in zip(found.summary, EXACT_MEAN, EXACT_STD, strict=True):
        assert abs(row.mean - mean) < 4.5 * row.error  # four and a half Monte-Carlo standard errors
        # Relative standard error of a standard deviation from so many independent draws.
        assert abs(row.std / std - 1.0) < 4.5 / np.sqrt(2.0 * row.ess_bulk)
