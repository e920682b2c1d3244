"""What is known after the data: exact moments and independent draws, by quadrature."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.inference.hierarchy import HETEROGENEITY, Hierarchy
from scalebridge.inference.hierarchy_collapse import Collapse, Spreads, draws_down, moments_down
from scalebridge.inference.hierarchy_tree import Tree
from scalebridge.inference.quadrature import Rule, draw_from, integrate, product_rule

_TOLERANCE = 1e-2  # of a posterior standard deviation
_NEGLIGIBLE = 1e-11  # of the heaviest point
_FINER = {1: 160, 2: 80, 3: 40, 4: 28}


@dataclass(frozen=True)
class Moments:
    """Mean and variance of the values of a level's groups at the covariates' means, and its parts.

    Args:
        mean: (groups,).
        variance: (groups,).
        sampling: part that is left without noise: few samples of something heterogeneous.
        noise: part that the noise adds.
        spreads: part because the spreads themselves are not known.
    """

    mean: np.ndarray
    variance: np.ndarray
    sampling: np.ndarray
    noise: np.ndarray
    spreads: np.ndarray


@dataclass(frozen=True)
class Posterior:
    """What is known after the data.

    Args:
        path: how it was found, in words.
        values: draws of every hyperparameter by name, (draws,).
        top: draws of mean and slopes, (draws, unknowns).
        levels: draws of each level's coefficients from coarse to fine, (draws, groups, unknowns).
        known: mean and standard deviation of hyperparameters, mean and slopes by name.
        moments: of the mean ("all") and of each level by name.
        log_evidence: logarithm of the marginal likelihood; None where it was not found.
        checks: whether the method did what it should.
        stats: numbers about the work.
        independent: how many independent draws the draws are worth.
    """

    path: str
    values: dict[str, np.ndarray]
    top: np.ndarray
    levels: tuple[np.ndarray, ...]
    known: dict[str, tuple[float, float]]
    moments: dict[str, Moments]
    log_evidence: float | None
    checks: tuple[Check, ...]
    stats: dict[str, Any] = field(default_factory=dict)
    independent: float = 0.0


def posterior_by_quadrature(
    hierarchy: Hierarchy, draws: int, rng: np.random.Generator, nodes: int | None = None
) -> Posterior:
    """Integrate over the hyperparameters, and draw from everything.

    Args:
        hierarchy: the model with its data, all of them measured and Gaussian.
        draws: number of draws.
        rng: source of random numbers.
        nodes: points of the rule along each axis.

    Cost: one collapse a point: 1,600 for two free hyperparameters, some ten thousand for four.
    """
    collapse = hierarchy.collapse
    density = hierarchy.density(collapse)
    rule = integrate(density, hierarchy.lowest, hierarchy.highest, nodes)
    rule, error = _checked(hierarchy, density, rule)
    z, share = draw_from(rule, density, hierarchy.lowest, draws, rng)
    values = hierarchy.values(z)
    top, levels = drawn_effects(hierarchy, collapse, values, rng)
    known = _known(hierarchy, rule)
    heavy = rule.weights > _NEGLIGIBLE * np.max(rule.weights)
    shares = rule.weights[heavy] / np.sum(rule.weights[heavy])
    moments = exact_moments(hierarchy, collapse, hierarchy.values(rule.points[heavy]), shares)
    known |= _coefficients(hierarchy, collapse, rule)
    meaning = "change of means and deviations with fewer points, in posterior standard deviations"
    check = Check("quadrature", error, _TOLERANCE, meaning=meaning)
    dims = len(hierarchy.free)
    said = f"quadrature over {dims} hyperparameter{'s' * (dims != 1)}, {len(rule.weights)} points"
    return Posterior(
        said if dims else "closed form: every spread is known",
        values, top, levels, known, moments, rule.log_integral, (check,),
        {"points": len(rule.weights), "box": rule.box.tolist(), "share of candidates": share},
        float(draws),
    )  # fmt: skip


def _checked(hierarchy: Hierarchy, density: Any, rule: Rule) -> tuple[Rule, float]:
    """Compare with a rule of fewer points; take one of more where they differ."""
    dims = len(rule.box)
    if dims == 0:
        return rule, 0.0
    fewer = product_rule(density, rule.box, max(6, round(0.75 * rule.shape[0])))
    error = _difference(hierarchy, rule, fewer)
    if error > _TOLERANCE and rule.shape[0] < _FINER[dims]:
        finer = product_rule(density, rule.box, _FINER[dims])
        return finer, _difference(hierarchy, finer, rule)
    return rule, error


def _difference(hierarchy: Hierarchy, one: Rule, other: Rule) -> float:
    a, b = _known(hierarchy, one), _known(hierarchy, other)
    gaps = [max(abs(a[n][0] - b[n][0]), abs(a[n][1] - b[n][1])) / max(a[n][1], 1e-300) for n in a]
    return max([*gaps, abs(one.log_integral - other.log_integral)])


def _known(hierarchy: Hierarchy, rule: Rule) -> dict[str, tuple[float, float]]:
    found = {}
    values = hierarchy.values(rule.points)
    for name in hierarchy.free:
        mean = float(rule.mean(values[name]))
        found[name] = (mean, float(np.sqrt(rule.mean((values[name] - mean) ** 2))))
    return found


def _coefficients(hierarchy: Hierarchy, collapse: Collapse, rule: Rule) -> dict[str, tuple[float, float]]:
    """Exact means and standard deviations of the mean and the slopes."""
    k = collapse.tree.unknowns
    heavy = rule.weights > _NEGLIGIBLE * np.max(rule.weights)
    spreads = hierarchy.spreads(hierarchy.values(rule.points[heavy]))
    weights = rule.weights[heavy] / np.sum(rule.weights[heavy])
    first, second = np.zeros(k), np.zeros(k)
    for piece in collapse.chunks(spreads.count):
        up = collapse.up(spreads.take(piece))
        first += weights[piece] @ up.mean
        second += weights[piece] @ (
            np.diagonal(up.covariance, axis1=1, axis2=2) + (up.mean - collapse.top.mean) ** 2
        )
    std = np.sqrt(second - (first - collapse.top.mean) ** 2)
    names = ("mean", *(f"slope of {name}" for name in hierarchy.measurements.covariates))
    return {name: (float(first[i]), float(std[i])) for i, name in enumerate(names)}


def drawn_effects(
    hierarchy: Hierarchy, collapse: Collapse, values: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Draw the coefficients of all levels exactly, given draws of the hyperparameters."""
    spreads, parts = hierarchy.spreads(values), []
    for piece in collapse.chunks(spreads.count):
        some = spreads.take(piece)
        parts.append(draws_down(collapse.tree, collapse.up(some), some, rng))
    joined = [np.concatenate(same) for same in zip(*parts, strict=True)]
    return joined[0], tuple(joined[1:])


def exact_moments(
    hierarchy: Hierarchy, collapse: Collapse, values: dict[str, np.ndarray], weights: np.ndarray
) -> dict[str, Moments]:
    """Return the moments of all levels as a mixture over hyperparameters with weights."""
    spreads = hierarchy.spreads(values)
    quiet = Collapse(without_noise(collapse.tree), collapse.top)
    silent = silent_spreads(hierarchy, values)
    names = ("all", *hierarchy.measurements.levels)
    sums: dict[str, list[np.ndarray]] = {}
    offset = float(np.mean(hierarchy.measurements.values))
    for piece in collapse.chunks(spreads.count):
        w = weights[piece]
        told = _conditional(collapse, spreads.take(piece))
        bare = _conditional(quiet, silent.take(piece))
        for name, (mean, variance), (_, least) in zip(names, told, bare, strict=True):
            part = [w @ (mean - offset), w @ (mean - offset) ** 2, w @ variance, w @ least]
            sums[name] = [a + b for a, b in zip(sums[name], part, strict=True)] if name in sums else part
    return {name: _parts(part, offset) for name, part in sums.items()}


def _parts(sums: list[np.ndarray], offset: float) -> Moments:
    first, square, variance, least = sums
    spread = np.maximum(square - first**2, 0.0)
    return Moments(
        first + offset,
        variance + spread,
        np.minimum(least, variance),
        np.maximum(variance - least, 0.0),
        spread,
    )


def _conditional(collapse: Collapse, spreads: Spreads) -> list[tuple[np.ndarray, np.ndarray]]:
    """Conditional mean and variance of the values on top, (count, 1), and of each level's groups."""
    up = collapse.up(spreads)
    found = [(up.mean[:, :1], up.covariance[:, :1, 0])]
    found += [(mean[:, :, 0], cov[:, :, 0, 0]) for mean, cov in moments_down(collapse, up, spreads)]
    return found


def without_noise(tree: Tree) -> Tree:
    """Return the tree of one row a sample, which stands for samples known without noise."""
    first = np.flatnonzero(np.r_[True, np.diff(tree.sample) > 0])
    return replace(tree, rows=tree.rows[first], scatter=np.ones(len(first)), sample=np.arange(len(first)))


def silent_spreads(hierarchy: Hierarchy, values: dict[str, np.ndarray]) -> Spreads:
    """Return hyperparameters that say of noise-free samples what heterogeneity says."""
    spreads = hierarchy.spreads(values)
    floor = 1e-4 * (spreads.noise + spreads.correlated) + 1e-12
    zeros = np.zeros(spreads.count)
    noise = np.maximum(values[HETEROGENEITY], floor)
    return Spreads(spreads.levels, zeros, noise, spreads.correlated, spreads.length)
