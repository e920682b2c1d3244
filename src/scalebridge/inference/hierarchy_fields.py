"""The heterogeneity within a group, drawn: along a line given the measurements, and anew on any cells."""

import numpy as np

from scalebridge.inference.hierarchy_collapse import Spreads
from scalebridge.inference.hierarchy_tree import Tree
from scalebridge.inference.matern import Correlation, matern_matrix

_JITTER = 1e-10
MOST = 4000
"""Positions up to which covariances are factored."""


def draw_line(tree: Tree, left: np.ndarray, spreads: Spreads, rng: np.random.Generator) -> np.ndarray:
    """Draw the correlated part at the samples given what groups leave of the measurements.

    Args:
        tree: the measurements.
        left: measurements less mean, slopes and effects of groups, (n,).
        spreads: one set of hyperparameters.
        rng: source of random numbers.
    """
    noise, nugget = float(spreads.noise[0]) ** 2, float(spreads.heterogeneity[0]) ** 2
    weight = np.bincount(tree.sample, 1.0 / tree.scatter)
    seen = np.bincount(tree.sample, left / tree.scatter) / weight
    own = noise / weight + nugget
    found = np.zeros(tree.samples)
    spread, kind = (float(spreads.correlated[0]), float(spreads.length[0])), tree.correlation or "exponential"
    for group in range(tree.groups):
        inside = tree.finest == group
        if np.any(inside):
            found[inside] = conditional_line(
                tree.place[inside], seen[inside], own[inside], tree.place[inside], spread, kind, rng
            )
    return found


def conditional_line(
    places: np.ndarray,
    seen: np.ndarray,
    own: np.ndarray,
    wanted: np.ndarray,
    spread: tuple[float, float],
    correlation: Correlation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw a correlated Gaussian process at wanted places given noisy values of it (Matheron's rule).

    Args:
        places: where it was seen, (n,) or (n, dim).
        seen: what was seen, (n,).
        own: variances of what was added to it there, (n,).
        wanted: where it is wanted, (m,) or (m, dim).
        spread: its standard deviation and correlation length.
        correlation: its kind.
        rng: source of random numbers.
    """
    std, length = spread
    count = len(places)
    joint = std**2 * matern_matrix(np.concatenate([places, wanted]), length, correlation)
    root = np.linalg.cholesky(joint + (_JITTER * std**2 + 1e-300) * np.eye(len(joint)))
    drawn = root @ rng.standard_normal(len(joint))
    mock = drawn[:count] + np.sqrt(own) * rng.standard_normal(count)
    gain = np.linalg.solve(joint[:count, :count] + np.diag(own), seen - mock)
    return drawn[count:] + joint[count:, :count] @ gain


def new_cells(
    positions: np.ndarray | None,
    count: int,
    spread: tuple[float, float, float],
    correlation: Correlation | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw the heterogeneity of new cells: an uncorrelated and a correlated part.

    Args:
        positions: centres of the cells, (count, dim); not needed without correlation.
        count: number of cells.
        spread: standard deviations of both parts, and the correlation length.
        correlation: kind of the correlation; None for none.
        rng: source of random numbers.
    """
    nugget, std, length = spread
    found = nugget * rng.standard_normal(count)
    if correlation is not None and positions is not None and std > 0:
        covariance = matern_matrix(positions, length, correlation)
        root = np.linalg.cholesky(covariance + _JITTER * np.eye(count))
        found += std * (root @ rng.standard_normal(count))
    return found
