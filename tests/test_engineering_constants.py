"""Engineering constants: exact values, published crystals, frames, derivatives, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.core.errors import InputError
from scalebridge.laws.engineering_constants import (
    average_moduli,
    engineering_constants,
    linear_compressibility,
    young_extremes,
    young_modulus,
    young_slope,
)
from scalebridge.upscaling.rotations import mandel_rotation, rotate_tensor, spread_rotations
from scalebridge.upscaling.symmetry import anisotropy

TURN = spread_rotations(7, 3)[3]


def cubic(c11, c12, c44):
    matrix = np.diag([c11 - c12] * 3 + [2 * c44] * 3)
    matrix[:3, :3] += c12
    return matrix


def orthotropic(e, nu, g):
    """E1, E2, E3; nu12, nu13, nu23; G23, G13, G12."""
    compliance = np.diag([1 / e[0], 1 / e[1], 1 / e[2], *(1 / (2 * x) for x in g)])
    for ratio, (i, j) in zip(nu, [(0, 1), (0, 2), (1, 2)], strict=True):
        compliance[i, j] = compliance[j, i] = -ratio / e[i]
    return np.linalg.inv(compliance)


# E, nu and G of a unidirectional carbon-epoxy ply as textbooks give it; axis 1 along the fibres.
PLY = orthotropic((140.0, 10.0, 9.0), (0.3, 0.28, 0.45), (3.5, 4.5, 5.0))


def test_orthotropic_constants_come_back_from_any_frame():
    turned = rotate_tensor(PLY, TURN, 4)
    found = engineering_constants(turned, tolerance=1e-6)  # within one percent it is near another
    assert found.symmetry == "orthotropic"
    assert found.distance < 1e-9  # the search for axes stops at rounding
    expected = {"E1": 140, "E2": 10, "E3": 9, "nu12": 0.3, "nu13": 0.28, "nu23": 0.45, "G23": 3.5, "G13": 4.5}
    assert {name: found.values[name] for name in expected} == pytest.approx(expected, rel=1e-7)
    assert found.values["nu21"] == pytest.approx(0.3 * 10 / 140, rel=1e-7)  # symmetry of the compliance
    assert np.abs(found.axes @ TURN)[0] == pytest.approx([1, 0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("c11", "c12", "c44", "along_100", "along_111"),
    # Copper and aluminium: Hertzberg, Deformation and fracture mechanics of engineering materials, chapter 1.
    [(168.4, 121.4, 75.4, 66.7, 191.1), (108.2, 61.3, 28.5, 63.7, 76.1)],
)
def test_crystals_have_their_published_extremes(c11, c12, c44, along_100, along_111):
    (low, low_axis), (high, high_axis) = young_extremes(cubic(c11, c12, c44))
    assert low == pytest.approx(along_100, rel=3e-3)  # published to three digits
    assert high == pytest.approx(along_111, rel=3e-3)
    assert np.sort(np.abs(low_axis)) == pytest.approx([0, 0, 1], abs=1e-6)
    assert np.abs(high_axis) == pytest.approx([3**-0.5] * 3, abs=1e-6)


def test_cubic_constants_match_their_formulas():
    found = engineering_constants(rotate_tensor(cubic(168.4, 121.4, 75.4), TURN, 4))
    assert found.symmetry == "cubic"
    expected = {
        "E": (168.4 - 121.4) * (168.4 + 2 * 121.4) / (168.4 + 121.4),
        "nu": 121.4 / (168.4 + 121.4),
        "G": 75.4,
        "K": (168.4 + 2 * 121.4) / 3,
    }
    assert found.values == pytest.approx(expected, rel=1e-8)


def test_transverse_isotropy_puts_its_axis_last():
    fibre = orthotropic((5.0, 5.0, 80.0), (0.4, 0.3 * 5 / 80, 0.3 * 5 / 80), (2.0, 2.0, 5 / 2.8))
    found = engineering_constants(rotate_tensor(fibre, TURN, 4))
    assert found.symmetry == "transversely isotropic"
    expected = {"E1": 5, "E3": 80, "nu12": 0.4, "nu31": 0.3, "nu13": 0.3 * 5 / 80, "G13": 2, "G12": 5 / 2.8}
    assert {name: found.values[name] for name in expected} == pytest.approx(expected, rel=1e-7)


def test_plane_constants():
    compliance = np.array([[1 / 20, -0.2 / 20, 0], [-0.2 / 20, 1 / 8, 0], [0, 0, 1 / 6]])
    found = engineering_constants(np.linalg.inv(compliance))
    assert found.symmetry == "orthotropic"
    assert found.values == pytest.approx(
        {"E1": 20, "E2": 8, "nu12": 0.2, "nu21": 0.2 * 8 / 20, "G12": 3, "K": 1 / compliance[:2, :2].sum()}
    )
    (low, _), (high, axis) = young_extremes(np.linalg.inv(compliance))
    assert high == pytest.approx(20)
    assert np.abs(axis) == pytest.approx([1, 0], abs=1e-6)
    assert low <= 8 + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 49))
def test_directional_modulus_turns_with_the_tensor(seed, number):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(6, 6))
    stiffness = root @ root.T + np.eye(6)
    turn = spread_rotations(50, 3)[number]
    along = generator.normal(size=(5, 3))
    turned = rotate_tensor(stiffness, turn, 4)
    assert young_modulus(turned, along @ turn.T) == pytest.approx(young_modulus(stiffness, along), rel=1e-9)
    assert linear_compressibility(turned, along @ turn.T) == pytest.approx(
        linear_compressibility(stiffness, along), rel=1e-7, abs=1e-9
    )


@pytest.mark.parametrize("seed", range(5))
def test_extremes_bound_every_direction(seed):
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(6, 6))
    stiffness = root @ root.T + 0.5 * np.eye(6)
    (low, _), (high, _) = young_extremes(stiffness)
    everywhere = young_modulus(stiffness, generator.normal(size=(20_000, 3)))
    assert low <= everywhere.min() * (1 + 1e-12)
    assert high >= everywhere.max() * (1 - 1e-12)
    assert everywhere.max() > 0.97 * high  # and are reached: 20 000 directions lie within two degrees


def test_compressibilities_add_up_to_the_inverse_bulk_modulus():
    stiffness = rotate_tensor(PLY, TURN, 4)
    total = linear_compressibility(stiffness, np.eye(3)).sum()
    bulk = engineering_constants(stiffness, "orthotropic").values["K"]  # its own, not one within a percent
    assert total == pytest.approx(1 / bulk, rel=1e-9)


def test_young_slope_is_the_derivative():
    generator = np.random.default_rng(4)
    change = generator.normal(size=(6, 6))
    change = (change + change.T) * 1e-5
    along = [0.3, -0.5, 0.8]
    exact = np.sum(young_slope(PLY, along) * change)
    central = (young_modulus(PLY + change, along) - young_modulus(PLY - change, along)) / 2
    assert exact == pytest.approx(float(central), rel=1e-6)  # truncation of second order in 1e-5


@pytest.mark.parametrize("symmetry", ["isotropic", "cubic", "transversely isotropic", "orthotropic"])
def test_slopes_are_derivatives_at_fixed_axes(symmetry):
    base = {
        "isotropic": cubic(3.0, 1.0, 1.0),
        "cubic": cubic(168.4, 121.4, 75.4),
        "transversely isotropic": orthotropic((5, 5, 80), (0.4, 0.02, 0.02), (2, 2, 5 / 2.8)),
        "orthotropic": PLY,
    }[symmetry]
    found = engineering_constants(base, symmetry)
    # Along the symmetry's own axes a change with this symmetry leaves the axes where they are.
    own = rotate_tensor(base, found.axes, 4)
    change = rotate_tensor(1e-6 * (own @ own) / np.trace(own), found.axes.T, 4)
    more, less = (engineering_constants(base + sign * change, symmetry).values for sign in (1, -1))
    for name, slope in found.slopes.items():
        central = (more[name] - less[name]) / 2
        assert np.sum(slope * change) == pytest.approx(central, rel=1e-5, abs=1e-12 * abs(found.values[name]))


def test_spreads_are_limits():
    found = engineering_constants(cubic(3.0, 1.0, 1.0), "isotropic")
    assert found.spreads(np.zeros((6, 6)))["E"] == 0
    # All entries known to 1 percent of themselves, moving together: E moves by 1 percent, the ratio not more.
    spread = found.spreads(0.01 * np.abs(cubic(3.0, 1.0, 1.0)))
    assert spread["E"] >= 0.01 * found.values["E"] * (1 - 1e-12)


def test_average_moduli_of_copper():
    # Hill (1952): Voigt's shear modulus (c11 - c12 + 3 c44)/5, Reuss's 5/(4/(c11 - c12) + 3/c44).
    found = average_moduli(cubic(168.4, 121.4, 75.4))
    assert found["shear"][0] == pytest.approx((47.0 + 3 * 75.4) / 5)
    assert found["shear"][1] == pytest.approx(5 / (4 / 47.0 + 3 / 75.4))
    assert found["bulk"] == pytest.approx([(168.4 + 2 * 121.4) / 3] * 3)


def test_known_fits_are_used():
    fits = anisotropy(PLY, order=4)
    assert engineering_constants(PLY, fits=fits).values == engineering_constants(PLY).values
    assert mandel_rotation(fits.fits["orthotropic"].axes).shape == (6, 6)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: engineering_constants(np.eye(5)), "stiffness"),
        (lambda: engineering_constants(np.full((6, 6), np.nan)), "stiffness"),
        (lambda: engineering_constants(np.triu(np.ones((6, 6)))), "stiffness"),
        (lambda: engineering_constants(-np.eye(6)), "stiffness"),
        (lambda: engineering_constants(np.eye(6), "trigonal"), "symmetry"),
        (lambda: engineering_constants(np.eye(3), "cubic"), "symmetry"),
        (lambda: young_modulus(np.eye(6), [0, 0, 0]), "directions"),
        (lambda: young_modulus(np.eye(6), 3.0), "directions"),
        (lambda: young_modulus(np.diag([1.0, 1, 1, 1, 1, 0]), [1, 0, 0]), "stiffness"),
        (lambda: average_moduli(np.eye(3)), "stiffness"),
    ],
)
def test_refusals_have_four_parts(call, argument):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.argument == argument
    assert caught.value.got
    assert caught.value.wanted
    assert caught.value.cure
