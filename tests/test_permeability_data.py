"""What benchmarks compare permeabilities with: the published cubes, and pairs of gas and liquid."""

import re

import numpy as np
import pytest
from benchmarks.klinkenberg_pairs import compared, power_law, predicted, read_pairs, scatter, shape_number
from benchmarks.rock_distribution import corner_of, page, published, summary

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
