"""The voxel solver against exact and published values: sides, orders of convergence, iterations.

Geometry that voxels represent exactly (squares): hexahedra come from above and finite volumes from below, and
the error falls as h^(2 s), where the potential behaves as r^s at the sharpest corner. Spheres and cylinders
have a staircase for a surface: an error of order h and of either sign, part of which is the wrong volume
fraction. That part is taken out by comparing with the array of the fraction that the voxels have.
"""

import csv
import functools
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq

from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.cells.laminate import laminate_conductivity
from scalebridge.grids.balls import cylinder_array, sphere_lattice, spheres_image
from scalebridge.grids.generators import checkerboard, laminate_image, square_inclusion
from scalebridge.upscaling.schemes import estimate_maxwell

REFERENCE = Path(__file__).parent / "reference"
TIGHT = {"rtol": 1e-12, "residual_rtol": 1e-8}  # in 2-D: only the voxels' error is left
BALANCED = {"rtol": 1e-6, "residual_rtol": 1e-6}  # in 3-D: far below the voxels' error
GRIDS = (16, 32, 64, 128)


def rows(name):
    with (REFERENCE / name).open(newline="") as file:
        return list(csv.DictReader(file))


def solve(image, values, **options):
    """Return the tensors from above and below, and the result."""
    settings = TIGHT if image.dim == 2 else BALANCED
    found = effective_conductivity(image, values, scheme="both", progress=False, **{**settings, **options})
    assert found.passed, str(found)
    bracket = found.bounds["discretisation"]
    return bracket.upper, bracket.lower, found


MAKERS = {
    "square": lambda n, share: square_inclusion(n, 0.5),
    "checkerboard": lambda n, share: checkerboard(n, dim=2),
    "square array": cylinder_array,
    "hexagonal array": lambda n, share: cylinder_array(n, share, "hexagonal", voxel=1.0),
    "sc": lambda n, share: sphere_lattice("sc", n, volume_fraction=share),
    "bcc": lambda n, share: sphere_lattice("bcc", n, volume_fraction=share),
    "fcc": lambda n, share: sphere_lattice("fcc", n, volume_fraction=share),
}


@functools.cache
def solved(kind, n, ratio, share=0.0):
    """Mean principal values from above and below, the fraction on voxels, and the steps of either scheme."""
    image = MAKERS[kind](n, share)
    upper, lower, found = solve(image, {0: 1.0, 1: ratio})
    np.testing.assert_allclose(upper, np.diag(np.diag(upper)), atol=1e-7 * upper.max())
    if kind != "hexagonal array":  # fourfold symmetry, which the voxels keep
        np.testing.assert_allclose(np.diag(upper), upper[0, 0], rtol=1e-6)
        np.testing.assert_allclose(np.diag(lower), lower[0, 0], rtol=1e-6)
    steps = [max(found.stats["schemes"][scheme]) for scheme in ("hexahedra", "finite-volume")]
    return np.trace(upper) / image.dim, np.trace(lower) / image.dim, image.fractions[1], steps


def orders(errors):
    return np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))


# -------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("ratio", [0.0, 1e-3, 10.0, 1e3])
def test_layers_in_2d_are_exact(axis, ratio):
    across, along = 1.0 / (0.25 + 0.75 / ratio) if ratio else 0.0, 0.25 + 0.75 * ratio
    exact = np.diag([along, along])
    exact[axis, axis] = across
    for found in solve_layers(laminate_image([0.25, 0.75], 16, axis=axis, dim=2), ratio):
        np.testing.assert_allclose(found, exact, atol=1e-12 * along)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layers_in_3d_are_exact(axis):
    exact = np.diag([0.25 + 7.5] * 3)
    exact[axis, axis] = 1.0 / (0.25 + 0.075)
    for found in solve_layers(laminate_image([0.25, 0.75], 16, axis=axis), 10.0):
        np.testing.assert_allclose(found, exact, atol=1e-12 * exact.max())


def solve_layers(image, ratio):
    # A direction across an insulating layer does not percolate, which is a failed check and an exact zero.
    settings = TIGHT if image.dim == 2 else BALANCED
    found = effective_conductivity(image, {0: 1.0, 1: ratio}, scheme="both", progress=False, **settings)
    return found.bounds["discretisation"].upper, found.bounds["discretisation"].lower


def test_layers_of_full_tensors_are_exact():
    tensors = np.array([[[2.0, 0.7], [0.7, 1.0]], [[30.0, -12.0], [-12.0, 6.0]]])
    for axis in (0, 1):
        image = laminate_image([0.25, 0.75], 16, axis=axis, dim=2)
        found = effective_conductivity(image, dict(enumerate(tensors)), progress=False, **TIGHT)
        exact = np.asarray(laminate_conductivity(np.array([0.25, 0.75]), tensors, np.eye(2)[axis]))
        np.testing.assert_allclose(found.value, exact, atol=1e-12 * exact.max())


# ----------------------------------------------------------------- squares: exact geometry, singular corners


def corner_exponent(ratio):
    """2 s at a 90 degree corner of conductivity `ratio` in a matrix of 1.

    About the corner's diagonal the potential is r^s cos(s t) inside and r^s cos(s (pi - t)) outside, or the
    same with sines. Value and flux agree at the sides, t = pi / 4. The smallest s of either mode counts.
    """
    inner, outer = math.pi / 4, 3 * math.pi / 4

    def even(s):
        return ratio * math.sin(s * inner) * math.cos(s * outer) + math.sin(s * outer) * math.cos(s * inner)

    def odd(s):
        return ratio * math.sin(s * outer) * math.cos(s * inner) + math.sin(s * inner) * math.cos(s * outer)

    singular = [mode for mode in (even, odd) if mode(0.5) * mode(1.0) < 0]
    return 2 * min(brentq(mode, 0.5, 1.0) for mode in singular)


def checkerboard_exponent(ratio):
    """2 s where four squares meet: s = (4 / pi) arctan(min(sqrt(c), 1 / sqrt(c)))."""
    return 8 / math.pi * math.atan(min(ratio, 1 / ratio) ** 0.5)


def exact_square(kind, ratio):
    case = {"square": "obnosov_square_inclusion", "checkerboard": "checkerboard_2phase"}[kind]
    return next(
        float(r["k_eff"])
        for r in rows("conduction_2d_exact.csv")
        if r["case"] == case and float(r["k2"]) == ratio
    )


# kind, conductivity of the inclusion, tolerance of the order (finite resolution adds terms of higher order)
SQUARES = [
    ("square", 0.0, 0.04),
    ("square", 1e-3, 0.04),
    ("square", 0.1, 0.04),
    ("square", 2.0, 0.15),  # the smooth part's h^2 is near
    ("square", 10.0, 0.04),
    ("square", 100.0, 0.04),
    ("square", 1000.0, 0.04),
    ("checkerboard", 0.1, 0.05),
    ("checkerboard", 2.0, 0.06),
    ("checkerboard", 10.0, 0.05),
]


@pytest.mark.parametrize(("kind", "ratio", "spread"), SQUARES)
def test_squares_converge_from_both_sides_at_the_order_of_their_corners(kind, ratio, spread):
    exact = exact_square(kind, ratio)
    found = np.array([solved(kind, n, ratio)[:2] for n in GRIDS])
    above, below = found[:, 0] / exact - 1, found[:, 1] / exact - 1
    assert np.all(above > 0)
    assert np.all(below < 0)
    wanted = corner_exponent(ratio) if kind == "square" else checkerboard_exponent(ratio)
    for errors in (above, below):
        np.testing.assert_allclose(orders(errors), wanted, atol=spread)
        # Richardson's extrapolation with that exponent takes nine tenths of the error away.
        gained = errors[-1] - (errors[-2] - errors[-1]) / (2**wanted - 1)
        assert abs(gained) < 0.1 * abs(errors[-1])


@pytest.mark.parametrize("ratio", [1e-3, 100.0, 1000.0, 1e4])
def test_checkerboards_of_high_contrast_are_bracketed(ratio):
    # The exponent is near 0 (0.25 at 100): no voxels resolve the corners, but each scheme keeps to its side.
    exact = exact_square("checkerboard", ratio)
    found = np.array([solved("checkerboard", n, ratio)[:2] for n in GRIDS[:2]])
    assert np.all(found[:, 0] > exact)
    assert np.all(found[:, 1] < exact)
    assert np.all(np.diff(found[:, 0]) < 0)
    assert np.all(np.diff(found[:, 1]) > 0)


def test_known_exponents():
    # A square hole or a perfectly conducting square: the 270 degree corner of Laplace's equation, s = 2/3.
    assert math.isclose(corner_exponent(0.0), 4 / 3, rel_tol=1e-6)
    assert math.isclose(corner_exponent(1e9), 4 / 3, rel_tol=1e-6)
    assert math.isclose(corner_exponent(10.0), corner_exponent(0.1), rel_tol=1e-9)
    assert checkerboard_exponent(1.0) == 2.0


@pytest.mark.parametrize("ratio", [1e-3, 100.0])
def test_steps_do_not_grow_with_the_grid(ratio):
    steps = np.array([solved("square", n, ratio)[3] for n in GRIDS])
    assert np.all(steps[:, 0] <= 12)  # the tensor to 1e-12, hexahedra
    assert np.all(steps[:, 1] <= 45)
    assert np.all(np.diff(steps[2:], axis=0) <= 8), "from 64 on they have settled"


# ------------------------------------------------------------------- cylinders and spheres: a staircase


@functools.cache
def array_table(name, array, ratio, dim):
    """Conductivity of an array as a function of the fraction, by a spline through the published values.

    Interpolated is f (k + d - 1) / (k - 1), which hardly changes with f (Rayleigh 1892); leaving one value
    out changes it by 3e-5 there.
    """
    column = {2: "area_fraction", 3: "volume_fraction"}[dim]
    ratios, values = {2: ("k_incl/k_matrix", "k_eff/k_matrix"), 3: ("k_sphere/k_matrix", "k_eff/k_matrix")}[
        dim
    ]
    table = [r for r in rows(name) if array in r.values() and float(r[ratios]) == ratio]
    share = np.array([0.0] + [float(r[column]) for r in table])
    k = np.array([float(r[values]) for r in table])
    level = np.concatenate([[(ratio + dim - 1) / (ratio - 1)], share[1:] * (k + dim - 1) / (k - 1)])
    spline = CubicSpline(share, level)

    def conductivity(fraction):
        pull = fraction / spline(fraction)
        return (1 + (dim - 1) * pull) / (1 - pull)

    for fraction, value in zip(share[1:], k, strict=True):
        assert math.isclose(conductivity(fraction), value, rel_tol=1e-12)
    return conductivity


def published(kind, ratio):
    if kind == "sc":
        return array_table("arrays_of_spheres_conductivity.csv", "SC", ratio, 3)
    return array_table("arrays_of_cylinders_conductivity.csv", kind.split()[0], ratio, 2)


def staircase_errors(kind, share, ratio, grids, exact):
    """Relative errors of both schemes against the array of the fraction that the voxels have."""
    found = [solved(kind, n, ratio, share) for n in grids]
    return np.array([[above / exact(f) - 1, below / exact(f) - 1] for above, below, f, _ in found])


# kind, fraction, ratio, and what the error times N does not exceed, hexahedra and finite volumes
ARRAYS = [
    ("square array", 0.3, 0.0, 0.50, 1.40),
    pytest.param("square array", 0.3, 0.1, 0.20, 0.80, marks=pytest.mark.slow),
    ("square array", 0.3, 10.0, 0.55, 0.15),
    pytest.param("square array", 0.6, 100.0, 2.30, 1.10, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("kind", "share", "ratio", "above", "below"), ARRAYS)
def test_cylinders_converge_at_first_order(kind, share, ratio, above, below):
    exact = published(kind, ratio)
    errors = staircase_errors(kind, share, ratio, GRIDS, exact)
    n = np.array(GRIDS)
    assert np.all(np.abs(errors[:, 0]) <= above / n)
    assert np.all(np.abs(errors[:, 1]) <= below / n)
    worse = int(below > above)
    assert 0.85 <= np.mean(orders(errors[:, worse])) <= 1.15
    # Richardson's extrapolation of first order, from the two finest grids.
    assert np.all(np.abs(2 * errors[-1] - errors[-2]) <= 0.1 * np.abs(errors[-2]) + 2e-3)


def test_cylinders_of_a_hexagonal_array():
    above, below = staircase_errors("hexagonal array", 0.3, 10.0, (32,), published("hexagonal array", 10.0))[
        0
    ]
    assert abs(above) <= 0.55 / 32
    assert abs(below) <= 0.15 / 32


def test_the_published_fraction_itself_is_met_at_first_order():
    # The same cylinders without any correction: scatter of the fraction included.
    exact = published("square array", 10.0)(0.3)
    assert math.isclose(exact, 1.652036011, rel_tol=1e-9)
    for n in GRIDS:
        above, below, _, _ = solved("square array", n, 10.0, 0.3)
        assert abs(above / exact - 1) <= 0.6 / n
        assert abs(below / exact - 1) <= 0.2 / n


@pytest.mark.parametrize(
    ("share", "ratio", "above", "below"),
    [
        pytest.param(0.3, 0.0, 0.2, 0.9, marks=pytest.mark.slow),
        (0.3, 10.0, 0.9, 0.1),
        pytest.param(0.3, 1000.0, 2.4, 0.6, marks=pytest.mark.slow),
    ],
)
def test_spheres_of_a_simple_cubic_lattice_converge_at_first_order(share, ratio, above, below):
    exact = published("sc", ratio)
    errors = staircase_errors("sc", share, ratio, (16, 32), exact)
    assert np.all(np.abs(errors[:, 0]) <= above / np.array([16, 32]))
    assert np.all(np.abs(errors[:, 1]) <= below / np.array([16, 32]))
    larger = errors[:, int(below > above)]
    assert 0.8 <= orders(larger)[0] <= 1.5


@pytest.mark.parametrize("kind", ["bcc", pytest.param("fcc", marks=pytest.mark.slow)])
def test_spheres_of_other_cubic_lattices_follow_maxwell(kind):
    # Rayleigh 1892: Maxwell's formula is the first term; the next is of relative order f^(10/3), 2e-4 here.
    def exact(fraction):
        return float(estimate_maxwell(np.array([1 - fraction, fraction]), np.array([1.0, 10.0]), 3))

    errors = staircase_errors(kind, 0.2, 10.0, (16, 32), exact)
    assert np.all(np.abs(errors[:, 0]) <= 1.2 / np.array([16, 32]))
    assert np.all(np.abs(errors[:, 1]) <= 0.3 / np.array([16, 32]))
    assert 0.6 <= orders(errors[:, 0])[0] <= 1.4


# ------------------------------------------------------------------------------------------ iterations


def test_spherical_pores_need_few_steps():
    found = effective_conductivity(
        sphere_lattice("sc", 32, radius=0.3), {0: 1.0, 1: 0.0}, scheme="both", progress=False, **BALANCED
    )
    assert found.passed
    assert max(found.stats["steps"]) <= 25


@pytest.mark.parametrize("ratio", [1e-6, pytest.param(1e6, marks=pytest.mark.slow)])
def test_a_contrast_of_a_million_converges(ratio):
    upper, lower, found = solve(sphere_lattice("sc", 32, volume_fraction=0.3), {0: 1.0, 1: ratio})
    assert max(found.stats["steps"]) <= 60
    limit = published("sc", {1e-6: 0.0, 1e6: 1000.0}[ratio])(0.3)
    assert lower[0, 0] < upper[0, 0]
    assert abs(upper[0, 0] / limit - 1) < 0.06


@pytest.mark.slow
def test_random_spheres_of_contrast_1000_need_no_more_than_75_steps():
    table = np.loadtxt(REFERENCE / "rve_spheres.csv", delimiter=",", skiprows=1)
    image = spheres_image(table[:, :3], table[:, 3], 64)
    found = effective_conductivity(image, {0: 1.0, 1: 1000.0}, progress=False, **BALANCED)
    assert found.passed
    assert max(found.stats["steps"]) <= 75  # until the relative residual is 1e-6
    first = [next(k for k, e in enumerate(case) if e <= 1e-6) for case in found.stats["errors"]]
    assert max(first) < max(found.stats["steps"]), "the tensor is there before the residual is"
