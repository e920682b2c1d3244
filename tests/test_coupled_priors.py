"""Shares and definite matrices as parameters: maps and Jacobians against JAX, densities against SciPy."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import scalebridge as sb
from scalebridge.inference.diagnostics import standard_error
from scalebridge.inference.parameters import Prior, parameter

PRIORS = {"simplex": "dirichlet(2, 0.7, 5)", "spd": "wishart(3, 6) * 3"}
LOWER = np.tril_indices(3)


def free(kind, values, xp=np):
    """The values that are free to choose: all shares but the last, the lower triangle of a matrix."""
    return values[:-1] if kind == "simplex" else xp.reshape(values, (3, 3))[LOWER]


@pytest.mark.parametrize("kind", PRIORS)
def test_the_map_is_that_of_the_spec_and_its_own_inverse(kind):
    one = parameter("x", PRIORS[kind])
    prior = Prior([one])
    u = np.sin(np.arange(1.0, prior.size + 1))
    values = prior.values(u)
    assert values.shape == (prior.count,) == (len(prior.names),)
    np.testing.assert_allclose(values, np.ravel(one.spec.from_unconstrained(jnp.asarray(u))), rtol=1e-13)
    np.testing.assert_allclose(prior.coordinates(values), u, rtol=1e-12, atol=1e-13)
    many = prior.values(np.stack([u, 2 * u]))
    np.testing.assert_allclose(many[1], prior.values(2 * u), rtol=1e-14)
    outside = -values if kind == "spd" else 2 * values
    assert not np.all(np.isfinite(prior.coordinates(outside)))


@pytest.mark.parametrize("kind", PRIORS)
def test_the_density_is_that_of_the_values_times_the_jacobian(kind):
    one = parameter("x", PRIORS[kind])
    prior = Prior([one])
    known = stats.dirichlet([2, 0.7, 5]) if kind == "simplex" else stats.wishart(6, 3 / 6 * np.eye(3))
    u = np.random.default_rng(0).standard_normal(prior.size)
    values = prior.values(u)
    jacobian = jax.jacfwd(lambda c: free(kind, prior.values(c, jnp), jnp))(jnp.asarray(u))
    given = values if kind == "simplex" else values.reshape(3, 3)
    wanted = known.logpdf(given) + np.linalg.slogdet(jacobian)[1]
    assert prior.log_density(u) == pytest.approx(wanted, rel=1e-11)
    assert float(prior.log_density(jnp.asarray(u), jnp)) == pytest.approx(wanted, rel=1e-11)
    weight = np.cos(np.arange(prior.count))
    pulled = jax.grad(lambda c, w=weight: prior.values(c, jnp) @ w)(jnp.asarray(u))
    np.testing.assert_allclose(prior.pulled(u, weight), pulled, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("kind", PRIORS)
def test_draws_have_the_moments_that_chains_begin_with(kind):
    prior, rng = Prior([parameter("x", PRIORS[kind])]), np.random.default_rng(0)
    u = np.array([prior.draw(rng) for _ in range(4000)])
    error = prior.std / np.sqrt(len(u))
    assert np.all(np.abs(u.mean(axis=0) - prior.mean) < 4.5 * error)
    # Logarithms of gamma numbers have up to nine times the fourth moment of a normal's square.
    assert np.all(np.abs(u.std(axis=0) / prior.std - 1.0) < 4.5 * 2.0 / np.sqrt(len(u)))
    mean = prior.values(u).mean(axis=0)
    wanted = np.array([2, 0.7, 5]) / 7.7 if kind == "simplex" else 3 * np.eye(3).ravel()
    spread = prior.values(u).std(axis=0) / np.sqrt(len(u))
    assert np.all(np.abs(mean - wanted) < 4.5 * spread)


def test_other_parameters_stand_before_between_and_after():
    texts = {"k": "lognormal(2, 0.5)", "f": "dirichlet(1) * 3", "x": "uniform(0, 1)", "C": PRIORS["spd"]}
    parts = [parameter(name, text) for name, text in texts.items()]
    prior = Prior(parts)
    u = 0.3 * np.random.default_rng(3).standard_normal(prior.size)
    alone = [Prior([part]) for part in parts]
    edges = np.cumsum([0, *(one.size for one in alone)])
    pieces = [u[a:b] for a, b in itertools.pairwise(edges)]
    values = [one.values(piece) for one, piece in zip(alone, pieces, strict=True)]
    np.testing.assert_array_equal(prior.values(u), np.concatenate(values))
    total = sum(one.log_density(piece) for one, piece in zip(alone, pieces, strict=True))
    assert prior.log_density(u) == pytest.approx(total, rel=1e-13)
    assert prior.names == (
        "k",
        "f[0]",
        "f[1]",
        "f[2]",
        "x",
        *(f"C[{i},{j}]" for i in range(3) for j in range(3)),
    )


def test_counts_of_shares_have_their_conjugate_posterior():
    counts = np.array([12.0, 3.0, 30.0])
    found = sb.sample(
        lambda shares: jnp.atleast_1d(jnp.sum(counts * jnp.log(shares))),
        {"f": PRIORS["simplex"]},
        draws=400,
        warmup=80,
        chains=2,
    )
    exact = stats.dirichlet([*counts + np.array([2, 0.7, 5])])
    for i, (row, mean, variance) in enumerate(zip(found.summary, exact.mean(), exact.var(), strict=True)):
        assert abs(row.mean - mean) < 4.5 * row.error
        squares = (found["f"][..., i] - mean) ** 2
        assert abs(squares.mean() - variance) < 4.5 * standard_error(squares)
    np.testing.assert_allclose(found["f"].sum(axis=-1), 1.0, rtol=1e-14)
    assert found.estimate().draws.shape == (800, 2)


@pytest.mark.slow
def test_a_covariance_has_its_conjugate_posterior():
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((40, 2)) @ np.array([[1.0, 0.0], [0.6, 0.5]]).T
    scatter = seen.T @ seen

    def log_likelihood(precision):
        matrix = precision.reshape(2, 2)
        return jnp.atleast_1d(20.0 * jnp.linalg.slogdet(matrix)[1] - 0.5 * jnp.sum(matrix * scatter))

    found = sb.sample(log_likelihood, {"P": "wishart(1, 4) * 2"}, draws=1500, warmup=300)
    exact = 44 * np.linalg.inv(scatter + 4 * np.eye(2))
    for row, mean in zip(found.summary, exact.ravel(), strict=True):
        assert abs(row.mean - mean) < 4.5 * row.error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dirichlet(1)", "two or more"),
        ("dirichlet(1, -1)", "positive weights"),
        ("dirichlet(1, 2) * 3", r"with '\* N'"),
        ("wishart(1, 4)", "N"),
        ("wishart(1, 2) * 3", "above 2"),
        ("wishart(-1, 4) * 2", "positive mean"),
        ("wishart(1) * 2", "2 numbers"),
    ],
)
def test_what_cannot_be_is_refused(text, words):
    with pytest.raises(sb.InputError, match=words):
        parameter("x", text)
    with pytest.raises(sb.InputError, match="without a unit"):
        parameter("x", "dirichlet(1, 2)", "m")
    with pytest.raises(sb.InputError, match="neither normal"):
        sb.sample(lambda x: x, {"x": "dirichlet(1, 1)"}, data=[0.1, 0.2], noise=0.1, proposal="pcn")
