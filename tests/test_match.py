"""Match: the coarse model's parameters from the fine model's answers, with posterior and derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.core.errors import InputError
from scalebridge.core.estimate import Gaussian
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.testing import check_match
from scalebridge.upscaling.match import match_answers

RATE = Spec("rate", "1/s", support="positive")
SHARE = Spec("share", support="interval", limits=(0.0, 1.0))
SLOPE, OFFSET = Spec("slope"), Spec("offset")
TIMES = jnp.linspace(0.2, 3.0, 6)


def decay(rate, share):
    return share * jnp.exp(-rate * TIMES) + (1.0 - share) * jnp.exp(-3.0 * rate * TIMES)


def line(slope, offset):
    return slope * TIMES + offset


@pytest.mark.parametrize(
    ("coarse", "specs", "values", "start"),
    [
        (decay, (RATE, SHARE), (0.7, 0.3), (1.5, 0.6)),
        (line, (SLOPE, OFFSET), (2.0, -1.0), (0.0, 0.0)),
        (
            lambda k: jnp.trace(k) * jnp.ones(1),
            (Spec("k", shape=(1, 1), support="spd"),),
            ([[2.0]],),
            ([[1.0]],),
        ),
        (
            lambda f: f @ jnp.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]),
            (Spec("fractions", shape=(3,), support="simplex"),),
            ([0.2, 0.3, 0.5],),
            ([0.3, 0.3, 0.4],),
        ),
    ],
    ids=["decay", "line", "tensor", "fractions"],
)
def test_matches_keep_the_contract(coarse, specs, values, start):
    check_match(coarse, specs, values, start)


def test_a_wrong_derivative_fails_the_contract():
    @jax.custom_jvp
    def crooked(rate, share):
        return decay(rate, share)

    @crooked.defjvp
    def _(primals, tangents):
        value, slope = jax.jvp(decay, primals, tangents)
        return value, 1.2 * slope

    with pytest.raises(AssertionError):
        check_match(crooked, (RATE, SHARE), (0.7, 0.3), (1.0, 0.5))


def test_a_straight_line_has_the_textbook_posterior():
    # Weighted least squares of a straight line: mean (A' N^-1 A)^-1 A' N^-1 y, covariance (A' N^-1 A)^-1.
    rng = np.random.default_rng(3)
    std = np.linspace(0.05, 0.2, TIMES.size)
    seen = np.asarray(line(2.0, -1.0)) + std * rng.standard_normal(TIMES.size)
    found = match_answers(line, seen, (SLOPE, OFFSET), (0.0, 0.0), noise=std)
    design = np.stack([np.asarray(TIMES), np.ones(TIMES.size)], axis=1)
    covariance = np.linalg.inv(design.T @ np.diag(std**-2) @ design)
    mean = covariance @ design.T @ (seen / std**2)
    np.testing.assert_allclose(found.values, mean, rtol=1e-9)
    assert found.estimate is not None
    np.testing.assert_allclose(found.estimate.covariance, covariance, rtol=1e-9)
    # A line is linear in its parameters: they are linear in the answers, with the same matrix.
    np.testing.assert_allclose(found.derivatives, covariance @ design.T @ np.diag(std**-2), rtol=1e-8)
    assert found.passed


def test_a_prior_is_weighed_against_the_noise():
    # One number seen with variance 4, known before with variance 1: the conjugate posterior of a normal mean.
    prior = Gaussian((OFFSET,), jnp.asarray([1.0]), jnp.asarray([[1.0]]))
    found = match_answers(lambda x: x * jnp.ones(1), [6.0], (OFFSET,), (0.0,), noise=[2.0], prior=prior)
    assert found.values[0] == pytest.approx(2.0, rel=1e-12)
    assert found.estimate is not None
    assert float(found.estimate.std[0]) == pytest.approx(0.8**0.5, rel=1e-12)
    assert found.derivatives[0] == pytest.approx([0.2], rel=1e-9)


def test_a_prior_makes_up_for_missing_answers():
    prior = Gaussian((SLOPE, OFFSET), jnp.asarray([1.0, 0.0]), jnp.eye(2))
    found = match_answers(
        lambda slope, offset: jnp.atleast_1d(slope + offset),
        [3.0],
        (SLOPE, OFFSET),
        (0.0, 0.0),
        noise=[1e-6],
        prior=prior,
    )
    np.testing.assert_allclose(found.values, [2.0, 1.0], rtol=1e-9)  # the two share the surprise


def test_derivatives_hold_where_the_answers_cannot_agree():
    # Both residuals stay, so that the curvature of the model counts: exp(k) to 1 and to 2.
    def coarse(k):
        return jnp.exp(k) * jnp.ones(2)

    fine, step = np.array([1.0, 2.0]), 1e-5
    found = match_answers(coarse, fine, (SLOPE,), (0.0,))
    assert found.values[0] == pytest.approx(np.log(1.5), rel=1e-9)
    for row in range(2):
        moved = fine.copy()
        moved[row] += step
        shifted = match_answers(coarse, moved, (SLOPE,), (0.0,))
        slope = float(shifted.values[0] - found.values[0]) / step
        assert found.derivatives[0][row] == pytest.approx(slope, rel=1e-4)  # of the finite step
    assert not found.passed
    assert [check.name for check in found.checks if not check.passed] == ["answers agree"]


def test_disagreement_beyond_noise_is_seen_and_within_it_is_not():
    fine = [1.0, 1.2]
    wide = match_answers(lambda k: k * jnp.ones(2), fine, (RATE,), (1.0,), noise=[0.1, 0.1])
    tight = match_answers(lambda k: k * jnp.ones(2), fine, (RATE,), (1.0,), noise=[0.01, 0.01])
    assert wide.passed
    assert not tight.passed
    # chi of one degree of freedom: difference over the root of the sum of variances.
    assert wide.misfit == pytest.approx(0.2 / (0.1 * 2**0.5), rel=1e-9)


def test_what_the_answers_do_not_tell_is_said():
    found = match_answers(
        lambda a, b: (a + b) * jnp.arange(1.0, 4.0), [1.0, 2.0, 3.0], (SLOPE, OFFSET), (0.1, 0.2)
    )
    failed = [check.name for check in found.checks if not check.passed]
    assert failed == ["answers determine the parameters"]


def test_running_out_of_steps_is_an_outcome():
    found = match_answers(decay, np.asarray(decay(0.7, 0.3)), (RATE, SHARE), (20.0, 0.99), max_steps=2)
    assert found.outcome is Outcome.step_limit
    assert not found.passed


ONE = (lambda k: k * jnp.ones(2), [1.0, 1.0], (RATE,), (1.0,))


@pytest.mark.parametrize(
    ("changed", "argument"),
    [
        ({"fine": []}, "fine"),
        ({"fine": [1.0, np.nan]}, "fine"),
        ({"fine": "fast"}, "fine"),
        ({"fine": [[1.0, 2.0]]}, "fine"),
        ({"fine": [1.0, 1.0, 1.0]}, "coarse"),
        ({"start": ()}, "start"),
        ({"start": (-1.0,)}, "start"),
        ({"start": (0.0,)}, "start"),
        ({"specs": ()}, "start"),
        ({"specs": (RATE, SLOPE, OFFSET), "start": (1.0, 1.0, 1.0)}, "fine"),
        ({"noise": [0.1]}, "noise"),
        ({"noise": [0.1, 0.0]}, "noise"),
        ({"noise": [[1.0, 2.0], [2.0, 1.0]]}, "noise"),
        ({"noise": [[1.0, 0.5], [0.0, 1.0]]}, "noise"),
        ({"coarse": lambda k: jnp.nan * k * jnp.ones(2)}, "coarse"),
        ({"prior": Gaussian((RATE,), jnp.zeros(1), jnp.eye(1))}, "noise"),
        ({"prior": Gaussian((SLOPE,), jnp.zeros(1), jnp.eye(1)), "noise": [0.1, 0.1]}, "prior"),
    ],
)
def test_bad_input_is_refused(changed, argument):
    given = dict(zip(("coarse", "fine", "specs", "start"), ONE, strict=True)) | changed
    with pytest.raises(InputError) as refused:
        match_answers(**given)
    assert refused.value.argument == argument
    assert refused.value.wanted
    assert refused.value.cure
