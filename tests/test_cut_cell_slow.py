"""The bars of curved walls with slip, on grids that take minutes."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from scalebridge.cells.smooth_walls import geometry_permeability, slip_curve
from scalebridge.grids.pore_shapes import AroundBalls, cylinder_array, sphere_lattice

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
REFERENCE = Path(__file__).parent / "reference"


def rows(name):
    with (REFERENCE / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


SPHERES = {row["solid_fraction"]: float(row["k_over_L2"]) for row in rows("sphere_sc_zick_homsy_1982.csv")}
CYLINDERS = {
    (row["solid_fraction"], row["slip_length_over_radius"]): (
        float(row["k_over_L2"]),
        float(row["dk_dlambda_over_L"]),
    )
    for row in rows("cylinder_square_transverse_slip_computed.csv")
    if row["array"] == "sq"
}


@pytest.mark.parametrize("share", [share for share in SPHERES if float(share) <= 0.45])
def test_simple_cubic_spheres_within_half_a_percent_at_64(share, capsys):
    """64 voxels along the lattice: its planes of symmetry leave 32 to be solved."""
    geometry = sphere_lattice("sc", float(share))
    found = geometry_permeability(geometry, 32, mirrored=True, rtol=1e-4, halved=False)
    error = found.value[0, 0] / SPHERES[share] - 1
    with capsys.disabled():
        print(f"\nspheres, c = {share}: {error:+.3%}, steps {found.stats['steps']}")  # noqa: T201
    assert found.passed, str(found)
    assert abs(error) < 5e-3


@pytest.mark.parametrize(
    "row", rows("cylinder_square_sangani_acrivos_1982.csv"), ids=lambda row: row["solid_fraction"]
)
def test_cylinders_are_those_of_sangani_and_acrivos(row, capsys):
    """Gaps at 0.7 and 0.75 are 6 % and 2 % of the spacing: they need more voxels than the others.

    The table's entry at 0.75 is 1 % off a body-fitted computation of high order.
    """
    share = row["solid_fraction"]
    geometry = cylinder_array("square", float(share))
    found = geometry_permeability(geometry, {"0.7": 256, "0.75": 512}.get(share, 128), rtol=1e-6)
    extrapolated = np.asarray(found.stats["extrapolated"])[0, 0]
    error = extrapolated / float(row["k_over_L2"]) - 1
    with capsys.disabled():
        print(f"\ncylinders, c = {share}: {error:+.3%}")  # noqa: T201
    assert found.passed, str(found)
    assert abs(error) < (2e-2 if share == "0.75" else 5e-3)


@pytest.mark.parametrize("share", ["0.05", "0.1", "0.2", "0.3", "0.4", "0.5"])
def test_cylinders_with_slip_within_half_a_percent_and_their_slopes_within_one(share, capsys):
    radius = math.sqrt(float(share) / math.pi)
    geometry = AroundBalls([[0.5031, 0.4983]], [radius], (1.0, 1.0))
    slips = ["0.0", "0.05", "0.1", "1.0", "inf"]
    lengths = [float(slip) * radius for slip in slips]
    (coarse, coarse_slopes), (fine, fine_slopes) = (
        slip_curve(geometry, count, lengths, rtol=1e-7) for count in (64, 128)
    )
    values = fine + (fine - coarse) / 3
    slopes = fine_slopes + (fine_slopes - coarse_slopes) / 3
    for slip, value, slope in zip(slips, values, slopes, strict=True):
        exact, steep = CYLINDERS[share, slip]
        errors = value[0, 0] / exact - 1, slope[0, 0] / steep - 1 if steep else slope[0, 0]
        with capsys.disabled():
            print(f"\ncylinders, c = {share}, slip/a = {slip}: K {errors[0]:+.4%}, slope {errors[1]:+.4%}")  # noqa: T201
        assert abs(errors[0]) < 5e-3
        assert abs(errors[1]) < 1e-2
        assert np.all(np.linalg.eigvalsh(value) > 0)
