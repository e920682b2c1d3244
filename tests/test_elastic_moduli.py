"""Checks of an elastic answer's moduli: Hashin-Shtrikman, Hill's equal shear moduli, and what falls apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalebridge as sb
from scalebridge.cells.elastic_moduli import check_moduli, mean_moduli
from scalebridge.laws.elasticity import isotropic_stiffness

SOFT, HARD = {"young": 3.0, "poisson": 0.3}, {"young": 30.0, "poisson": 0.2}


def solve(image, phases, **options):
    return sb.effective_stiffness(image, phases, progress=False, **options)


def check_of(result, name):
    return next(check for check in result.checks if name in check.name)


@settings(max_examples=6)
@given(st.integers(0, 10_000), st.floats(0.2, 0.8))
def test_any_structure_keeps_to_the_bounds_of_isotropic_phases(seed, share):
    # Also those that are far from isotropic: a handful of voxels has a direction of its own.
    labels = (np.random.default_rng(seed).random((6, 6, 6)) < share).astype(np.uint8)
    labels[0, 0, 0], labels[-1, -1, -1] = 0, 1
    found = solve(labels, {0: SOFT, 1: HARD}, budget="none", rtol=1e-8)
    # One voxel is its own grain, and elements are too stiff: the upper bound may be passed, the lower never.
    for name, modulus in mean_moduli(found.value).items():
        assert modulus >= found.bounds[f"Hashin-Shtrikman, {name} modulus"].lower * (1 - 1e-10)


def test_layers_attain_the_bound_of_the_bulk_modulus_of_no_other():
    # Equal shear moduli: all four bounds of the bulk modulus coincide, and layers are solved exactly.
    labels = np.array([0, 0, 1, 1], np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    found = solve(labels, {0: {"bulk": 1.0, "shear": 1.0}, 1: {"bulk": 9.0, "shear": 1.0}}, budget="none")
    bound = found.bounds["Hashin-Shtrikman, bulk modulus"]
    np.testing.assert_allclose([bound.lower, bound.upper], mean_moduli(found.value)["bulk"], rtol=1e-12)


def test_a_stiffness_outside_fails_the_check():
    found = solve(np.array([[0, 0], [1, 1]]), {0: SOFT, 1: HARD}, budget="none")
    outside = isotropic_stiffness(5.0, 5.0) * 10
    assert [check.passed for check in check_moduli(np.asarray(outside), found.bounds)] == [False, False]


def test_anisotropic_phases_have_no_such_bounds():
    copper = {"c11": 168.4, "c12": 121.4, "c44": 75.4}
    found = solve(np.array([[0, 0], [1, 1]]), {0: copper, 1: HARD}, budget="none")
    assert not any("Hashin" in name for name in found.bounds)
    assert not any("Hashin" in check.name for check in found.checks)


@pytest.mark.parametrize("scheme", ["hexahedra", "b-bar", "reduced"])
def test_hills_relation_is_checked_within_the_error_of_the_voxels(scheme):
    image = sb.random_spheres(16, volume_fraction=0.3, count=5, seed=1)
    phases = {0: {"bulk": 1.0, "shear": 1.0}, 1: {"bulk": 20.0, "shear": 1.0}}
    found = check_of(solve(image, phases, scheme=scheme), "Hill")
    assert found.passed
    assert found.value > 1e-6  # no mesh keeps it to rounding
    blind = solve(image, phases, scheme=scheme, budget="none")
    assert not any("Hill's" in check.name for check in blind.checks)


def test_other_shear_moduli_have_no_such_relation():
    image = sb.random_spheres(8, volume_fraction=0.3, count=2, seed=1)
    assert not any("Hill's" in check.name for check in solve(image, {0: SOFT, 1: HARD}).checks)


def test_plates_apart_fall_apart_and_say_so():
    plates = np.zeros((8, 4, 4), np.uint8)
    plates[2:4] = 1
    found = solve(plates, {0: SOFT, 1: "void"}, budget="none")
    told = check_of(found, "percolation")
    assert (told.value, told.passed) == (3.0, False)  # stretched twice and sheared within the plane
    frame = np.zeros((8, 8, 8), np.uint8)
    frame[2:6, 2:6, 2:6] = 1
    assert check_of(solve(frame, {0: SOFT, 1: "void"}, budget="none"), "percolation").passed
