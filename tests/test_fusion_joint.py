"""The sparse and the iterative engine against the block engine and a batch Gaussian process."""

import numpy as np
import pytest

from fusion_samples import batch_answer, known_problem, small_sensors
from scalebridge.fusion.block_estimate import estimate_blocks
from scalebridge.fusion.fusion_model import FusionModel
from scalebridge.fusion.fusion_problem import gather
from scalebridge.fusion.joint_estimate import estimate_iterative, estimate_sparse

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


def test_a_batch_answer_of_independent_pixels():
    problem, values = known_problem(FusionModel(("random-walk",), "independent"))
    ours = estimate_sparse(problem, values, np.arange(6))
    log, mean, std = batch_answer(problem, values, (4, 4))
    assert ours.log_likelihood == pytest.approx(log, rel=1e-8)
    np.testing.assert_allclose(ours.mean - problem.centre, mean, atol=1e-8)
    np.testing.assert_allclose(ours.std, std, atol=1e-8)
