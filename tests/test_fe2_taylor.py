"""Through a whole FE2 step, for every law: Taylor's remainder of the reaction is quadratic.

R(f + h) - R(f) - h R'(f), with R' from the consistent tangents of structure and points, falls as h^2: what is
solved inside (law, volume, plane of the structure) is differentiated with all of its history.
"""

import numpy as np
import pytest

from fe2_samples import BENT, reaction_slope
from path_law_samples import BULK, LAWS, MORE_LAWS, SHEAR
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_settings import PathSettings
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

SLOPE = 1.95  # asked of each of four halvings; 2 is exact
ONE = box_mesh((1.0, 1.0, 1.0), (1, 1, 1))
EVERY = LAWS | MORE_LAWS
QUICK = {"plastic", "maxwell"}  # laws at points; the others compile for seconds
FURTHER = {
    "armstrong-frederick": 1.3
}  # at the size itself a point begins to flow between the loads: a corner
INSIDE = np.zeros((2, 2, 3), int)
INSIDE[0, 0, :2] = 1


def slopes_of(material, factor, dt, rtol, reach):
    """Rates of the remainder over four halvings of a second step, after a first one to 0.8 of it."""
    run = {"supports": BENT, "rtol": rtol, "max_iterations": 30, "duration": dt}
    before = solve_structure(ONE, material, steps=[0.8 * factor], **run)
    whole = solve_structure(ONE, material, steps=[0.8 * factor, factor], **run)
    assert len(whole.records) == 2, "no increment was cut: the slope is that of two steps"
    slope, base = reaction_slope(ONE, material, [before.strains, whole.strains], dt), whole.curve()[1][-1]
    missed = []
    for halving in range(5):
        h = reach * factor * 0.5**halving
        moved = solve_structure(ONE, material, steps=[0.8 * factor, factor + h], **run).curve()[1][-1]
        missed.append(abs(moved - base - h * slope))
    if max(missed) <= 1e-10 * abs(base):  # a linear answer: nothing but rounding is missed
        return np.full(4, 2.0)
    return np.log2(np.divide(missed[:-1], missed[1:]))


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in EVERY]
)
def test_a_law_at_each_point(name):
    law, size, options = EVERY[name]
    slopes = slopes_of(law, size, options.get("dt", 1.0), 1e-12, 0.02)
    assert slopes.min() >= SLOPE, slopes


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", EVERY)
def test_a_volume_at_each_point(name):
    law, size, options = EVERY[name]
    stiff = NeoHookean(4 * BULK, 4 * SHEAR) if law.finite else IsotropicElastic(4 * BULK, 4 * SHEAR)
    settings = PathSettings(tolerance=1e-10, tangent_tolerance=1e-6, precision="double")
    cell = PathCell(INSIDE, [law, stiff], (0.1, 0.1, 0.1), settings)
    slopes = slopes_of(cell, FURTHER.get(name, 1.0) * size, options.get("dt", 1.0), 1e-11, 0.004)
    assert slopes.min() >= SLOPE, slopes
