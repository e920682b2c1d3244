"""Heavy convergence studies, which print their table: problem, N, errors and orders of both schemes."""

import sys

import numpy as np
import pytest

from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.grids.balls import spheres_image
from scalebridge.upscaling.schemes import estimate_maxwell
from test_conductivity_exact import (
    BALANCED,
    REFERENCE,
    checkerboard_exponent,
    corner_exponent,
    exact_square,
    orders,
    published,
    solved,
    staircase_errors,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
FLAT = (16, 32, 64, 128, 256, 512)
SOLID = (16, 32, 64, 128)


def show(capsys, problem, grids, errors):
    """Print a table of relative errors and of the orders between neighbouring grids."""
    lines = [f"\n{problem}", f"{'N':>5} {'hexahedra':>12} {'order':>6} {'finite volumes':>15} {'order':>6}"]
    found = [[np.nan, *orders(errors[:, scheme])] for scheme in (0, 1)]
    for row, n in enumerate(grids):
        above, below = errors[row]
        lines.append(f"{n:5d} {above:12.3e} {found[0][row]:6.2f} {below:15.3e} {found[1][row]:6.2f}")
    with capsys.disabled():
        sys.stdout.write("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("kind", "ratio"),
    [("square", 0.0), ("square", 10.0), ("square", 1000.0), ("checkerboard", 2.0), ("checkerboard", 10.0)],
)
def test_squares(kind, ratio, capsys):
    exact = exact_square(kind, ratio)
    errors = np.array([solved(kind, n, ratio)[:2] for n in FLAT]) / exact - 1
    wanted = corner_exponent(ratio) if kind == "square" else checkerboard_exponent(ratio)
    show(capsys, f"{kind}, conductivity {ratio:g}, exact geometry, theory: order {wanted:.3f}", FLAT, errors)
    assert np.all(errors[:, 0] > 0)
    assert np.all(errors[:, 1] < 0)
    for scheme in (0, 1):
        np.testing.assert_allclose(orders(errors[:, scheme])[-2:], wanted, atol=0.02)


@pytest.mark.parametrize(("share", "ratio"), [(0.3, 0.0), (0.3, 10.0), (0.6, 100.0), (0.7, 10.0)])
def test_cylinders(share, ratio, capsys):
    errors = staircase_errors("square array", share, ratio, FLAT, published("square array", ratio))
    show(
        capsys,
        f"cylinders, square array {share:.0%}, conductivity {ratio:g}, fraction corrected",
        FLAT,
        errors,
    )
    larger = np.max(np.abs(errors), axis=1)
    slope = -np.polyfit(np.log(FLAT), np.log(larger), 1)[0]
    assert 0.85 <= slope <= 1.5
    assert larger[-1] <= 2.0 / FLAT[-1]


@pytest.mark.parametrize(("share", "ratio"), [(0.3, 0.0), (0.3, 10.0), (0.3, 1000.0), (0.45, 10.0)])
def test_spheres(share, ratio, capsys):
    errors = staircase_errors("sc", share, ratio, SOLID, published("sc", ratio))
    show(
        capsys,
        f"spheres, simple cubic {share:.0%}, conductivity {ratio:g}, fraction corrected",
        SOLID,
        errors,
    )
    larger = np.max(np.abs(errors), axis=1)
    slope = -np.polyfit(np.log(SOLID), np.log(larger), 1)[0]
    assert 0.85 <= slope <= 1.5
    assert larger[-1] <= 2.5 / SOLID[-1]
    # Richardson's extrapolation of first order, the mean of both schemes.
    assert abs(np.mean(2 * errors[-1] - errors[-2])) <= 0.25 * larger[-2]


@pytest.mark.parametrize("kind", ["bcc", "fcc"])
def test_other_lattices(kind, capsys):
    def exact(fraction):
        return float(estimate_maxwell(np.array([1 - fraction, fraction]), np.array([1.0, 10.0]), 3))

    errors = staircase_errors(kind, 0.2, 10.0, SOLID[:3], exact)
    show(capsys, f"spheres, {kind} 20%, conductivity 10, against Maxwell (good to 2e-4)", SOLID[:3], errors)
    assert 0.8 <= np.mean(orders(errors[:, 0])) <= 1.2
    assert np.all(np.abs(errors[-1]) <= 0.02)


@pytest.mark.parametrize("ratio", [0.0, 10.0, 1e3, 1e6])
@pytest.mark.parametrize("cells", [64, 128])
def test_iterations_on_random_spheres(cells, ratio, capsys):
    table = np.loadtxt(REFERENCE / "rve_spheres.csv", delimiter=",", skiprows=1)
    image = spheres_image(table[:, :3], table[:, 3], cells)
    found = effective_conductivity(image, {0: 1.0, 1: ratio}, progress=False, **BALANCED)
    steps = found.stats["steps"]
    tensor = [next(k for k, e in enumerate(case) if e <= 1e-6) for case in found.stats["errors"]]
    with capsys.disabled():
        sys.stdout.write(
            f"\nrandom spheres {cells}^3, conductivity {ratio:g}: {steps} steps to residual 1e-6, {tensor} "
            f"to tensor 1e-6, {found.provenance.elapsed['solving']:.1f} s with compiling\n"
        )
    assert found.passed, str(found)
    assert max(steps) <= {0.0: 25, 10.0: 25, 1e3: 75, 1e6: 100}[ratio]
