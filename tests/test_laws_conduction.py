"""The pointwise law of conduction: tensors from values, rotation, flux, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.core.errors import InputError, PhaseError
from scalebridge.laws.conduction import conduction_flux, conductivity_tensor, rotate

SWAP = np.array([[0.0, -1.0], [1.0, 0.0]])


@pytest.mark.parametrize("dim", [2, 3])
def test_a_number_gives_an_isotropic_tensor(dim):
    for value in (7.7, 0.0, 3, np.float64(1e-12), np.array(2.5)):
        np.testing.assert_array_equal(conductivity_tensor(value, dim), float(value) * np.eye(dim))


def test_principal_values_and_matrices_are_kept():
    np.testing.assert_array_equal(conductivity_tensor([1, 0, 3], 3), np.diag([1.0, 0.0, 3.0]))
    matrix = np.array([[2.0, 0.5], [0.5, 1.0]])
    np.testing.assert_array_equal(conductivity_tensor(matrix, 2), matrix)
    np.testing.assert_array_equal(conductivity_tensor(matrix.tolist(), 2), matrix)


def test_asymmetry_of_rounding_is_averaged_away_and_more_is_refused():
    matrix = np.array([[2.0, 0.5 + 1e-13], [0.5, 1.0]])
    tensor = conductivity_tensor(matrix, 2)
    assert tensor[0, 1] == tensor[1, 0]
    with pytest.raises(PhaseError, match="symmetric"):
        conductivity_tensor(matrix + np.array([[0, 1e-11], [0, 0]]), 2)


@pytest.mark.parametrize("values", [[1.0, 2.0, 0.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]])
def test_rotated_singular_tensors_are_accepted(values):
    rng = np.random.default_rng(3)
    for _ in range(20):
        turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        turned = conductivity_tensor(rotate(np.diag(values), turn), 3)
        # eigvalsh and the product round a dozen times each
        np.testing.assert_allclose(np.linalg.eigvalsh(turned), sorted(values), atol=1e-14)


def test_rotation_keeps_the_flux_of_turned_gradients():
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    tensor, gradient = conductivity_tensor([1.0, 2.0, 30.0], 3), rng.standard_normal(3)
    turned = conduction_flux(rotate(tensor, turn), turn @ gradient)
    np.testing.assert_allclose(turned, turn @ conduction_flux(tensor, gradient), rtol=1e-13)
    wrong_way = conduction_flux(rotate(tensor, turn.T), turn @ gradient)
    assert not np.allclose(wrong_way, turned, rtol=0.01)


def test_flux_of_a_field_has_components_first():
    rng = np.random.default_rng(5)
    tensors, gradient = rng.standard_normal((3, 3, 4, 5, 6)), rng.standard_normal((3, 4, 5, 6))
    flux = conduction_flux(tensors, gradient)
    assert flux.shape == (3, 4, 5, 6)
    at = (slice(None), 1, 2, 3)
    np.testing.assert_allclose(flux[at], tensors[:, :, 1, 2, 3] @ gradient[at], rtol=1e-13)


def test_the_law_is_differentiable_and_compiles():
    def heat(value):
        tensor = rotate(conductivity_tensor(value, 2), SWAP)
        return conduction_flux(tensor, jnp.array([0.0, 1.0]))[1]

    assert jax.jit(jax.grad(heat))(3.0) == 1.0
    assert jax.jit(jax.grad(heat))(jnp.array([3.0, 4.0])).tolist() == [1.0, 0.0]
    assert jax.grad(heat)(jnp.array([[3.0, 1.0], [1.0, 4.0]])).tolist() == [[1.0, 0.0], [0.0, 0.0]]


REFUSED = [
    ("negative", -0.6, 3, "non-negative"),
    ("negative principal value", [1.0, 2.0, -3.0], 3, "non-negative"),
    ("nan", float("nan"), 3, "finite"),
    ("infinity", [1.0, np.inf], 2, "finite"),
    ("nan in matrix", [[1.0, np.nan], [np.nan, 1.0]], 2, "finite"),
    ("not symmetric", [[1.0, 0.2], [0.1, 1.0]], 2, "symmetric"),
    ("indefinite", [[1.0, 2.0], [2.0, 1.0]], 2, "no negative eigenvalue"),
    ("text", "0.6 W/m/K", 3, "real numbers"),
    ("complex", 1.0 + 2.0j, 3, "real numbers"),
    ("truth value", True, 3, "real numbers"),
    ("nothing", None, 3, "real numbers"),
    ("uneven rows", [[1.0, 0.0], [1.0]], 2, "real numbers"),
    ("two values in 3-D", [1.0, 2.0], 3, "3 principal values"),
    ("3 x 3 in 2-D", np.eye(3), 2, "2 x 2 matrix"),
    ("Voigt vector", np.ones(6), 3, "3 principal values"),
]


@pytest.mark.parametrize(("value", "dim", "wanted"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_impossible_conductivities_are_refused_by_phase(value, dim, wanted):
    with pytest.raises(PhaseError) as caught:
        conductivity_tensor(value, dim, argument="phase 3")
    assert caught.value.argument == "phase 3"
    assert wanted in caught.value.wanted
    assert caught.value.cure


@pytest.mark.parametrize("dim", [0, 1, 4])
def test_other_dimensions_are_refused(dim):
    with pytest.raises(InputError, match="dim"):
        conductivity_tensor(1.0, dim)


@pytest.mark.parametrize(
    "rotation", [2.0 * np.eye(2), np.eye(3), np.ones((2, 2)), np.full((2, 2), np.nan), np.ones(2)]
)
def test_what_is_not_a_rotation_is_refused(rotation):
    with pytest.raises(InputError) as caught:
        rotate(np.eye(2), rotation)
    assert caught.value.argument == "rotation"
