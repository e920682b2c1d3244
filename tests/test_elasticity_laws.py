"""Hooke's law at a point: stiffnesses from constants, notations, rotations, reductions to the plane."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import InputError, PhaseError
from scalebridge.laws.elastic_constants import CONSTANTS, FULL, check_constants, kind_of, stiffness_from
from scalebridge.laws.elasticity import (
    cubic_stiffness,
    isotropic_moduli,
    isotropic_stiffness,
    mandel_from_voigt,
    orthotropic_stiffness,
    plane_strain,
    plane_strain_expansion,
    plane_stress,
    rotate_stiffness,
    rotate_strain,
    transversely_isotropic_stiffness,
    voigt_from_mandel,
)
from scalebridge.laws.material_orientation import (
    orientation_along,
    orientations_from_euler,
    orientations_from_quaternions,
)
from scalebridge.upscaling.rotations import mandel_basis
from scalebridge.upscaling.symmetry import anisotropy

ROUNDING = 1e-12  # some dozen operations on numbers of like size
NAMES = ("young", "poisson", "bulk", "shear", "lame")
PLY = (138e9, 9e9, 0.3, 0.4, 6e9)


def all_isotropic(young, poisson):
    """The five constants by their definitions, written out anew."""
    shear = young / (2 + 2 * poisson)
    lame = 2 * shear * poisson / (1 - 2 * poisson)
    return {"young": young, "poisson": poisson, "bulk": lame + 2 * shear / 3, "shear": shear, "lame": lame}


angles = st.floats(-10, 10)
turns = st.tuples(angles, angles, angles).map(orientations_from_euler)
youngs = st.floats(1e-3, 1e3)


@given(
    youngs,
    st.floats(-0.9, 0.49).filter(lambda v: abs(v) > 0.01),
    st.sampled_from(list(itertools.combinations(NAMES, 2))),
)
def test_every_pair_of_isotropic_constants_gives_the_same_moduli(young, poisson, pair):
    known = all_isotropic(young, poisson)
    bulk, shear = isotropic_moduli(**{name: known[name] for name in pair})
    # poisson near 0.5 or 0 costs up to three digits in some pairs
    np.testing.assert_allclose([bulk, shear], [known["bulk"], known["shear"]], rtol=1e-9)


def test_isotropic_stiffness_gives_the_strain_of_a_pulled_bar():
    stiffness = isotropic_stiffness(*isotropic_moduli(young=200.0, poisson=0.3))
    strain = np.linalg.solve(stiffness, np.array([100.0, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(strain, [0.5, -0.15, -0.15, 0, 0, 0], atol=1e-15)


def test_a_mandel_stiffness_is_the_fourth_order_tensor_in_an_orthonormal_basis():
    basis, rng = mandel_basis(3), np.random.default_rng(0)
    stiffness = np.asarray(orthotropic_stiffness([9.0, 5.0, 3.0], [0.3, 0.2, 0.25], [2.0, 1.5, 1.0]))
    tensor = np.einsum("ab,aij,bkl->ijkl", stiffness, basis, basis)
    strain = rng.standard_normal((3, 3))
    strain = strain + strain.T
    stress = np.einsum("ijkl,kl->ij", tensor, strain)
    np.testing.assert_allclose(stress[0, 1], 2 * 2.0 * strain[0, 1], rtol=ROUNDING)  # sigma_12 = 2 G12 e_12
    np.testing.assert_allclose(stress[0, 2], 2 * 1.5 * strain[0, 2], rtol=ROUNDING)
    np.testing.assert_allclose(stress[1, 2], 2 * 1.0 * strain[1, 2], rtol=ROUNDING)
    assert not np.isclose(stress[0, 1], 2 * 1.0 * strain[0, 1])


def test_orthotropic_stiffness_is_the_inverse_of_the_compliance():
    (e1, e2, e3), (v12, v13, v23) = (140e9, 10e9, 8e9), (0.3, 0.28, 0.4)
    compliance = np.zeros((6, 6))
    compliance[:3, :3] = [
        [1 / e1, -v12 / e1, -v13 / e1],
        [-v12 / e1, 1 / e2, -v23 / e2],
        [-v13 / e1, -v23 / e2, 1 / e3],
    ]
    compliance[range(3, 6), range(3, 6)] = 1 / (2 * np.array([3e9, 4e9, 5e9]))
    found = orthotropic_stiffness([e1, e2, e3], [v12, v13, v23], [5e9, 4e9, 3e9])
    np.testing.assert_allclose(found @ compliance, np.eye(6), atol=1e-13)


def test_transverse_isotropy_is_kept_by_every_turn_about_axis_one():
    stiffness = transversely_isotropic_stiffness(*PLY)
    for angle in (0.3, 1.0, 2.5):
        turn = orientations_from_quaternions([np.cos(angle / 2), np.sin(angle / 2), 0, 0])
        np.testing.assert_allclose(rotate_stiffness(stiffness, turn), stiffness, atol=ROUNDING * 138e9)
    about_z = orientations_from_euler([0.3, 0, 0])
    assert not np.allclose(rotate_stiffness(stiffness, about_z), stiffness, rtol=0.01)
    found = anisotropy(np.asarray(stiffness), order=4)
    assert found.symmetry(1e-9) == "transversely isotropic"
    np.testing.assert_allclose(np.abs(found.fits["transversely isotropic"].axis), [1, 0, 0], atol=1e-6)


@given(turns)
def test_rotation_keeps_eigenvalues_and_the_isotropic_part(turn):
    stiffness = np.asarray(orthotropic_stiffness([9.0, 5.0, 3.0], [0.3, 0.2, 0.25], [2.0, 1.5, 1.0]))
    turned = np.asarray(rotate_stiffness(stiffness, turn))
    np.testing.assert_allclose(np.linalg.eigvalsh(turned), np.linalg.eigvalsh(stiffness), rtol=ROUNDING)
    np.testing.assert_allclose(turned[:3, :3].sum(), stiffness[:3, :3].sum(), rtol=ROUNDING)  # 9 K
    np.testing.assert_allclose(rotate_stiffness(turned, turn.T), stiffness, atol=ROUNDING * 10)


@given(turns, st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_energy_is_the_same_in_all_axes(turn, strain):
    stiffness, strain = np.asarray(cubic_stiffness(168.4, 121.4, 75.4)), np.array(strain)
    turned_strain = np.asarray(rotate_strain(strain, turn))
    turned = np.asarray(rotate_stiffness(stiffness, turn))
    np.testing.assert_allclose(
        turned_strain @ turned @ turned_strain, strain @ stiffness @ strain, atol=1e-10
    )


@given(turns)
def test_a_strain_turns_as_the_tensor_does(turn):
    rng = np.random.default_rng(1)
    own = rng.standard_normal((3, 3))
    own = own + own.T
    basis = mandel_basis(3)
    vector = np.einsum("aij,ij->a", basis, own)
    # rows of the turn are the material's axes: v_sample = R' v_material
    np.testing.assert_allclose(
        np.einsum("a,aij->ij", rotate_strain(vector, turn), basis), turn.T @ own @ turn, atol=1e-13
    )


def test_copper_along_known_directions():
    # 1/E_uvw = S11 - 2 (S11 - S12 - S44/2)(u2v2 + ...): Nye 1957, ch. VIII, written out
    c11, c12, c44 = 168.4, 121.4, 75.4
    s11 = (c11 + c12) / ((c11 - c12) * (c11 + 2 * c12))
    s12, s44 = -c12 / ((c11 - c12) * (c11 + 2 * c12)), 1 / c44
    for direction, mixed in (((1, 0, 0), 0.0), ((1, 1, 0), 0.25), ((1, 1, 1), 1 / 3)):
        turned = rotate_stiffness(cubic_stiffness(c11, c12, c44), orientation_along(direction).T)
        young = 1 / np.linalg.inv(turned)[0, 0]
        np.testing.assert_allclose(young, 1 / (s11 - 2 * (s11 - s12 - s44 / 2) * mixed), rtol=ROUNDING)


@given(angles, st.floats(0, 3.1), angles)
def test_euler_angles_and_quaternions_say_the_same(first, tilt, second):
    def turn(angle, axis):
        return np.array([np.cos(angle / 2), *(np.sin(angle / 2) * np.eye(3)[axis])])

    def product(p, q):
        return np.array(
            [p[0] * q[0] - p[1:] @ q[1:], *(p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:]))]
        )

    # turns about moving axes are multiplied in the order in which they are done
    quaternion = product(product(turn(first, 2), turn(tilt, 0)), turn(second, 2))
    np.testing.assert_allclose(
        orientations_from_quaternions(quaternion), orientations_from_euler([first, tilt, second]), atol=1e-12
    )


def test_stacks_of_orientations_are_those_one_by_one():
    rng = np.random.default_rng(2)
    euler = rng.uniform(-3, 3, (4, 5, 3))
    found = orientations_from_euler(euler)
    assert found.shape == (4, 5, 3, 3)
    np.testing.assert_array_equal(found[2, 3], orientations_from_euler(euler[2, 3]))
    np.testing.assert_allclose(
        found @ np.swapaxes(found, -1, -2), np.broadcast_to(np.eye(3), found.shape), atol=1e-14
    )
    stiffness = transversely_isotropic_stiffness(*PLY)
    many = rotate_stiffness(stiffness, found)
    np.testing.assert_allclose(many[1, 4], rotate_stiffness(stiffness, found[1, 4]), rtol=1e-14)


def test_voigt_and_mandel_are_each_others_inverse():
    rng = np.random.default_rng(3)
    for size in (3, 6):
        matrix = rng.standard_normal((size, size))
        np.testing.assert_allclose(voigt_from_mandel(mandel_from_voigt(matrix)), matrix, rtol=1e-15)
    with pytest.raises(InputError, match=r"\(6, 6\)"):
        mandel_from_voigt(np.eye(4))


def test_voigt_stiffness_gives_stress_from_engineering_strain():
    stiffness = np.asarray(isotropic_stiffness(4.0, 3.0))
    voigt = np.asarray(voigt_from_mandel(stiffness))
    strain = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])  # tensor components
    root = np.array([1, 1, 1, 2, 2, 2]) ** 0.5
    np.testing.assert_allclose(voigt @ (strain * root**2), (stiffness @ (strain * root)) / root, rtol=1e-14)
    assert voigt[5, 5] == pytest.approx(3.0)


def test_plane_stress_is_the_inverse_of_the_planes_compliance():
    stiffness = np.asarray(
        rotate_stiffness(transversely_isotropic_stiffness(*PLY), orientations_from_euler([0.4, 0, 0]))
    )
    plane = [0, 1, 5]
    compliance = np.linalg.inv(stiffness)[np.ix_(plane, plane)]
    np.testing.assert_allclose(plane_stress(stiffness) @ compliance, np.eye(3), atol=1e-12)
    assert np.all(np.linalg.eigvalsh(plane_strain(stiffness) - plane_stress(stiffness)) > -1e-3)


def test_plane_strain_expansion_of_an_isotropic_material():
    young, poisson = 70.0, 0.33
    stiffness = isotropic_stiffness(*isotropic_moduli(young=young, poisson=poisson))
    found = plane_strain_expansion(stiffness, 23e-6 * np.array([1.0, 1, 1, 0, 0, 0]))
    np.testing.assert_allclose(found, [23e-6 * 1.33, 23e-6 * 1.33, 0], atol=1e-18)


def test_derivatives_of_every_kind_agree_with_differences():
    cases = {
        "isotropic": (("young", "poisson"), [70.0, 0.33]),
        "cubic": (CONSTANTS["cubic"], [168.4, 121.4, 75.4]),
        "transversely isotropic": (CONSTANTS["transversely isotropic"], [138.0, 9.0, 0.3, 0.4, 6.0]),
        "orthotropic": (CONSTANTS["orthotropic"], [140.0, 10.0, 8.0, 0.3, 0.28, 0.4, 5.0, 4.0, 3.0]),
        "full": (FULL, list(np.asarray(cubic_stiffness(168.4, 121.4, 75.4))[np.triu_indices(6)])),
    }
    for kind, (names, numbers) in cases.items():
        law = jax.jit(lambda v, k=kind, n=names: stiffness_from(k, n, v))
        slopes = jax.jit(jax.jacfwd(law))(jnp.array(numbers))
        assert slopes.shape == (6, 6, len(names))
        for row, number in enumerate(numbers):
            step = 1e-5 * max(abs(number), 1e-2)  # the difference errs by its square, and by rounding over it
            up, down = (law(jnp.array(numbers).at[row].add(sign * step)) for sign in (1, -1))
            np.testing.assert_allclose(slopes[..., row], (up - down) / (2 * step), rtol=1e-6, atol=1e-6)


IMPOSSIBLE = [
    ("isotropic", {"young": 1.0, "poisson": 0.5}, "incompressible"),
    ("isotropic", {"young": 1.0, "poisson": 0.6}, "poisson < 0.5"),
    ("isotropic", {"young": 1.0, "poisson": -1.0}, "-1 < poisson"),
    ("isotropic", {"young": -1.0, "poisson": 0.3}, "positive young"),
    ("isotropic", {"young": 3.0, "shear": 1.0}, "3 shear"),
    ("isotropic", {"young": 9.1, "bulk": 1.0}, "9 bulk"),
    ("isotropic", {"bulk": 1.0, "lame": 1.0}, "bulk > lame"),
    ("isotropic", {"poisson": 0.0, "lame": 1.0}, "one sign"),
    ("isotropic", {"bulk": 1.0, "shear": float("nan")}, "finite"),
    ("cubic", {"c11": 1.0, "c12": 1.0, "c44": 1.0}, "c12 < c11"),
    ("cubic", {"c11": 1.0, "c12": -0.5, "c44": 1.0}, "-c11 / 2"),
    ("cubic", {"c11": 1.0, "c12": 0.5, "c44": 0.0}, "positive c44"),
    (
        "transversely isotropic",
        dict(zip(CONSTANTS["transversely isotropic"], (9, 138, 0.3, 0.4, 6), strict=True)),
        "poisson12",
    ),
    (
        "transversely isotropic",
        dict(zip(CONSTANTS["transversely isotropic"], (10, 10, 0.6, 0.4, 6), strict=True)),
        "determinant",
    ),
    (
        "transversely isotropic",
        dict(zip(CONSTANTS["transversely isotropic"], (10, 10, 0.3, 1.0, 6), strict=True)),
        "poisson23",
    ),
    (
        "orthotropic",
        dict(zip(CONSTANTS["orthotropic"], (1, 1, 1, 0.6, 0.6, 0.6, 1, 1, 1), strict=True)),
        "determinant",
    ),
    (
        "orthotropic",
        dict(zip(CONSTANTS["orthotropic"], (1, 4, 1, 0.6, 0.1, 0.1, 1, 1, 1), strict=True)),
        "nu_ji was meant",
    ),
    (
        "orthotropic",
        dict(zip(CONSTANTS["orthotropic"], (1, 1, 1, 0.1, 0.1, 0.1, 1, -1, 1), strict=True)),
        "shear13",
    ),
    (
        "full",
        dict(zip(FULL, np.diag([1.0, 1, 1, 1, 1, -1])[np.triu_indices(6)], strict=True)),
        "positive definite",
    ),
]


@pytest.mark.parametrize(("kind", "known", "said"), IMPOSSIBLE)
def test_constants_that_no_material_has_are_refused(kind, known, said):
    with pytest.raises(PhaseError, match=said.replace("^", r"\^")):
        check_constants(kind, tuple(known), np.array(list(known.values()), dtype=float), "phase 1")


@given(st.tuples(youngs, youngs, youngs), st.tuples(*[st.floats(-1.2, 1.2)] * 3))
def test_the_orthotropic_conditions_are_those_of_a_positive_definite_compliance(young, poisson):
    compliance = np.diag(1 / np.array(young))
    for (i, j), nu in zip(((0, 1), (0, 2), (1, 2)), poisson, strict=True):
        compliance[i, j] = compliance[j, i] = -nu / young[i]
    scaled = compliance * np.sqrt(np.outer(young, young))
    lowest = np.linalg.eigvalsh(scaled)[0]
    if abs(lowest) < 1e-9:  # on the border rounding decides
        return
    values = np.array([*young, *poisson, 1.0, 1.0, 1.0])
    try:
        check_constants("orthotropic", CONSTANTS["orthotropic"], values, "phase 1")
        accepted = True
    except PhaseError:
        accepted = False
    assert accepted == (lowest > 0)


def test_incomplete_sets_are_refused_with_what_lacks():
    with pytest.raises(PhaseError, match="cubic lacks c44"):
        kind_of({"c11", "c12"}, "phase 1")
    with pytest.raises(PhaseError, match="none"):
        kind_of((), "phase 1")
    with pytest.raises(PhaseError, match="young, poisson"):
        kind_of({"young", "poisson", "bulk"}, "phase 1")
