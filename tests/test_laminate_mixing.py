import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.cells.laminate import laminate_conductivity
from scalebridge.core.errors import PhaseError
from scalebridge.grids.coefficients import as_tensors
from scalebridge.grids.composite_shapes import composite_from_shape
from scalebridge.laws.laminate_mixing import composite_table, laminate_tensors, mixing_limits, share_slopes


def random_voxels(count, phases, dim, seed=0):
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, dim))
    return rng.dirichlet(np.ones(phases), count), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def random_values(kind, phases, dim, seed=1):
    rng = np.random.default_rng(seed)
    if kind == "numbers":
        return rng.random(phases)
    if kind == "numbers with a zero":
        return np.array([0.0, *10 ** rng.uniform(-6, 6, phases - 1)])
    if kind == "diagonals":
        return rng.random((phases, dim))
    root = rng.normal(size=(phases, dim, dim))
    tensors = root @ root.swapaxes(1, 2)
    if kind == "singular tensors":
        direction = rng.normal(size=dim)
        tensors[0] = 0
        tensors[1] = np.outer(direction, direction)
    return tensors


KINDS = ["numbers", "numbers with a zero", "diagonals", "tensors", "singular tensors"]


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_every_voxel_is_the_laminate_of_its_own(kind, dim):
    shares, normals = random_voxels(5, 3, dim)
    values = random_values(kind, 3, dim)
    found = np.asarray(laminate_tensors(values, shares, normals))
    full = np.asarray(as_tensors(jnp.asarray(values), dim))
    for tensor, share, normal in zip(found, shares, normals, strict=True):
        exact = np.asarray(laminate_conductivity(share, full, normal))
        np.testing.assert_allclose(tensor, exact, atol=1e-13 * full.max())


def test_the_table_has_the_pure_phases_first():
    shares, normals = random_voxels(4, 2, 3)
    table = np.asarray(composite_table(np.array([2.0, 5.0]), shares, normals))
    assert table.shape == (6, 3, 3)
    np.testing.assert_array_equal(table[:2], np.eye(3) * np.array([2.0, 5.0])[:, None, None])
    np.testing.assert_array_equal(table[2:], laminate_tensors(np.array([2.0, 5.0]), shares, normals))


def test_slabs_change_nothing():
    shares, normals = random_voxels(70_000, 2, 2)
    values = np.array([1.0, 30.0])
    at_once = np.asarray(laminate_tensors(values, shares, normals))
    assert at_once.shape == (70_000, 2, 2)
    np.testing.assert_array_equal(
        at_once[65_000:], laminate_tensors(values, shares[65_000:], normals[65_000:])
    )
    assert laminate_tensors(values, shares[:0], normals[:0]).shape == (0, 2, 2)


# ---------------------------------------------------------------------------------------- derivatives


def central(function, at, step):
    return (function(at + step) - function(at - step)) / 2


@pytest.mark.parametrize("kind", ["numbers", "diagonals", "tensors"])
def test_derivatives_in_the_values(kind):
    shares, normals = random_voxels(4, 3, 3)
    values = random_values(kind, 3, 3)
    step = 1e-6 * random_values(kind, 3, 3, seed=5)
    rate = jax.jvp(lambda v: laminate_tensors(v, shares, normals), (values,), (step,))[1]
    slope = central(lambda v: laminate_tensors(v, shares, normals), values, step)
    np.testing.assert_allclose(rate, slope, atol=1e-8 * np.abs(slope).max())


@pytest.mark.parametrize("as_full", [False, True])
def test_an_exact_zero_has_the_derivative_of_its_limit(as_full):
    shares, normals = random_voxels(3, 2, 2)

    def tensors(zero):
        values = jnp.stack([zero, 2.0])
        return laminate_tensors(as_tensors(values, 2) if as_full else values, shares, normals)

    at_zero = np.asarray(jax.jacobian(tensors)(0.0))
    assert np.all(np.isfinite(at_zero))
    np.testing.assert_allclose(at_zero, jax.jacobian(tensors)(1e-9), rtol=1e-6)
    # d k_across / d k_0 = f r² with r = 1 / f, once the zero takes the whole gradient
    across = np.einsum("vi,vij,vj->v", normals, at_zero, normals)
    np.testing.assert_allclose(across, 1 / shares[:, 0], rtol=1e-12)


@pytest.mark.parametrize("kind", ["numbers", "tensors"])
def test_share_slopes(kind):
    shares, normals = random_voxels(4, 3, 3)
    values = random_values(kind, 3, 3)
    step = 1e-6 * np.array([-1.0, 0.0, 1.0])
    found = share_slopes(values, shares, normals, grows=2, shrinks=0)
    slope = central(lambda f: laminate_tensors(values, f, normals), shares, step) / 1e-6
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)


def test_the_slope_of_an_insulating_layer_is_finite():
    found = share_slopes(np.array([0.0, 3.0]), np.array([[0.2, 0.8]]), np.array([[1.0, 0.0]]), 1, 0)
    np.testing.assert_allclose(found[0], [[0, 0], [0, 3]], atol=1e-14)


# --------------------------------------------------------------------------------------------- limits


def disc(points):
    return (((points - 0.5) ** 2).sum(axis=1) < 0.1).astype(int)


def coated(points):
    distance = ((points - 0.5) ** 2).sum(axis=1)
    return (distance < 0.15).astype(int) + (distance < 0.06)


def layers(points):
    return (points @ np.array([1.0, 1.0]) % 1 < 0.4).astype(int)


def blobs(points):
    """Discs that overlap across the cell's corner: a network of the enclosed shape."""
    away = np.abs(points - 0.5)
    return ((away[:, 0] < 0.2) | (away[:, 1] < 0.2)).astype(int)


FREE, CARRIES, ENCLOSED = (0.0, np.inf), (1 / 3, np.inf), (0.0, 1.2)
LIMITS = [
    (disc, [1.0, 100.0], (0, 1), ENCLOSED),
    (disc, [1.0, 0.0], (1, 0), CARRIES),
    (disc, [1.0, 0.01], (1, 0), CARRIES),
    (disc, [1.0, 1.4], (0, 1), FREE),  # too alike to matter
    (disc, [5.0, 5.0], (0, 1), FREE),
    (layers, [1.0, 100.0], (0, 1), FREE),  # carries along, is enclosed across
    (blobs, [1.0, 100.0], (0, 1), CARRIES),
    (blobs, [1.0, 0.0], (1, 0), ENCLOSED),
    (coated, [3.0, 1.0, 100.0], (1, 2), ENCLOSED),  # a conducting core in its coat
    (coated, [0.5, 1.0, 0.0], (2, 1), CARRIES),  # the coat around an insulating core
    (coated, [3.0, 1.0, 100.0], (1, 0), FREE),  # a poor coat is crossed on the way to its good core
    (coated, [0.5, 1.0, 0.0], (0, 1), FREE),  # current flows along a good coat of a poor core
    (coated, [0.1, 1.0, 1.2], (0, 1), ENCLOSED),  # a coat and a core alike in being good: nothing is within
]


@pytest.mark.parametrize(("shape", "values", "pair", "wanted"), LIMITS)
def test_who_carries_and_who_is_enclosed(shape, values, pair, wanted):
    image = composite_from_shape(shape, 24, dim=2)
    limits = mixing_limits(image, values)
    assert tuple(limits[pair]) == wanted
    worse = np.array(values)[:, None] >= np.array(values)
    assert np.all(limits[worse] == FREE), "only pairs of a worse and a better conductor are limited"


def test_limits_of_a_sample_with_faces():
    image = composite_from_shape(disc, 24, dim=2, periodic=False)
    assert tuple(mixing_limits(image, [1.0, 100.0])[0, 1]) == ENCLOSED


@pytest.mark.parametrize("values", [[1.0, 100.0], [1.0, 0.0], [0.0, 1.0]])
def test_limited_laws_lie_between_the_means(values):
    image = composite_from_shape(disc, 16, dim=2)
    limits = mixing_limits(image, values)
    found = np.linalg.eigvalsh(laminate_tensors(np.array(values), image.parts, image.normals, limits))
    plain = np.linalg.eigvalsh(laminate_tensors(np.array(values), image.parts, image.normals))
    assert np.all(found[:, 0] >= plain[:, 0] - 1e-12)
    assert np.all(found[:, 1] <= plain[:, 1] + 1e-12)
    assert np.max(np.abs(found - plain)) > 0.1, "the limits do something here"


def test_limits_are_those_said():
    shares, normals = np.array([[0.4, 0.6]]), np.array([[1.0, 0.0]])
    limits = np.tile([0.0, np.inf], (2, 2, 1))
    limits[0, 1] = ENCLOSED
    values = np.array([1.0, 100.0])
    across = 1 / (0.4 + 0.006)
    found = laminate_tensors(values, shares, normals, limits)
    np.testing.assert_allclose(found[0], np.diag([across, 1.2 * across]), rtol=1e-13)
    limits[0, 1] = CARRIES
    found = laminate_tensors(values, shares, normals, limits)
    np.testing.assert_allclose(found[0], np.diag([60.4 / 3, 60.4]), rtol=1e-13)
    tensors = as_tensors(jnp.asarray(values), 2)
    free = laminate_tensors(tensors, shares, normals, limits)
    np.testing.assert_allclose(free[0], np.diag([across, 60.4]), rtol=1e-13)


def test_limits_are_found_while_differentiating_but_not_under_jit():
    image = composite_from_shape(disc, 8, dim=2)

    def total(values):
        limits = mixing_limits(image, values)
        return jnp.sum(laminate_tensors(values, image.parts, image.normals, limits))

    values = jnp.array([1.0, 100.0])
    limits = mixing_limits(image, values)
    held = jax.grad(lambda v: jnp.sum(laminate_tensors(v, image.parts, image.normals, limits)))(values)
    np.testing.assert_array_equal(jax.grad(total)(values), held)
    with pytest.raises(PhaseError, match="yet to fill in"):
        jax.jit(total)(values)


def test_derivatives_within_the_limits():
    image = composite_from_shape(disc, 8, dim=2)
    for values in (np.array([1.0, 100.0]), np.array([1.0, 0.02])):
        limits = mixing_limits(image, values)

        def tensors(v, limits=limits):
            return laminate_tensors(v, image.parts, image.normals, limits)

        step = 1e-6 * values
        rate = jax.jvp(tensors, (values,), (step,))[1]
        np.testing.assert_allclose(rate, central(tensors, values, step), atol=1e-9 * np.abs(rate).max())


# -------------------------------------------------------------------------------------------- refusals

SHARES, NORMALS = np.array([[0.4, 0.6]]), np.array([[1.0, 0.0]])
REFUSED = [
    (np.ones(3), SHARES, NORMALS),
    (np.ones((2, 3)), SHARES, NORMALS),
    (np.ones((2, 2, 3)), SHARES, NORMALS),
    (1.0, SHARES, NORMALS),
    (np.ones(2), SHARES[0], NORMALS),
    (np.ones(2), SHARES, NORMALS[0]),
    (np.ones(2), SHARES, np.ones((1, 4))),
    (np.ones(2), SHARES, np.ones((2, 2))),
]


@pytest.mark.parametrize("arrays", REFUSED)
def test_shapes_that_do_not_fit_are_refused(arrays):
    with pytest.raises(PhaseError, match="got shapes"):
        laminate_tensors(*arrays)


def test_limits_need_a_number_a_phase():
    image = composite_from_shape(disc, 8, dim=2)
    with pytest.raises(PhaseError):
        mixing_limits(image, [1.0])
    with pytest.raises(PhaseError):
        mixing_limits(image, np.ones((2, 2)))
    with pytest.raises(PhaseError, match="phases, phases, 2"):
        laminate_tensors(np.ones(2), SHARES, NORMALS, np.zeros((2, 2)))
