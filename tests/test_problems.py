"""The problems with exact answers: solved to tolerance, from the right side, at the order of theory."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from scalebridge.cells.problems import checkerboard_exponent, corner_exponent, exact_problems, examine
from scalebridge.core.errors import InputError

REFERENCE = Path(__file__).parent / "reference"
PROBLEMS = exact_problems()
SINGULAR = [p for p in PROBLEMS if p.order and p.voxels_exact]
SCHEMES = ("hexahedra", "finite-volume")


def identity(problem):
    return problem.name


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("problem", PROBLEMS, ids=identity)
def test_answer_is_within_its_tolerance_on_16_voxels(problem, scheme):
    found = examine(problem, scheme, 16)
    assert found.passed, f"error {found.error:.2e}, allowed {found.tolerance:.2e}"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("problem", SINGULAR, ids=identity)
def test_error_falls_at_the_order_of_the_corner(problem, scheme):
    coarse, fine = (abs(examine(problem, scheme, cells).error) for cells in (16, 32))
    # The next power of the voxel size still changes the order measured between 16 and 32 voxels by 0.05.
    assert math.log2(coarse / fine) == pytest.approx(problem.order, abs=0.06)


@pytest.mark.parametrize("problem", SINGULAR, ids=identity)
def test_the_schemes_bracket_the_exact_answer(problem):
    above, below = (examine(problem, scheme, 16).error for scheme in SCHEMES)
    assert below < 0 < above


@pytest.mark.parametrize(
    ("file", "kind", "fraction", "ratio", "name"),
    [
        (
            "arrays_of_cylinders_conductivity.csv",
            "square",
            "0.3",
            "10.0",
            "square array of cylinders 30 %, contrast 10",
        ),
        ("arrays_of_spheres_conductivity.csv", "SC", "0.3", "10.0", "simple cubic spheres 30 %, contrast 10"),
        ("arrays_of_spheres_conductivity.csv", "SC", "0.3", "0.0", "simple cubic spherical pores 30 %"),
    ],
)
def test_array_values_are_those_of_the_reference(file, kind, fraction, ratio, name):
    rows = list(csv.reader((REFERENCE / file).read_text().splitlines()))[1:]
    wanted = next(float(row[3]) for row in rows if row[:3] == [kind, fraction, ratio])
    problem = next(p for p in PROBLEMS if p.name == name)
    assert problem.exact[0][0] == wanted


def test_exact_values_obey_duality():
    # In 2-D k*(k1, k2) k*(k2, k1) = k1 k2 for exchanged phases (Keller 1964); the checkerboard is its own.
    for problem in PROBLEMS:
        if problem.name.startswith("checkerboard"):
            assert problem.exact[0][0] ** 2 == pytest.approx(problem.phases[0] * problem.phases[1], rel=1e-14)
        if problem.name.startswith("square inclusion"):
            ratio = problem.phases[1]
            inverse = math.sqrt((1 + 3 / ratio) / (3 + 1 / ratio))
            assert problem.exact[0][0] * inverse == pytest.approx(1.0, rel=1e-14)


def test_corner_exponents_solve_their_equation_and_have_the_known_limits():
    quarter = math.pi / 4
    for ratio in (0.1, 2.0, 10.0, 1e3):
        s = corner_exponent(ratio) / 2
        even, odd = (
            r * math.sin(s * quarter) * math.cos(s * 3 * quarter)
            + math.cos(s * quarter) * math.sin(s * 3 * quarter)
            for r in (ratio, 1 / ratio)
        )
        assert min(abs(even), abs(odd)) < 1e-12 * ratio
    assert corner_exponent(1.0) == checkerboard_exponent(1.0) == pytest.approx(2.0)  # no corner
    assert corner_exponent(1e12) == pytest.approx(4 / 3)  # a reentrant corner of 270 degrees, s = 2/3
    assert checkerboard_exponent(1e12) == pytest.approx(0.0, abs=1e-5)


def test_a_wrong_exact_value_or_side_fails():
    from dataclasses import replace

    board = next(p for p in PROBLEMS if p.name == "checkerboard, contrast 2")
    value = board.exact[0][0]
    far = replace(board, exact=((value * 1.1, 0.0), (0.0, value * 1.1)))
    assert not examine(far, "hexahedra", 16).passed
    # Within the tolerance, but hexahedra would have come from below.
    near = replace(board, exact=((value * 1.003, 0.0), (0.0, value * 1.003)))
    found = examine(near, "hexahedra", 16)
    assert abs(found.error) < found.tolerance
    assert not found.passed


def test_a_problem_is_built_on_any_number_of_voxels_and_only_by_known_schemes():
    for problem in PROBLEMS:
        image, phases = problem.build(16)
        assert image.shape == (16,) * problem.dim
        assert set(image.phases) == set(phases)
        assert np.shape(problem.exact) == (problem.dim, problem.dim)
    with pytest.raises(InputError, match="finite-volume"):
        examine(PROBLEMS[0], "both")
