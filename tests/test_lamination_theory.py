"""Classical lamination theory: published stacks, exact symmetries, warming, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.cells.effective_laminate_stiffness import laminate_stiffness
from scalebridge.cells.lamination_theory import lamination_theory
from scalebridge.core.errors import InputError
from scalebridge.laws.elasticity import plane_stress

CARBON = {
    "young1": "181 GPa",
    "young2": "10.3 GPa",
    "poisson12": 0.28,
    "poisson23": 0.4,
    "shear12": "7.17 GPa",
    "expansion1": "0.02e-6 1/K",
    "expansion2": "22.5e-6 1/K",
}


def stack(*angles, thickness="0.125 mm"):
    return lamination_theory([(thickness, CARBON, f"{angle} deg") for angle in angles])


def test_published_stack():
    # A. K. Kaw, Mechanics of Composite Materials (2006), example 4.2; four digits are printed
    A = [[1.739e9, 3.884e8, 5.663e7], [3.884e8, 4.533e8, -1.141e8], [5.663e7, -1.141e8, 4.525e8]]
    B = [[-3.129e6, 9.855e5, -1.072e6], [9.855e5, 1.158e6, -1.072e6], [-1.072e6, -1.072e6, 9.855e5]]
    D = [[3.343e4, 6.461e3, -5.240e3], [6.461e3, 9.320e3, -5.596e3], [-5.240e3, -5.596e3, 7.663e3]]
    found = stack(0, 30, -45, thickness="5 mm")
    for mine, printed in zip(found.voigt(), (A, B, D), strict=True):
        np.testing.assert_allclose(mine, printed, rtol=6e-4)
    assert found.passed
    assert found.thickness == pytest.approx(0.015)


def test_a_warm_cross_ply_bends_both_ways():
    found = stack(0, 90, thickness="5 mm")
    strain, curvature = found.free_warming()
    assert strain[0] == pytest.approx(strain[1])
    assert curvature[0] == pytest.approx(-curvature[1])
    assert curvature[0] != 0


def test_symmetric_stacks_do_not_couple():
    found = stack(0, 45, -45, 90, 90, -45, 45, 0)
    assert np.max(np.abs(found.coupling)) < 1e-12 * np.max(np.abs(found.extension)) * found.thickness
    assert np.max(np.abs(found.free_warming()[1])) < 1e-12
    other = stack(0, 45, -45, 90)
    assert np.max(np.abs(other.coupling)) > 1e-3 * np.max(np.abs(other.extension)) * other.thickness


@pytest.mark.parametrize(
    "angles", [(0, 45, -45, 90, 90, -45, 45, 0), (0, 60, -60, -60, 60, 0), (0, 36, 72, 108, 144)]
)
def test_quasi_isotropic_stacks_are_isotropic_in_their_plane(angles):
    A = stack(*angles).extension
    np.testing.assert_allclose(A[2, :2], 0, atol=1e-12 * A[0, 0])
    assert A[0, 0] == pytest.approx(A[1, 1], rel=1e-12)
    assert A[2, 2] == pytest.approx(A[0, 0] - A[0, 1], rel=1e-12)  # isotropy in Mandel notation
    hot = stack(*angles).thermal_force
    np.testing.assert_allclose(hot, [hot[0], hot[0], 0], atol=1e-9 * abs(hot[0]))


def test_balanced_and_antisymmetric_stacks():
    balanced = stack(30, -30, 0, 30, -30)
    assert np.max(np.abs(balanced.extension[2, :2])) < 1e-12 * balanced.extension[0, 0]
    angle = stack(45, -45, 45, -45)
    scale = np.max(np.abs(angle.coupling))
    assert np.max(np.abs(angle.coupling[:2, :2])) < 1e-12 * scale * 1e3
    np.testing.assert_allclose(np.abs(angle.coupling[:2, 2]), scale, rtol=1e-9)
    cross = stack(0, 90)
    assert cross.coupling[0, 0] == pytest.approx(-cross.coupling[1, 1], rel=1e-12)


def test_an_isotropic_plate():
    young, poisson, h = 70e9, 0.33, 2e-3
    found = lamination_theory([(h / 4, {"young": young, "poisson": poisson})] * 4)
    rigidity = young * h**3 / (12 * (1 - poisson**2))
    np.testing.assert_allclose(
        found.bending,
        rigidity * np.array([[1, poisson, 0], [poisson, 1, 0], [0, 0, 1 - poisson]]),
        atol=1e-12 * rigidity,
    )
    np.testing.assert_allclose(
        found.transverse_shear, young / (2 * (1 + poisson)) * h * np.eye(2), rtol=1e-12, atol=1e-3
    )
    assert found.engineering_constants() == pytest.approx(
        {"young1": young, "young2": young, "shear12": young / 2.66, "poisson12": poisson}, rel=1e-12
    )
    strain, curvature = found.respond(moment=(1.0, 0.0, 0.0))
    assert curvature[0] == pytest.approx(12 / (young * h**3))
    assert abs(strain[0]) < 1e-20


def test_timoshenkos_bimetal():
    # S. Timoshenko (1925), J. Opt. Soc. Am. 11, 233: layers of one stiffness bend by 3 (a2 - a1) dT / (2 h)
    low, high = ({"young": 1e9, "poisson": 0.3, "expansion": alpha} for alpha in (10e-6, 20e-6))
    found = lamination_theory([("1 mm", low), ("1 mm", high)])
    strain, curvature = found.free_warming()
    np.testing.assert_allclose(curvature[:2], 1.5 * 10e-6 / 2e-3, rtol=1e-10)  # the longer layer is above
    np.testing.assert_allclose(strain[:2], 15e-6, rtol=1e-10)


@given(st.lists(st.floats(-90, 90), min_size=1, max_size=5), st.floats(-90, 90))
def test_turning_the_stack_keeps_energies(angles, turn):
    one, other = stack(*angles), stack(*(angle + turn for angle in angles))
    for part in ("extension", "bending"):
        np.testing.assert_allclose(
            np.linalg.eigvalsh(getattr(one, part)), np.linalg.eigvalsh(getattr(other, part)), rtol=1e-9
        )
    np.testing.assert_allclose(
        np.linalg.eigvalsh(one.coupling),
        np.linalg.eigvalsh(other.coupling),
        atol=1e-9 * np.abs(one.extension).max() * one.thickness,
    )
    assert one.passed


def test_a_thick_stack_of_many_plies_has_the_laminates_plane_stress_stiffness():
    repeated = [("0.125 mm", CARBON, angle) for angle in ("0 deg", "45 deg", "-45 deg", "90 deg")] * 8
    plate = lamination_theory(repeated)
    layers = [
        (1, {**CARBON, "orientation": {"euler": [angle, 0, 0], "unit": "deg"}}) for angle in (0, 45, -45, 90)
    ]
    solid = laminate_stiffness(layers).value
    np.testing.assert_allclose(
        plate.extension / plate.thickness, plane_stress(solid), atol=1e-10 * solid[0, 0]
    )


def test_derivatives_are_linear_in_the_plies_moduli():
    found = stack(0, 30, 90)
    total = np.zeros((6, 6))
    for name, slope in found.derivatives.items():
        constant = name.split(": ")[1]
        if constant in {"young1", "young2", "shear12"}:
            total += slope * {"young1": 181e9, "young2": 10.3e9, "shear12": 7.17e9}[constant]
    np.testing.assert_allclose(total, found.matrix, atol=1e-10 * np.abs(found.matrix).max())


def test_a_void_core_is_a_sandwich():
    face = {"young": 1e9, "poisson": 0.0}
    found = lamination_theory([("1 mm", face), ("8 mm", "void"), ("1 mm", face)])
    assert found.bending[0, 0] == pytest.approx(1e9 * ((0.01**3) - (0.008**3)) / 12, rel=1e-12)
    assert found.passed
    assert "plies" in str(found)
    assert found.to_dict()["notation"].startswith("Mandel")


REFUSED = [
    ([], "at least one ply"),
    ([("1 mm",)], "a thickness, a material"),
    ([("0 mm", CARBON)], "positive"),
    ([("1 K", CARBON)], "convertible to m"),
    ([("1 mm", CARBON, 45)], "angle with a unit"),
    ([("1 mm", CARBON, "45 m")], "rad"),
    ([("1 mm", {"young": 1.0})], "ply 0"),
    ([("1 mm", "void")], "nothing but voids"),
]


@pytest.mark.parametrize(("plies", "said"), REFUSED)
def test_bad_stacks_are_refused(plies, said):
    with pytest.raises(InputError, match=said) as refused:
        lamination_theory(plies)
    assert refused.value.cure
