"""Draws where the hierarchy is not all Gaussian: limits in place of values, noise with heavy tails.

Given the values behind the limits and the weights of the noise, everything is linear and Gaussian again and
is integrated out exactly, so that what is sampled in turn are

- the hyperparameters, by random-walk steps on the collapsed density (adapted in the warm-up, then frozen);
- the groups' effects, exactly; the samples' values where the noise has tails;
- the weights of a Student noise, which is a Gaussian one of variance noise^2 / w with w ~ Gamma(nu/2, nu/2);
- the values behind limits, truncated normal, with the sample's own heterogeneity integrated out, because
steps of
  the size of the noise would take for ever.

Each step leaves the posterior as it is (D. A. van Dyk and T. Park, J. Am. Stat. Assoc. 103 (2008) 790, for
steps with parts integrated out).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from scalebridge.core.checks import Check
from scalebridge.inference.diagnostics_of_chains import chain_checks
from scalebridge.inference.hierarchy import Hierarchy
from scalebridge.inference.hierarchy_collapse import Collapse, Spreads, draws_down
from scalebridge.inference.hierarchy_fields import draw_line
from scalebridge.inference.hierarchy_posterior import Moments, Posterior, exact_moments
from scalebridge.inference.hierarchy_single import Single
from scalebridge.inference.hierarchy_tree import Tree
from scalebridge.inference.quadrature import MOST_DIMENSIONS, integrate

CHAINS = 4
_STEPS = 4  # of the hyperparameters in a sweep
_KEPT_MOMENTS = 20


@dataclass
class _State:
    """Where a chain is: coordinates of the hyperparameters, values, and scatter of the noise."""

    z: np.ndarray
    values: np.ndarray
    scatter: np.ndarray
    log_density: float = -np.inf


def posterior_by_sampling(
    hierarchy: Hierarchy, draws: int, rng: np.random.Generator, tail: float | None, thin: int = 2
) -> Posterior:
    """Sample in four chains.

    Args:
        hierarchy: the model with its data.
        draws: number of draws that are kept, of all chains together.
        rng: source of random numbers.
        tail: degrees of freedom of a Student noise; None for Gaussian noise.
        thin: sweeps a kept draw.
    """
    each = -(-draws // CHAINS)
    warm = max(300, each)
    start, root = _start(hierarchy)
    runs = [
        _run(hierarchy, (start, root), (each, warm, thin), tail, np.random.default_rng(seed))
        for seed in rng.bit_generator.seed_seq.spawn(CHAINS)  # type: ignore[union-attr]
    ]
    z = np.stack([run["z"] for run in runs])
    top = np.stack([run["top"] for run in runs])
    levels = [np.concatenate([run["levels"][i] for run in runs]) for i in range(len(runs[0]["levels"]))]
    values = hierarchy.values(z.reshape(z.shape[0] * z.shape[1], z.shape[2]))
    checks, least = _checks(hierarchy, z, top)
    flat = top.reshape(-1, top.shape[2])
    known = {name: (float(np.mean(values[name])), float(np.std(values[name]))) for name in hierarchy.free}
    names = ("mean", *(f"slope of {name}" for name in hierarchy.measurements.covariates))
    known |= {name: (float(flat[:, i].mean()), float(flat[:, i].std())) for i, name in enumerate(names)}
    moments = _moments(hierarchy, flat, levels, [part for run in runs for part in run["moments"]])
    accepted = float(np.mean([run["accepted"] for run in runs]))
    said = f"sampling in {CHAINS} chains, everything Gaussian integrated out in each step"
    stats = {"chains": CHAINS, "warm-up sweeps": warm, "sweeps": each * thin, "accepted": accepted}
    return Posterior(said, values, flat, tuple(levels), known, moments, None, checks, stats, least)


def _start(hierarchy: Hierarchy) -> tuple[np.ndarray, np.ndarray]:
    """Return where chains begin and the root of the first steps' covariance, as if limits were values."""
    dims = len(hierarchy.free)
    if 0 < dims <= MOST_DIMENSIONS:
        density = hierarchy.density(hierarchy.collapse)
        rule = integrate(density, hierarchy.lowest, hierarchy.highest, 12 if dims < MOST_DIMENSIONS else 8)
        mean = rule.mean(rule.points)
        off = rule.points - mean
        covariance = np.einsum("n,ni,nj->ij", rule.weights, off, off) + 1e-8 * np.eye(dims)
        return mean, np.linalg.cholesky(covariance)
    size = float(np.std(hierarchy.measurements.values)) or 1.0
    z = []
    for name in hierarchy.free:
        prior = hierarchy.priors[name]
        z.append(0.0 if prior.kind == "log-normal" else float(prior.coordinate(np.array(0.3 * size))))
    return np.array(z), 0.1 * np.eye(dims)


def _run(
    hierarchy: Hierarchy,
    begin: tuple[np.ndarray, np.ndarray],
    numbers: tuple[int, int, int],
    tail: float | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Run one chain from a mean and a root, of so many draws, warm-up sweeps, sweeps a draw."""
    (start, root), (each, warm, thin) = begin, numbers
    data, dims = hierarchy.measurements, len(start)
    state = _State(
        start + 0.5 * root @ rng.standard_normal(dims), data.values.copy(), data.tree.scatter.copy()
    )
    state.z = np.maximum(state.z, hierarchy.lowest + 1e-3)
    scale, seen, kept = 2.4 / np.sqrt(max(dims, 1)), [], {"z": [], "top": [], "levels": [], "moments": []}
    accepted, tried, single = 0, 0, Single(hierarchy, data.tree)
    augmented = tail is not None or data.censored
    for sweep in range(warm + each * thin):
        if augmented:
            single = single.with_values(state.values, state.scatter)
        moved = _walk(single, state, scale * root, rng)
        values = hierarchy.values(state.z[None])
        spreads = hierarchy.spreads(values)
        effects = draws_down(single.tree, single.up(spreads), spreads, rng)
        if augmented:
            _augment(hierarchy, single.tree, state, spreads, effects, tail, rng)
        if sweep < warm:
            seen.append(state.z.copy())
            scale *= np.exp((moved / _STEPS - 0.3) / np.sqrt(1.0 + sweep))
            if dims and sweep in (warm // 4, warm // 2) and sweep > 20:
                some = np.cov(np.array(seen[len(seen) // 3 :]).T).reshape(dims, dims)
                root, scale = np.linalg.cholesky(some + 1e-6 * np.eye(dims)), 2.4 / np.sqrt(dims)
            continue
        accepted, tried = accepted + moved, tried + _STEPS
        if (sweep - warm) % thin == 0:
            _keep(hierarchy, single.tree, kept, state, values, effects, each)
    levels = [np.concatenate(same) for same in zip(*kept["levels"], strict=True)]
    return {
        "z": np.array(kept["z"]),
        "top": np.concatenate(kept["top"]),
        "levels": levels,
        "moments": kept["moments"],
        "accepted": accepted / max(tried, 1),
    }


def _keep(
    hierarchy: Hierarchy,
    tree: Tree,
    kept: dict[str, list],
    state: _State,
    values: dict[str, np.ndarray],
    effects: list[np.ndarray],
    each: int,
) -> None:
    kept["z"].append(state.z.copy())
    kept["top"].append(effects[0])
    kept["levels"].append(effects[1:])
    if len(kept["z"]) % max(1, each // _KEPT_MOMENTS) == 0:
        collapse = Collapse(tree, hierarchy.top)
        kept["moments"].append(exact_moments(hierarchy, collapse, values, np.ones(1)))


def _walk(single: Single, state: _State, root: np.ndarray, rng: np.random.Generator) -> int:
    """Take some steps of the hyperparameters; return how many were accepted."""
    if not len(state.z):
        return 0
    state.log_density, moved = single.log_density(state.z), 0
    for _ in range(_STEPS):
        proposed = state.z + root @ rng.standard_normal(len(state.z))
        if np.any(proposed < single.hierarchy.lowest):
            continue
        found = single.log_density(proposed)
        if np.log(rng.random()) < found - state.log_density:
            state.z, state.log_density = proposed, found
            moved += 1
    return moved


def _augment(
    hierarchy: Hierarchy,
    tree: Tree,
    state: _State,
    spreads: Spreads,
    effects: list[np.ndarray],
    tail: float | None,
    rng: np.random.Generator,
) -> None:
    """Draw the weights of the noise and the values behind limits anew."""
    data = hierarchy.measurements
    noise, nugget = float(spreads.noise[0]) ** 2, float(spreads.heterogeneity[0]) ** 2
    own = effects[-1][0] if len(effects) > 1 else effects[0]
    base = np.sum(tree.rows[:, :-1] * own[tree.finest[tree.sample]], axis=1)
    line = np.zeros(tree.samples)
    if tree.correlation is not None:
        line = draw_line(tree, state.values - base, spreads, rng)
    base = base + line[tree.sample]
    micro = _micro(tree, state.values - base, nugget, noise, rng)
    if tail is not None:
        left = (state.values - base - micro[tree.sample]) ** 2 / (noise * data.tree.scatter)
        weights = rng.gamma(0.5 * (tail + 1.0), 2.0 / (tail + left))
        state.scatter = data.tree.scatter / weights
    if data.censored:
        single = np.bincount(tree.sample)[tree.sample] == 1
        centre = np.where(single, base, base + micro[tree.sample])
        std = np.sqrt(noise * state.scatter + np.where(single, nugget, 0.0))
        _beyond(data.below, -1.0, centre, std, data.values, state.values, rng)
        _beyond(data.above, 1.0, centre, std, data.values, state.values, rng)


def _micro(tree: Tree, left: np.ndarray, nugget: float, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Draw the samples' own heterogeneity given what is left of their measurements."""
    weight = np.bincount(tree.sample, 1.0 / (noise * tree.scatter))
    mean = np.bincount(tree.sample, left / (noise * tree.scatter))
    variance = nugget / (1.0 + nugget * weight)
    return variance * mean + np.sqrt(variance) * rng.standard_normal(tree.samples)


def _beyond(
    which: np.ndarray,
    side: float,
    centre: np.ndarray,
    std: np.ndarray,
    limits: np.ndarray,
    values: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Draw normal values beyond their limits: below for side -1, above for 1."""
    if not np.any(which):
        return
    edge = side * (limits[which] - centre[which]) / std[which]
    log_tail = special.log_ndtr(-edge) + np.log1p(-rng.random(edge.size))
    values[which] = centre[which] - side * std[which] * special.ndtri_exp(log_tail)


def _checks(hierarchy: Hierarchy, z: np.ndarray, top: np.ndarray) -> tuple[tuple[Check, ...], float]:
    series = [z[:, :, i] for i in range(z.shape[2])] + [top[:, :, i] for i in range(top.shape[2])]
    return chain_checks(series)


def _moments(
    hierarchy: Hierarchy, top: np.ndarray, levels: list[np.ndarray], parts: list[dict[str, Moments]]
) -> dict[str, Moments]:
    """Means and variances of the draws; the parts in the ratio of their means over the chain."""
    drawn = {"all": top[:, None, 0]}
    drawn |= {name: levels[i][:, :, 0] for i, name in enumerate(hierarchy.measurements.levels)}
    found = {}
    for name, values in drawn.items():
        variance = values.var(axis=0)
        sampling = np.mean([part[name].sampling for part in parts], axis=0)
        noise = np.mean([part[name].noise for part in parts], axis=0)
        rest = np.maximum(variance - sampling - noise, 0.0)
        found[name] = Moments(values.mean(axis=0), variance, sampling, noise, rest)
    return found
