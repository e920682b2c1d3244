"""What benchmarks compare permeabilities with: the published cubes, and pairs of gas and liquid."""

import re

import numpy as np
import pytest
from benchmarks.collocated_flow import directional_permeability
from benchmarks.klinkenberg_pairs import compared, power_law, predicted, read_pairs, scatter, shape_number
from benchmarks.rock_distribution import corner_of, page, paired, published, summary
from benchmarks.stepped_flow import Stepper, carried, course, read_distribution

from scalebridge.core.units import DARCY


def test_the_published_cubes_are_48_in_three_directions():
    found = published()
    assert found.shape == (48, 3)
    assert np.all(np.isfinite(found))
    assert np.all(found > 0)
    # The first rows of the file as published, in m^2 at a voxel of 2 um.
    np.testing.assert_allclose(found[0, :2] * 4e-12, [2.70891e-13, 2.21191e-13], rtol=1e-6)  # six digits


def test_cubes_whose_place_is_known():
    found = [corner_of(cube) for cube in range(27)]
    assert len(set(found)) == 27
    assert found[:4] == [(0, 0, 0), (128, 0, 0), (256, 0, 0), (0, 128, 0)]
    assert max(max(corner) for corner in found) + 128 <= 400


def test_the_summary_of_a_known_distribution():
    rng = np.random.default_rng(0)
    values = np.exp(0.5 * rng.standard_normal((4000, 3)))
    mean, mean_error, spread, spread_error = summary(values)
    # Log-normal: mean exp(sigma^2/2); errors of 12,000 independent values.
    assert mean == pytest.approx(np.exp(0.125), abs=4 * mean_error)
    assert mean_error == pytest.approx(np.std(values) / 12000**0.5, rel=0.1)
    assert spread == pytest.approx(0.5, abs=4 * spread_error)
    assert spread_error == pytest.approx(0.5 / 24000**0.5, rel=0.1)
    text = page({"0": {"permeability": [1.0, 2.0, 3.0]}, "1": {"permeability": [2.0, 2.0, 3.0]}}, "mirrored")
    assert re.search(r"27 cubes of rock +\| 81 ", text)
    assert re.search(r"mirrored +\| 6 ", text)


def test_pipes_slip_as_the_exact_solution_says():
    radius, porosity, length = 3e-6, 0.2, 50e-9
    permeability, slope = porosity * radius**2 / 8, porosity * radius / 2  # of straight pipes
    number = shape_number(permeability, slope)
    assert number == pytest.approx((2 * porosity) ** 0.5, rel=1e-14)
    liquid = np.array([permeability / (1e-3 * DARCY)])
    np.testing.assert_allclose(predicted(liquid, number, length), 4 * length / radius, rtol=1e-12)


def test_pairs_are_read_and_compared(tmp_path):
    liquid = np.logspace(-1, 3, 50)
    rng = np.random.default_rng(1)
    excess = 0.4 * liquid**-0.3 * np.exp(0.1 * rng.standard_normal(50))
    path = tmp_path / "core.csv"
    lines = ["CKHG,CKHL,CPOR", *(f"{k * (1 + e)},{k},20" for k, e in zip(liquid, excess, strict=True))]
    path.write_text("\n".join([*lines, "3.0,,15", ",2.0,15"]), encoding="utf-8")
    pairs = read_pairs(path, "CKHG", "CKHL", "CPOR")
    assert pairs["gas"].size == 50
    exponent, error, start = power_law(liquid, excess)
    assert exponent == pytest.approx(-0.3, abs=4 * error)
    assert start == pytest.approx(0.4, rel=0.1)
    assert scatter(liquid, excess) == pytest.approx(0.1, rel=0.35)  # 50 draws, six taken by the curve
    table, notes = compared(pairs, {"pipes": np.sqrt(2 * pairs["porosity"])}, 65e-9)
    assert "50 pairs; in 50" in notes[0]
    assert "| 0.1 to 1 " in table


def test_pairs_of_the_same_cubes():
    rng = np.random.default_rng(1)
    same = np.exp(rng.normal(-3.0, 0.4, (200, 3)))
    found = paired(1.2 * same**1.1 * np.exp(rng.normal(0.0, 0.02, same.shape)), same)
    for name, wanted in (("slope", 1.1), ("spread", 0.1 * 0.4), ("log ratio", np.log(1.2) - 0.3)):
        value, error = found[name]
        assert abs(value - wanted) < 4 * error + 0.005  # spread and mean of the sample are not its own
        assert 0.0 < error < 0.01


def test_steps_in_time_end_where_their_equations_do():
    """The published loop and the saddle-point system of the same scheme, two programs that share the mesh."""
    rng = np.random.default_rng(4)
    pores = np.kron(rng.random((4, 4, 4)) < 0.7, np.ones((3, 3, 3), bool))
    stepper = Stepper(pores, 0, alpha=0.5, wall_factor=0.25)
    stepper.begin()
    *_, last = course(stepper, 250)
    assert last[-1]  # the published rule had stopped it
    wanted = directional_permeability(pores, 0, relaxation=0.5, wall_factor=0.25, rounds=30, rtol=1e-9)
    assert stepper.permeability() == pytest.approx(wanted, rel=2e-3)  # of pressures to 0.8 %, again and again


def test_published_velocities_are_held_against_others():
    text = "K\n\nx=U_y/U_D \t PDF \t dV/Vdx\n0.5 0.25 1\n1.5 0.5 1\n2.5 0.25 1\n\nx=U_z/U_D\n9 9 9\n"
    values, density = read_distribution(text, 1)
    assert values.tolist() == [0.5, 1.5, 2.5]
    assert density.tolist() == [0.25, 0.5, 0.25]
    # Named half a width too high: the classes' middles are 0, 1 and 2.
    assert carried(np.array([0.0, 1.0, 1.0, 2.0]), 1.0, values, density) == pytest.approx(1.0)
    assert carried(np.array([0.0, 0.0, 2.0, 2.0]), 2.0, values, density) == pytest.approx(2.0)
