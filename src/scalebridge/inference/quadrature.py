"""Integrals over few dimensions whose integrand is found to be small outside a box: Gauss and Legendre.

The box is found by scans that shrink and grow it until the marginal densities are negligible at its faces
(but for
faces that are ends of the axis). In it, the product rule converges geometrically for smooth integrands. The
same integral with fewer points tells the error.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

Density = Callable[[np.ndarray], np.ndarray]
_SCAN = {1: 161, 2: 33, 3: 15, 4: 9}
_NODES = {1: 96, 2: 40, 3: 24, 4: 20}
_ROUNDS = 14
_TINY = {1: 1e-13, 2: 1e-9, 3: 1e-7, 4: 1e-5}  # of the largest marginal density, where the box ends
_DEGREES = 5.0
MOST_DIMENSIONS = 4
"""Dimensions up to which a product rule is used."""


@dataclass(frozen=True)
class Rule:
    """Points and weights of an integral.

    Args:
        points: (count, dimensions).
        weights: share of the integral at each point, with sum 1.
        log_integral: logarithm of the integral.
        box: lower and upper ends, (dimensions, 2).
        shape: points along each axis.
    """

    points: np.ndarray
    weights: np.ndarray
    log_integral: float
    box: np.ndarray
    shape: tuple[int, ...]

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of values whose first axis is that of the points."""
        return np.tensordot(self.weights, values, 1)


def integrate(
    density: Density,
    lowest: np.ndarray,
    highest: np.ndarray,
    nodes: int | None = None,
    near: np.ndarray | None = None,
) -> Rule:
    """Integrate the exponential of a log-density over its box.

    Args:
        density: log-density of points (count, dimensions).
        lowest: ends below which there is nothing, (dimensions,).
        highest: where to look at first, (dimensions,).
        nodes: points along each axis.
        near: box to begin with, (dimensions, 2); from end to end unless given.
    """
    dims = len(lowest)
    if dims == 0:
        point = np.zeros((1, 0))
        return Rule(point, np.ones(1), float(density(point)[0]), np.zeros((0, 2)), ())
    start = np.stack([lowest, highest], axis=1) if near is None else near
    box = find_box(density, np.asarray(lowest, float), np.asarray(start, float))
    return product_rule(density, box, nodes or _NODES[dims])


def product_rule(density: Density, box: np.ndarray, nodes: int) -> Rule:
    """Integrate over a box by the product of Gauss-Legendre rules."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    axes = [a + (b - a) * (x + 1.0) / 2.0 for a, b in box]
    points = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)
    logs = [np.log(w * (b - a) / 2.0) for a, b in box]
    log_weights = sum(m.ravel() for m in np.meshgrid(*logs, indexing="ij")) + density(points)
    peak = float(np.max(log_weights))
    weights = np.exp(log_weights - peak)
    total = float(np.sum(weights))
    return Rule(points, weights / total, peak + math.log(total), box, (nodes,) * len(box))


def find_box(density: Density, lowest: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Find the box outside which the marginal densities are negligible, from a first one, (dimensions, 2)."""
    dims = len(lowest)
    box, count, tiny = start, _SCAN[dims], _TINY[dims]
    for _ in range(_ROUNDS):
        axes = [np.linspace(a, b, count) for a, b in box]
        points = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")], axis=1)
        logs = density(points)
        mass = np.exp(logs - np.max(logs)).reshape((count,) * dims)
        new = np.array([_ends(axes[d], _marginal(mass, d), tiny, lowest[d]) for d in range(dims)])
        settled = np.all(np.abs(new - box) <= 0.15 * (box[:, 1:] - box[:, :1]))
        box = new
        if settled:
            return box
    return box


def _marginal(mass: np.ndarray, axis: int) -> np.ndarray:
    return mass.sum(axis=tuple(d for d in range(mass.ndim) if d != axis))


def _ends(axis: np.ndarray, marginal: np.ndarray, tiny: float, lowest: float) -> tuple[float, float]:
    """Shrink to where the marginal is not negligible, one step more; grow where it is not so at an end."""
    inside = np.flatnonzero(marginal > tiny * np.max(marginal))
    step, width = axis[1] - axis[0], axis[-1] - axis[0]
    low, high = axis[max(inside[0] - 1, 0)], axis[min(inside[-1] + 1, len(axis) - 1)]
    if inside[0] == 0:
        low = max(lowest, axis[0] - 0.25 * width)
    if inside[-1] == len(axis) - 1:
        high = axis[-1] + 0.25 * width
    return float(max(lowest, low)), float(max(high, low + step))


def draw_from(
    rule: Rule, density: Density, lowest: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draw points from the density: half from the rule's cells, half from a t, put right by importance.

    Args:
        rule: the rule.
        density: the log-density that it integrates.
        lowest: ends below which there is nothing.
        count: number of draws.
        rng: source of random numbers.

    Returns:
        points (count, dimensions), and the effective share of the candidates (1 is perfect).
    """
    dims = len(rule.box)
    if dims == 0:
        return np.zeros((count, 0)), 1.0
    tries = 4 * count
    cells, heavy = _Cells.of(rule), _Heavy.of(rule)
    points = np.concatenate([cells.draw(tries // 2, rng), heavy.draw(tries - tries // 2, rng)])
    proposal = np.logaddexp(cells.log_density(points), heavy.log_density(points))
    inside = np.all(points >= lowest, axis=1)
    ratio = np.full(tries, -np.inf)
    ratio[inside] = density(points[inside]) - proposal[inside]
    weights = np.exp(ratio - np.max(ratio))
    weights /= weights.sum()
    share = 1.0 / (tries * float(np.sum(weights**2)))
    ladder = (rng.random() + np.arange(count)) / count
    picked = np.minimum(np.searchsorted(np.cumsum(weights), ladder), tries - 1)
    return points[rng.permutation(picked)], share


@dataclass(frozen=True)
class _Cells:
    """Proposal that is constant in each cell of a rule."""

    rule: Rule
    edges: np.ndarray
    mass: np.ndarray

    @classmethod
    def of(cls, rule: Rule) -> "_Cells":
        share = np.polynomial.legendre.leggauss(rule.shape[0])[1] / 2.0
        mass = 0.99 * rule.weights + 0.01 / len(rule.weights)  # so that no cell is out of reach
        return cls(rule, np.concatenate([[0.0], np.cumsum(share)]), mass / mass.sum())

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        chosen = rng.choice(len(self.mass), count, p=self.mass)
        cells = np.stack(np.unravel_index(chosen, self.rule.shape), axis=1)
        low, high = self.edges[cells], self.edges[cells + 1]
        box = self.rule.box
        return box[:, 0] + (box[:, 1] - box[:, 0]) * (low + (high - low) * rng.random(cells.shape))

    def log_density(self, points: np.ndarray) -> np.ndarray:
        box, last = self.rule.box, len(self.edges) - 2
        scaled = (points - box[:, 0]) / (box[:, 1] - box[:, 0])
        cells = np.clip(np.searchsorted(self.edges, scaled, side="right") - 1, 0, last)
        size = np.prod((self.edges[cells + 1] - self.edges[cells]) * (box[:, 1] - box[:, 0]), axis=1)
        found = np.log(self.mass[np.ravel_multi_index(tuple(cells.T), self.rule.shape)] / size)
        return np.where(np.all((scaled >= 0) & (scaled <= 1), axis=1), found, -np.inf)


@dataclass(frozen=True)
class _Heavy:
    """Student's t with five degrees of freedom and the mean and covariance of a rule."""

    mean: np.ndarray
    root: np.ndarray

    @classmethod
    def of(cls, rule: Rule) -> "_Heavy":
        mean = rule.mean(rule.points)
        off = rule.points - mean
        covariance = np.einsum("n,ni,nj->ij", rule.weights, off, off)
        covariance += 1e-12 * np.trace(covariance) * np.eye(len(mean))
        return cls(mean, np.linalg.cholesky(1.2 * covariance))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        stretch = np.sqrt(_DEGREES / rng.chisquare(_DEGREES, count))
        return self.mean + stretch[:, None] * (rng.standard_normal((count, len(self.mean))) @ self.root.T)

    def log_density(self, points: np.ndarray) -> np.ndarray:
        d = len(self.mean)
        white = np.linalg.solve(self.root, (points - self.mean).T)
        square = np.sum(white**2, axis=0)
        constant = (
            special.gammaln((_DEGREES + d) / 2) - special.gammaln(_DEGREES / 2)
            - 0.5 * d * math.log(_DEGREES * math.pi) - float(np.sum(np.log(np.diag(self.root))))
        )  # fmt: skip
        return constant - 0.5 * (_DEGREES + d) * np.log1p(square / _DEGREES)
