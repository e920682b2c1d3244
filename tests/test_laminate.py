"""Laminates: exact values, an independent solution, energy, derivatives, optimal nesting, refusals.

Tolerances: 1e-12 relative to the tensor's trace is asked of exact formulas; layers of contrast 1e3 lose about
three of sixteen digits in the independent linear solve.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from scalebridge.cells.laminate import laminate_conductivity, laminate_gradients, parallel, series
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.laws.conduction import rotate
from scalebridge.upscaling.bounds import bound_hashin_shtrikman, bound_reuss, bound_voigt

REFERENCE = json.loads((Path(__file__).parent / "reference" / "laminates_exact.json").read_text())
LAYERS = 4
conductivity = jax.jit(laminate_conductivity)
gradients = jax.jit(laminate_gradients)
slopes = jax.jit(jax.jacobian(laminate_conductivity, argnums=(0, 1, 2)))


def random_layers(seed, dim):
    """Anisotropic layers of contrast 1e3 with a random normal."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((LAYERS, dim, dim)) * 1e3 ** rng.uniform(-0.25, 0.25, (LAYERS, 1, 1))
    normal = rng.standard_normal(dim)
    tensors = roots @ np.swapaxes(roots, 1, 2) + 0.1 * np.eye(dim)
    return rng.dirichlet(np.ones(LAYERS)), tensors, normal / np.linalg.norm(normal)


def isotropic(values, dim):
    return np.asarray(values)[:, None, None] * np.eye(dim)


def solve_directly(fractions, tensors, normal):
    """Gradients and effective tensor from the jump conditions as one linear system per mean gradient.

    Unknown is the whole gradient of every layer: d components a layer. Equations: its tangential parts and
    its normal flux are the same in adjacent layers, its mean is given.
    """
    count, dim = tensors.shape[:2]
    tangents = np.linalg.svd(normal[None])[2][1:]
    system, right = np.zeros((count, dim, count, dim)), np.zeros((count, dim, dim))
    for i in range(count - 1):
        system[i, :-1, i], system[i, :-1, i + 1] = tangents, -tangents
        system[i, -1, i], system[i, -1, i + 1] = normal @ tensors[i], -normal @ tensors[i + 1]
    system[-1] = np.einsum("i,ab->aib", fractions, np.eye(dim))
    right[-1] = np.eye(dim)
    local = np.linalg.solve(system.reshape(count * dim, -1), right.reshape(count * dim, dim))
    local = local.reshape(count, dim, dim)
    return local, np.einsum("i,iab,ibc->ac", fractions, tensors, local)


def nested(core, matrix, fraction, axes):
    """Laminate of rank len(axes): the core is layered with the matrix along one axis after the other.

    The matrix is shared out equally between the steps (Francfort & Murat 1986; Milton 2002, ch. 9).
    """
    dim, given, content = len(axes), (1 - fraction) / len(axes), 1.0
    current = core * np.eye(dim)
    for axis in axes:
        coated = content - given
        parts = np.array([given, coated]) / content
        current = laminate_conductivity(parts, jnp.stack([matrix * jnp.eye(dim), current]), np.eye(dim)[axis])
        content = coated
    return current


@pytest.mark.parametrize("name", REFERENCE)
@pytest.mark.parametrize("dim", [2, 3])
def test_reference_laminates(name, dim):
    case = REFERENCE[name]
    fractions, values = np.array(case["fractions"]), np.array(case["k_phases"], dtype=float)
    got = laminate_conductivity(fractions, isotropic(values, dim), np.eye(dim)[0])
    expected = np.diag([case["k_normal"]] + [case["k_tangential"]] * (dim - 1))
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=0)
    np.testing.assert_allclose(series(fractions, values), case["k_normal"], rtol=1e-12)
    np.testing.assert_allclose(parallel(fractions, values), case["k_tangential"], rtol=1e-12)


@pytest.mark.parametrize("name", REFERENCE)
def test_series_and_parallel_swapped_do_not_pass(name):
    case = REFERENCE[name]
    fractions, values = np.array(case["fractions"]), np.array(case["k_phases"], dtype=float)
    assert abs(float(parallel(fractions, values)) - case["k_normal"]) > 0.1 * case["k_normal"]
    turned = laminate_conductivity(fractions, isotropic(values, 3), np.array([0.0, 1.0, 0.0]))
    assert not np.allclose(turned[0, 0], case["k_normal"], rtol=0.1)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_anisotropic_layers_agree_with_a_direct_solution(seed, dim):
    layers = random_layers(seed, dim)
    local, effective = solve_directly(*layers)
    got = conductivity(*layers)
    np.testing.assert_allclose(got, effective, rtol=0, atol=1e-12 * np.trace(effective))
    np.testing.assert_allclose(gradients(*layers), local, rtol=0, atol=1e-12 * np.abs(local).max())
    # Were the coupling of normal and tangential parts left out, the answer would be far off.
    normal = layers[2]
    uncoupled = np.asarray(bound_voigt(*layers[:2]))
    across = series(layers[0], np.einsum("a,iab,b->i", normal, layers[1], normal))
    uncoupled = uncoupled + (across - normal @ uncoupled @ normal) * np.outer(normal, normal)
    assert np.abs(uncoupled - effective).max() > 1e-3 * np.trace(effective)


@pytest.mark.parametrize("dim", [2, 3])
def test_local_fields_keep_mean_flux_and_energy(dim):
    fractions, tensors, normal = random_layers(20, dim)
    local, effective = (
        np.asarray(gradients(fractions, tensors, normal)),
        conductivity(fractions, tensors, normal),
    )
    flux = tensors @ local
    energy = np.einsum("i,iab,iac->bc", fractions, local, flux)
    across = normal @ flux
    np.testing.assert_allclose(np.tensordot(fractions, local, 1), np.eye(dim), atol=1e-13)
    np.testing.assert_allclose(np.tensordot(fractions, flux, 1), effective, atol=1e-13 * np.trace(effective))
    np.testing.assert_allclose(energy, effective, atol=1e-13 * np.trace(effective))  # Hill-Mandel
    np.testing.assert_allclose(
        across, np.broadcast_to(across[0], across.shape), atol=1e-12 * np.abs(across).max()
    )
    jumps = local - local[0]  # along the normal only
    np.testing.assert_allclose(
        jumps - normal[:, None] * (normal @ jumps)[:, None], 0, atol=1e-12 * np.abs(local).max()
    )


@pytest.mark.parametrize("dim", [2, 3])
def test_order_length_of_the_normal_and_axes_do_not_matter(dim):
    fractions, tensors, normal = random_layers(30, dim)
    expected = np.asarray(conductivity(fractions, tensors, normal))
    tolerance = 1e-13 * np.trace(expected)
    order = np.random.default_rng(0).permutation(LAYERS)
    np.testing.assert_allclose(
        conductivity(fractions[order], tensors[order], normal), expected, atol=tolerance
    )
    np.testing.assert_allclose(conductivity(fractions, tensors, -7.0 * normal), expected, atol=tolerance)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((dim, dim)))[0]
    turned = conductivity(fractions, np.stack([rotate(t, turn) for t in tensors]), turn @ normal)
    np.testing.assert_allclose(turned, rotate(expected, turn), atol=10 * tolerance)


def test_equal_layers_are_no_laminate():
    fractions, tensors, normal = random_layers(31, 3)
    same = np.broadcast_to(tensors[0], tensors.shape)
    np.testing.assert_allclose(
        conductivity(fractions, same, normal), tensors[0], atol=1e-13 * np.trace(tensors[0])
    )


@pytest.mark.parametrize("seed", range(3))
def test_laminates_lie_between_the_wiener_bounds(seed):
    fractions, tensors, normal = random_layers(40 + seed, 3)
    low, high = np.asarray(bound_reuss(fractions, tensors)), np.asarray(bound_voigt(fractions, tensors))
    got = np.asarray(conductivity(fractions, tensors, normal))
    for gap in (got - low, high - got):
        assert np.linalg.eigvalsh(gap).min() > -1e-12 * np.trace(high)


@pytest.mark.parametrize("contrast", [0.0, 1e-6, 0.1, 10.0, 1e6])
@pytest.mark.parametrize("dim", [2, 3])
def test_nested_laminates_attain_the_hashin_shtrikman_bounds(dim, contrast):
    fraction = 0.3
    attained = bound_hashin_shtrikman(np.array([1 - fraction, fraction]), np.array([1.0, contrast]), dim)[
        int(contrast < 1)
    ]
    got = nested(contrast, 1.0, fraction, range(dim))
    np.testing.assert_allclose(got, attained * np.eye(dim), rtol=1e-12, atol=1e-12 * float(attained))


def test_a_laminate_of_lower_rank_is_not_isotropic():
    got = np.diag(nested(10.0, 1.0, 0.3, [0, 1]))
    one_step = laminate_conductivity(np.array([0.7, 0.3]), isotropic([1.0, 10.0], 2), np.array([1.0, 0.0]))
    assert abs(got[0] - got[1]) < 1e-12
    assert one_step[1, 1] - one_step[0, 0] > 1.0


def test_an_insulating_layer_blocks_the_normal_direction_only():
    fractions, tensors = np.array([0.4, 0.4, 0.1, 0.1]), random_layers(50, 3)[1]
    tensors[1] = 0.0
    normal = np.array([0.6, 0.0, 0.8])
    got = np.asarray(laminate_conductivity(fractions, tensors, normal))
    np.testing.assert_allclose(got @ normal, 0, atol=1e-15 * np.trace(got))
    assert np.linalg.matrix_rank(got, tol=1e-12 * np.trace(got)) == 2
    lifted = tensors + 1e-9 * np.eye(3) * (np.arange(LAYERS) == 1)[:, None, None]
    np.testing.assert_allclose(
        got, solve_directly(fractions, lifted, normal)[1], atol=1e-8
    )  # lift over fraction
    plain = np.asarray(laminate_conductivity(fractions, isotropic([1.0, 0.0, 3.0, 7.0], 3), np.eye(3)[2]))
    assert not plain[2].any()  # exactly zero


def test_local_gradients_at_an_insulating_layer():
    local = laminate_gradients(np.array([0.75, 0.25]), isotropic([2.0, 0.0], 2), np.array([1.0, 0.0]))
    assert local[:, 0, 0].tolist() == [0.0, 4.0]
    assert local[:, 1, 1].tolist() == [1.0, 1.0]


@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_a_singular_layer_blocks_where_its_null_direction_is_the_normal(angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    tensors = np.stack([np.eye(2), rotate(np.diag([0.0, 5.0]), turn)])
    fractions = np.array([0.5, 0.5])
    blocked = np.asarray(laminate_conductivity(fractions, tensors, turn[:, 0]))
    np.testing.assert_allclose(rotate(blocked, turn.T), np.diag([0.0, 3.0]), atol=1e-14)
    # Across the other axis of the same layer nothing is blocked but the layer's own null direction.
    open_way = np.asarray(laminate_conductivity(fractions, tensors, turn[:, 1]))
    np.testing.assert_allclose(rotate(open_way, turn.T), np.diag([0.5, 5.0 / 3.0]), atol=1e-14)


def test_contrast_of_twelve_decades_keeps_its_digits():
    values = np.array([1e-6, 1.0, 1e6])
    fractions = np.array([0.2, 0.3, 0.5])
    got = laminate_conductivity(fractions, isotropic(values, 3), np.eye(3)[2])
    exact = [fractions @ values, fractions @ values, 1 / (fractions @ (1 / values))]
    np.testing.assert_allclose(np.diag(got), exact, rtol=1e-14)


@pytest.mark.parametrize("insulating", [False, True])
@pytest.mark.parametrize("dim", [2, 3])
def test_the_derivative_in_a_layer_is_the_product_of_its_gradients(dim, insulating):
    fractions, tensors, normal = random_layers(60, dim)
    if insulating:
        tensors[1] = 0.0
    local = np.asarray(gradients(fractions, tensors, normal))
    derivative = slopes(fractions, tensors, normal)[1]  # K_ab in layer i's entry cd
    energy = np.einsum("i,ica,idb->abicd", fractions, local, local)
    symmetric = 0.5 * (energy + np.swapaxes(energy, 0, 1))
    got = 0.5 * (derivative + np.swapaxes(derivative, 3, 4))  # layers change symmetrically
    expected = 0.5 * (symmetric + np.swapaxes(symmetric, 3, 4))
    np.testing.assert_allclose(
        got, expected, atol=1e-11 * np.abs(energy).max()
    )  # a sum of ten terms that cancel


@pytest.mark.parametrize("dim", [2, 3])
def test_derivatives_agree_with_central_differences(dim):
    fractions, tensors, normal = random_layers(70, dim)
    in_fractions, in_tensors, in_normal = slopes(fractions, tensors, normal)
    h, rng = 1e-5, np.random.default_rng(0)
    step = np.einsum("iab,icb->iac", tensors, tensors) / np.trace(tensors, axis1=1, axis2=2)[:, None, None]
    exchange = np.array([1.0, -1.0, 0.5, -0.5]) * fractions.min()
    turn = rng.standard_normal(dim)
    directions = [(exchange, 0, 0), (0, step, 0), (0, 0, turn)]
    derivatives = [in_fractions @ exchange, np.einsum("abicd,icd->ab", in_tensors, step), in_normal @ turn]
    for (df, dk, dn), derivative in zip(directions, derivatives, strict=True):
        ahead, behind = (conductivity(fractions + s * df, tensors + s * dk, normal + s * dn) for s in (h, -h))
        difference = np.asarray(ahead - behind) / (2 * h)
        np.testing.assert_allclose(derivative, difference, atol=1e-7 * np.abs(difference).max())


def test_derivative_in_the_one_insulating_value_is_one_sided():
    fractions, normal, h = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.6, 0.0, 0.8]), 1e-8
    at_zero, above = (isotropic([3.0, value, 1.0, 7.0], 3) for value in (0.0, h))
    tangent = np.einsum("abcc->ab", slopes(fractions, at_zero, normal)[1][:, :, 1])
    difference = (conductivity(fractions, above, normal) - conductivity(fractions, at_zero, normal)) / h
    np.testing.assert_allclose(tangent, difference, rtol=1e-6, atol=1e-6)  # first order in h


def test_many_laminates_are_mapped_over_in_one_call():
    many = [random_layers(seed, 3) for seed in range(5)]
    stacked = [np.stack(part) for part in zip(*many, strict=True)]
    mapped = jax.jit(jax.vmap(laminate_conductivity))(*stacked)
    np.testing.assert_allclose(mapped, np.stack([conductivity(*one) for one in many]), rtol=1e-12, atol=1e-14)


F, K, N = np.array([0.5, 0.5]), isotropic([1.0, 2.0], 2), np.array([1.0, 0.0])
ROWS = [
    ("sum", laminate_conductivity, (np.array([0.5, 0.4]), K, N), InputError, "fractions"),
    ("one tensor short", laminate_conductivity, (F, K[:1], N), PhaseError, "tensors"),
    ("scalars", laminate_conductivity, (F, np.array([1.0, 2.0]), N), PhaseError, "tensors"),
    ("negative layer", laminate_conductivity, (F, isotropic([1.0, -2.0], 2), N), PhaseError, "phase 1"),
    ("nan layer", laminate_gradients, (F, isotropic([np.nan, 2.0], 2), N), PhaseError, "phase 0"),
    ("not symmetric", laminate_gradients, (F, K + np.array([[0, 1], [0, 0]]), N), PhaseError, "phase 0"),
    ("zero normal", laminate_conductivity, (F, K, np.zeros(2)), InputError, "normal"),
    ("nan normal", laminate_conductivity, (F, K, np.array([1.0, np.nan])), InputError, "normal"),
    (
        "normal of another dimension",
        laminate_conductivity,
        (F, K, np.array([1.0, 0, 0])),
        InputError,
        "normal",
    ),
    ("text normal", laminate_conductivity, (F, K, np.array(["x", "y"])), InputError, "normal"),
    ("tensors in series", series, (F, K), PhaseError, "conductivities"),
    ("negative in parallel", parallel, (F, np.array([1.0, -1.0])), PhaseError, "phase 1"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "kind", "argument"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_bad_input_is_refused_by_name(function, arguments, kind, argument):
    with pytest.raises(kind) as caught:
        function(*arguments)
    assert caught.value.argument == argument
    assert caught.value.cure
