"""Every implementor of an abstraction passes its contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from scalebridge.cells.conductivity_job import SCHEMES, Job, Settings
from scalebridge.cells.conductivity_models import traced_model
from scalebridge.cells.phases import parse_phases
from scalebridge.core.estimate import Gaussian, Samples
from scalebridge.core.spec import Spec
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.lift import AffineLift
from scalebridge.grids.transfers import BlockAverage
from scalebridge.testing import (
    check_discretisation,
    check_estimate,
    check_linear_model,
    check_spec,
    check_transfer,
)

POSITIVE = Spec("conductivity", "W/m/K", support="positive")
SPECS = [
    (POSITIVE, 2.0),
    (Spec("vector", shape=(3,)), np.arange(3.0)),
    (Spec("share", support="interval", limits=(0.0, 1.0)), 0.3),
    (Spec("fractions", shape=(3,), support="simplex"), [0.2, 0.3, 0.5]),
    (Spec("tensor", shape=(3, 3), support="spd"), 2 * np.eye(3) + 0.3),
    (Spec("symmetric", shape=(3, 3), symmetric=True), 0.3 - 2 * np.eye(3)),
]


@pytest.mark.parametrize(("spec", "value"), SPECS, ids=lambda s: getattr(s, "name", ""))
def test_specs(spec, value):
    check_spec(spec, jnp.asarray(value))


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_discretisations(scheme, dim):
    check_discretisation(SCHEMES[scheme], dim)


@pytest.mark.parametrize(
    "transfer",
    [
        AffineLift((4, 5, 6), 3),
        AffineLift((4, 5), 2),
        BlockAverage((4, 6), (2, 3)),
        BlockAverage((4, 6, 2), (2, 3, 1)),
    ],
)
def test_transfers(transfer):
    check_transfer(transfer)


def test_estimates():
    gaussian = Gaussian.from_std((POSITIVE, POSITIVE), (7.7, 0.6), (0.3, 0.01))
    check_estimate(gaussian, jax.random.key(0))
    drawn = gaussian.sample(jax.random.key(1), 1000)[:1]
    check_estimate(Samples.from_values((POSITIVE,), drawn), jax.random.key(2))


def small_job(dim, values, seed=3):
    labels = np.random.default_rng(seed).integers(0, len(values), (5, 4, 6)[:dim])
    image = VoxelImage(labels)
    phases, unit = parse_phases(values, image.phases, image.names, dim)
    return Job(image, phases, unit, Settings(rtol=1e-13, residual_rtol=1e-11))


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("scheme", list(SCHEMES))
def test_conduction_is_a_linear_model(scheme, dim):
    cell = traced_model(small_job(dim, {0: 1.0, 1: 20.0, 2: 3.0}), scheme)
    check_linear_model(cell, jnp.asarray([1.0, -0.5, 2.0][:dim]), rtol=1e-10)


def test_gaussian_condition_is_the_conjugate_posterior():
    # Two coordinates, one seen: the textbook posterior of a normal mean with known variances.
    specs = (Spec("a"), Spec("b"))
    prior = Gaussian(
        specs, jnp.asarray([1.0, 2.0]), jnp.linalg.cholesky(jnp.asarray([[4.0, 1.0], [1.0, 2.0]]))
    )
    seen = prior.condition(jnp.asarray([[1.0, 0.0]]), jnp.asarray([3.0]), jnp.asarray([[1.0]]))
    gain = jnp.asarray([4.0, 1.0]) / 5.0
    np.testing.assert_allclose(seen.mean, jnp.asarray([1.0, 2.0]) + gain * 2.0, rtol=1e-12)
    covariance = jnp.asarray([[4.0, 1.0], [1.0, 2.0]]) - jnp.outer(gain, gain) * 5.0
    np.testing.assert_allclose(seen.covariance, covariance, atol=1e-12)


def test_a_wrong_transfer_fails_its_contract():
    class Doubling(AffineLift):
        def restrict(self, fine):
            return 2.0 * super().restrict(fine)

    with pytest.raises(AssertionError):
        check_transfer(Doubling((3, 3), 2))


def test_a_wrong_discretisation_fails_its_contract():
    class Crooked(SCHEMES["hexahedra"]):
        def forces(self, coefficients, u, gradient):
            return 1.01 * super().forces(coefficients, u, gradient)

    with pytest.raises(AssertionError):
        check_discretisation(Crooked, 2)


def test_shapes_are_checked_while_tests_run():
    with pytest.raises(TypeCheckError):
        AffineLift((2, 2), 2).inner_coarse([1.0], [2.0])
