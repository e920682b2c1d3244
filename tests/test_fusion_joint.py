"""The sparse and the iterative engine against the block engine and a batch Gaussian process."""

import numpy as np
import pytest

from fusion_samples import batch_answer, known_problem, small_sensors
from scalebridge.fusion.block_estimate import estimate_blocks
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.joint_estimate import estimate_iterative, estimate_sparse
from scalebridge.fusion.simulation import draw_blocks, draw_joint

KINDS = {
    "random walk": (FusionModel(), {}),
    "two parts": (FusionModel(("ar1", "static"), {"ar1": "matern-3/2"}), {"offset": True}),
    "matern": (FusionModel(("matern-3/2",)), {"covariates": {"z": np.arange(6.0)}}),
    "classes": (FusionModel(("ar1",)), {"classes": np.arange(64).reshape(8, 8) % 3}),
}


@pytest.mark.parametrize("name", KINDS)
def test_sparse_equals_blocks(name):
    model, options = KINDS[name]
    problem, values = known_problem(model, **options)
    every = np.arange(6)
    ours, other = estimate_sparse(problem, values, every), estimate_blocks(problem, (4, 4), values, every)
    assert ours.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-8)
    np.testing.assert_allclose(ours.mean, other.mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, other.std, atol=1e-8)
    for sensor, residual in other.residuals.items():
        np.testing.assert_allclose(ours.residuals[sensor], residual, atol=1e-6)


def test_sixteen_pixels_square_on_ten_dates():
    problem, values = known_problem(FusionModel(), shape=(16, 16), dates=10, gaps=0.2)
    ours = estimate_sparse(problem, values, np.arange(10))
    other = estimate_blocks(problem, (4, 4), values, np.arange(10))
    assert ours.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-8)
    np.testing.assert_allclose(ours.mean, other.mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, other.std, atol=1e-8)


def test_iterative_equals_sparse_within_its_stated_error():
    model = FusionModel(("ar1",), "across")
    problem = gather(small_sensors(), model)
    values = {p.name: p.median for p in problem.parameters}
    exact = estimate_sparse(problem, values, np.arange(6))
    found = estimate_iterative(problem, values, np.arange(6), draws=60)
    np.testing.assert_allclose(found.mean, exact.mean, atol=1e-6)  # the residual is 1e-8, relative
    off = np.sqrt(np.mean((found.std / exact.std - 1) ** 2))
    assert 0 < found.errors < 0.1
    assert off < 1.5 * found.errors


@pytest.mark.parametrize("name", ["two parts", pytest.param("matern", marks=pytest.mark.slow)])
def test_draws_have_the_mean_and_the_covariance_of_the_posterior(name):
    model, options = KINDS[name]
    problem, values = known_problem(model, **options)
    exact, count = estimate_sparse(problem, values, np.arange(6)), 60
    found = {
        "blocks": draw_blocks(problem, (4, 4), values, count, 3),
        "sparse": draw_joint(problem, values, "sparse", count, 4),
    }
    for drawn in found.values():
        score = (drawn.mean(axis=0) - exact.mean) / (exact.std / np.sqrt(count))
        # 384 numbers of which some 40 are independent: a scatter of sqrt(2 / 40) about one
        assert np.mean(score**2) == pytest.approx(1.0, abs=0.6)
        assert np.mean(drawn.var(axis=0, ddof=1) / exact.std**2) == pytest.approx(1.0, abs=0.15)
    # the mean of a footprint, which knows the covariance: two deviations of sqrt(2 / count) each
    whole = [drawn[:, 3, :4, :4].mean(axis=(1, 2)).std() for drawn in found.values()]
    assert whole[0] == pytest.approx(whole[1], rel=0.35)
    np.testing.assert_array_equal(draw_blocks(problem, (4, 4), values, 2, 3), found["blocks"][:2])


def test_iterative_draws_are_those_of_the_sparse_factor():
    problem = gather(small_sensors(), FusionModel(("ar1",), "across"))
    values = {p.name: p.median for p in problem.parameters}
    ours, other = (draw_joint(problem, values, method, 2, 5) for method in ("iterative", "sparse"))
    np.testing.assert_allclose(ours, other, atol=1e-5)  # the residual is 1e-8, relative


def test_a_batch_answer_of_independent_pixels():
    problem, values = known_problem(FusionModel(("random-walk",), "independent"))
    ours = estimate_sparse(problem, values, np.arange(6))
    log, mean, std = batch_answer(problem, values, (4, 4))
    assert ours.log_likelihood == pytest.approx(log, rel=1e-8)
    np.testing.assert_allclose(ours.mean - problem.centre, mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, std, atol=1e-8)
