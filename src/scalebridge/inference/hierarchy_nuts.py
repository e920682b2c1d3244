"""The same posterior by the No-U-Turn sampler of NumPyro (extra `inference`): a check by another hand.

On the collapsed density it samples the hyperparameters alone. On the full model it samples every group and
every
sample too, each level centred or not, whichever is the better: an effect is centred where the data say more
of it
than its prior does. (M. D. Hoffman and A. Gelman 2014; O. Papaspiliopoulos, G. O. Roberts and M. Skold 2007.)
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.inference.diagnostics_of_chains import chain_checks
from scalebridge.inference.hierarchy import CORRELATED, HETEROGENEITY, LENGTH, NOISE, Hierarchy
from scalebridge.inference.hierarchy_posterior import Moments, Posterior, drawn_effects
from scalebridge.inference.matern import ORDERS
from scalebridge.io.stored import need

CHAINS = 4
_MOST_IN_A_GROUP = 1500


def posterior_by_nuts(
    hierarchy: Hierarchy, draws: int, rng: np.random.Generator, tail: float | None, *, full: bool
) -> Posterior:
    """Sample by NUTS in four chains, one after the other.

    Args:
        hierarchy: the model with its data.
        draws: number of draws kept.
        rng: source of random numbers.
        tail: degrees of freedom of a Student noise; None for Gaussian noise.
        full: whether groups and samples are sampled too, in place of integrated out.

    Raises:
        MissingExtraError: NumPyro is not installed.
        InputError: more than some thousand samples in a correlated group.
    """
    numpyro = need("numpyro", extra="inference", purpose="method='nuts'")
    infer = need("numpyro.infer", extra="inference", purpose="method='nuts'")
    tree = hierarchy.measurements.tree
    if tree.correlation is not None and np.max(np.bincount(tree.finest)) > _MOST_IN_A_GROUP:
        raise InputError(
            "method",
            got=f"NUTS with {np.max(np.bincount(tree.finest))} samples in a correlated group",
            wanted=f"at most {_MOST_IN_A_GROUP}, because its covariance is factored",
            cure="leave method out",
        )
    centred = _choose_centred(hierarchy)
    model = _full_model(hierarchy, numpyro, tail, centred) if full else _collapsed_model(hierarchy, numpyro)
    kernel = infer.NUTS(model, target_accept_prob=0.9, init_strategy=infer.init_to_median(num_samples=5))
    each = -(-draws // CHAINS)
    chains = infer.MCMC(
        kernel, num_warmup=max(500, each), num_samples=each, num_chains=CHAINS, chain_method="sequential",
        progress_bar=False,
    )  # fmt: skip
    chains.run(jax.random.PRNGKey(int(rng.integers(2**31))), extra_fields=("diverging",))
    found = {name: np.asarray(v) for name, v in chains.get_samples(group_by_chain=True).items()}
    diverged = int(np.sum(np.asarray(chains.get_extra_fields()["diverging"])))
    return _posterior(hierarchy, found, diverged, rng, full=full, centred=centred)


def _choose_centred(hierarchy: Hierarchy) -> tuple[bool, ...]:
    """Choose for each level whether effects are sampled as they are (centred) or as shares of a spread."""
    data = hierarchy.measurements
    rows, found = data.tree, []
    values = data.values
    for level in range(len(data.levels)):
        group = rows.ancestors(level)[rows.sample]
        number = np.bincount(group)
        means = np.bincount(group, values) / number
        within = float(np.mean((values - means[group]) ** 2)) / float(np.mean(number))
        found.append(float(np.var(means)) > 2.0 * within)
    return tuple(found)


def _draw_prior(numpyro: Any, name: str, prior: Any) -> Any:
    dist = numpyro.distributions
    if prior.known:
        return jnp.asarray(prior.scale)
    if prior.kind == "log-normal":
        return numpyro.sample(name, dist.LogNormal(np.log(prior.scale), prior.spread))
    family = dist.HalfNormal if prior.kind == "half-normal" else dist.HalfCauchy
    return numpyro.sample(name, family(prior.scale))


def _full_model(hierarchy: Hierarchy, numpyro: Any, tail: float | None, centred: tuple[bool, ...]) -> Any:
    data, dist, tree = hierarchy.measurements, numpyro.distributions, hierarchy.measurements.tree
    rows, values = jnp.asarray(tree.rows[:, :-1]), jnp.asarray(data.values)
    inside = [np.flatnonzero(tree.finest == g) for g in range(tree.groups)]

    def effect(name: str, std: Any, count: int, own: bool) -> Any:
        if own:
            return numpyro.sample(f"effect {name}", dist.Normal(0.0, std).expand([count]))
        return std * numpyro.sample(f"share {name}", dist.Normal(0.0, 1.0).expand([count]))

    def model() -> None:
        spread = {name: _draw_prior(numpyro, name, prior) for name, prior in hierarchy.priors.items()}
        top = numpyro.sample(
            "top", dist.Normal(jnp.asarray(hierarchy.top.mean), jnp.asarray(hierarchy.top.std))
        )
        middle = rows @ top
        for level, name in enumerate(data.levels):
            drawn = effect(name, spread[name], len(tree.parents[level]), centred[level])
            numpyro.deterministic(f"group {name}", drawn)
            middle = middle + drawn[tree.ancestors(level)[tree.sample]]
        if tree.correlation is not None:
            shares = numpyro.sample("line", dist.Normal(0.0, 1.0).expand([tree.samples]))
            line = jnp.zeros(tree.samples)
            for index in inside:
                root = _root(tree.place[index], spread[LENGTH], tree.correlation)
                line = line.at[index].set(spread[CORRELATED] * (root @ shares[index]))
            middle = middle + line[tree.sample]
        if hierarchy.noiseless:
            _observe(numpyro, data, values, middle, spread[HETEROGENEITY], None)
            return
        own = spread[HETEROGENEITY] * numpyro.sample("micro", dist.Normal(0.0, 1.0).expand([tree.samples]))
        scale = spread[NOISE] * jnp.sqrt(jnp.asarray(tree.scatter))
        _observe(numpyro, data, values, middle + own[tree.sample], scale, tail)

    return model


def _observe(numpyro: Any, data: Any, values: Any, middle: Any, scale: Any, tail: float | None) -> None:
    """Add the likelihood: densities of values, probabilities of limits."""
    dist = numpyro.distributions
    noise = dist.Normal(middle, scale) if tail is None else dist.StudentT(tail, middle, scale)
    density = noise.log_prob(values)
    if data.censored:
        share = jnp.clip(noise.cdf(values), 1e-12, 1.0 - 1e-12)
        density = jnp.where(data.below, jnp.log(share), jnp.where(data.above, jnp.log1p(-share), density))
    numpyro.factor("values", jnp.sum(density))


def _root(places: np.ndarray, length: Any, correlation: str) -> Any:
    order = ORDERS[correlation]
    points = places.reshape(len(places), -1)
    gaps = np.linalg.norm(points[:, None] - points[None, :], axis=-1)
    scaled = np.sqrt(2 * order - 1) * gaps / length
    factor = {1: 1.0, 2: 1.0 + scaled, 3: 1.0 + scaled + scaled**2 / 3.0}[order]
    return jnp.linalg.cholesky(factor * jnp.exp(-scaled) + 1e-8 * jnp.eye(len(places)))


def _collapsed_model(hierarchy: Hierarchy, numpyro: Any) -> Any:
    data, tree, top = hierarchy.measurements, hierarchy.measurements.tree, hierarchy.top
    rows = jnp.asarray(tree.rows - np.r_[np.zeros(tree.unknowns), float(np.mean(data.values))])
    shift = np.r_[float(np.mean(data.values)), np.zeros(tree.unknowns - 1)]
    scatter, sample = jnp.asarray(tree.scatter), jnp.asarray(tree.sample)
    outer = rows[:, :, None] * rows[:, None, :] / scatter[:, None, None]
    by_sample = jax.ops.segment_sum(outer, sample, tree.samples)

    def absorb(sums: Any, logs: Any, variance: Any) -> tuple[Any, Any]:
        first = sums[:, 0, :]
        grown = 1.0 + variance * first[:, 0]
        taken = (variance / grown)[:, None, None] * first[:, :, None] * first[:, None, :]
        return sums - taken, logs + jnp.log(grown)

    def density(spread: dict[str, Any]) -> Any:
        noise = spread[HETEROGENEITY if hierarchy.noiseless else NOISE] ** 2
        micro = 0.0 if hierarchy.noiseless else spread[HETEROGENEITY] ** 2
        sums, logs = absorb(by_sample / noise, jnp.zeros(tree.samples), micro)
        if tree.correlation is None:
            finest = jnp.asarray(tree.finest)
            sums, logs = (jax.ops.segment_sum(x, finest, tree.groups) for x in (sums, logs))
        else:
            sums, logs = _correlated_sums(tree, sums, logs, spread)
        for level in range(len(data.levels) - 1, -1, -1):
            above = len(tree.parents[level - 1]) if level else 1
            parent = jnp.asarray(tree.parents[level])
            sums, logs = absorb(sums, logs, spread[data.levels[level]] ** 2)
            sums, logs = (jax.ops.segment_sum(x, parent, above) for x in (sums, logs))
        return _on_top(sums[0], logs[0] + tree.count * jnp.log(noise), top.mean - shift, top.std)

    def model() -> None:
        spread = {name: _draw_prior(numpyro, name, prior) for name, prior in hierarchy.priors.items()}
        numpyro.factor("data", density(spread))

    return model


def _correlated_sums(tree: Any, sums: Any, logs: Any, spread: dict[str, Any]) -> tuple[Any, Any]:
    """Take the correlated part into the samples' sums, group by group, with factored covariances."""
    weight = sums[:, 0, 0]
    values = sums[:, 0, :] / weight[:, None]
    left = sums - weight[:, None, None] * values[:, :, None] * values[:, None, :]
    grouped, added = [], []
    for group in range(tree.groups):
        index = np.flatnonzero(tree.finest == group)
        root = _root(tree.place[index], spread[LENGTH], tree.correlation)
        covariance = spread[CORRELATED] ** 2 * (root @ root.T) + jnp.diag(1.0 / weight[index])
        lower = jnp.linalg.cholesky(covariance)
        white = jax.scipy.linalg.solve_triangular(lower, values[index], lower=True)
        grouped.append(white.T @ white + left[index].sum(axis=0))
        determinant = 2.0 * jnp.sum(jnp.log(jnp.diagonal(lower)))
        added.append(logs[index].sum() + determinant + jnp.sum(jnp.log(weight[index])))
    return jnp.stack(grouped), jnp.stack(added)


def _on_top(sums: Any, log: Any, mean: np.ndarray, std: np.ndarray) -> Any:
    k = len(mean)
    precision = np.diag(std**-2.0)
    system = sums[:k, :k] + precision
    right = sums[:k, k] + precision @ mean
    square = sums[k, k] - right @ jnp.linalg.solve(system, right)
    return -0.5 * (log + jnp.linalg.slogdet(system)[1] + square)


def _posterior(
    hierarchy: Hierarchy,
    found: dict[str, np.ndarray],
    diverged: int,
    rng: np.random.Generator,
    *,
    full: bool,
    centred: tuple[bool, ...],
) -> Posterior:
    data = hierarchy.measurements
    series = [v.reshape(*v.shape[:2], -1) for n, v in found.items() if n in hierarchy.free or n == "top"]
    flat = [s[:, :, i] for s in series for i in range(s.shape[2])]
    mixed, least = chain_checks(flat)
    joined = {name: v.reshape(-1, *v.shape[2:]) for name, v in found.items()}
    count = len(next(iter(joined.values())))
    values = {
        name: np.full(count, prior.scale) if prior.known else joined[name]
        for name, prior in hierarchy.priors.items()
    }
    if full:
        top, levels, above = joined["top"], [], joined["top"][:, None, :]
        for level, name in enumerate(data.levels):
            own = above[:, data.tree.parents[level]].copy()
            own[:, :, 0] += joined[f"group {name}"]
            levels.append(own)
            above = own
    else:
        top, levels = drawn_effects(hierarchy, hierarchy.collapse, values, rng)
    checks = (
        *mixed,
        Check("divergences", diverged, 0, meaning="steps at which the sampler lost the energy"),
    )
    known = {name: (float(values[name].mean()), float(values[name].std())) for name in hierarchy.free}
    names = ("mean", *(f"slope of {name}" for name in data.covariates))
    known |= {name: (float(top[:, i].mean()), float(top[:, i].std())) for i, name in enumerate(names)}
    drawn = {"all": top[:, None, 0], **{n: levels[i][:, :, 0] for i, n in enumerate(data.levels)}}
    said = "NUTS on the collapsed density"
    if full:
        kinds = ", ".join(
            f"{n} {'as it is' if c else 'as shares'}" for n, c in zip(data.levels, centred, strict=True)
        )
        said = f"NUTS on the full model ({kinds or 'no levels'})"
    return Posterior(
        said, values, top, tuple(levels), known, {n: _whole(v) for n, v in drawn.items()}, None, checks,
        {"divergences": diverged, "chains": CHAINS}, least,
    )  # fmt: skip


def _whole(draws: np.ndarray) -> Moments:
    """Moments of draws, whose variance is not cut into parts."""
    zero = np.zeros(draws.shape[1])
    return Moments(draws.mean(axis=0), draws.var(axis=0), draws.var(axis=0), zero, zero)
