"""FE2 against another program: sixteen points, each a sphere in 8^3 voxels that yields."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fe2_samples import BENT, reaction_slope
from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_settings import PathSettings
from scalebridge.laws.elastic import IsotropicElastic
from scalebridge.laws.hardening import LinearHardening
from scalebridge.laws.plastic import J2Plasticity
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_structure import solve_structure

REFERENCE = Path(__file__).parent / "reference"


def sphere_cell():
    phase = np.loadtxt(REFERENCE / "ph8_sphere_voxels.csv", delimiter=",").astype(int).reshape(8, 8, 8)
    laws = [J2Plasticity(62.5, 28.8462, LinearHardening(0.1, 0.5)), IsotropicElastic(222.222, 166.6667)]
    return PathCell(phase, laws, (1 / 8,) * 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lazy", [True, False])
def test_the_cantilever_has_the_reactions_and_the_iterations_of_another_program(lazy):
    with (REFERENCE / "fe2_mini_cantilever.csv").open(encoding="utf-8") as file:
        rows = [[float(cell) for cell in row if cell] for row in list(csv.reader(file))[1:]]
    study = solve_structure(
        box_mesh((2.0, 1.0, 1.0), (2, 1, 1)),
        sphere_cell(),
        supports=BENT,
        steps=[row[1] for row in rows],
        rtol=1e-10,
        lazy=lazy,
    )
    exact = np.array([row[2] for row in rows])
    np.testing.assert_allclose(study.curve()[1][1:], exact, rtol=1e-9)  # their equilibrium is good to 1e-10
    # The elastic answer that points share has an exact tangent, which saves the elastic step its correction.
    theirs = [int(row[6]) for row in rows]
    assert [record.iterations for record in study.records] == ([0, *theirs[1:]] if lazy else theirs)
    residuals = [row.residual for row in study.iterations if row.step in (2, 3) and row.residual > 1e-12]
    theirs = [rows[step][7 + i] for step in (1, 2) for i in range(3)]
    np.testing.assert_allclose(residuals, theirs, rtol=2e-2)
    corner = study.displacement[0, np.flatnonzero((study.solid.mesh.p.T == [2, 0, 0]).all(axis=1))[0]]
    assert corner == pytest.approx(rows[-1][3], rel=1e-8)


def uniaxial_newton(cell, committed, hint, strain, rtol, most, tangent=None):
    """Free the stresses but S11 by Newton's method; residuals, the last answer, and the strain."""
    residuals, strain = [], strain.copy()
    for _ in range(most):
        found = cell.respond(strain, committed, hint=hint, want_tangent=tangent is None)
        free = found.answer[1:] / np.array([1, 1, *[np.sqrt(2)] * 3])  # stresses of Voigt's notation
        residuals.append(float(np.linalg.norm(free)) / abs(found.answer[0]))
        if residuals[-1] < rtol:
            break
        slope = (found.tangent if tangent is None else tangent)[1:, 1:]
        strain[1:] -= np.linalg.solve(slope, found.answer[1:])
        hint = hint if found.hint is None else found.hint
    return residuals, found, strain


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_newton_takes_three_iterations_and_39_with_the_elastic_tangent_as_in_the_table():
    # Uniaxial stress: steps of 0.001 to E11 = 0.004, then 0.006 from the other strains as they were.
    with (REFERENCE / "newton_table_uniaxial_rve8.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = {name: np.array([float(row[name]) for row in rows if row[name]]) for name in ("algo", "elastic")}
    base = sphere_cell()
    cell = PathCell(base.index, base.laws, base.spacing, PathSettings(1e-12, 1e-6))
    elastic = np.array(cell.elastic().tangent)
    state, hint, strain = cell.rest(), None, np.zeros(6)
    for axial in (1e-3, 2e-3, 3e-3, 4e-3):
        strain[0] = axial
        _, found, strain = uniaxial_newton(cell, state, hint, strain, 1e-12, 12)
        state, hint = found.state, found.hint
    strain[0] = 6e-3
    ours, _, _ = uniaxial_newton(cell, state, hint, strain, 1e-11, 12)
    assert len(ours) == 4
    np.testing.assert_allclose(
        ours[:2], table["algo"][:2], rtol=1e-5
    )  # seven digits, and their tangent's 1e-9
    assert ours[2] == pytest.approx(
        table["algo"][2], rel=1e-2
    )  # the square of an error of the tangent's size
    assert ours[3] < 1e-11
    slow, _, _ = uniaxial_newton(cell, state, None, strain, 1.7e-11, 45, elastic)
    assert len(slow) == len(table["elastic"]) == 40
    np.testing.assert_allclose(slow[:25], table["elastic"][:25], rtol=1e-3)  # above 1e-8, far from roundings


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_slope_through_the_whole_step_and_its_volumes_is_second_order():
    # Taylor: R(f + h) - R(f) - h R'(f) falls as h^2 with R' from the tangents of structure and volumes.
    inside = np.zeros((4, 4, 4), int)
    inside[1:3, 1:3, 1:3] = 1
    solid, settings = box_mesh((1.0, 1.0, 1.0), (1, 1, 1)), PathSettings(1e-10, 1e-5)
    cell = PathCell(inside, sphere_cell().laws, (0.25,) * 3, settings)
    found = {}
    for h in (0.0, 4e-4, 2e-4, 1e-4, 5e-5, 2.5e-5):
        found[h] = solve_structure(
            solid, cell, supports=BENT, steps=[0.010 + h], rtol=1e-11, max_iterations=25
        )
    slope, base = reaction_slope(solid, cell, [found[0.0].strains]), found[0.0].curve()[1][-1]
    rest = np.array([found[h].curve()[1][-1] - base - h * slope for h in list(found)[1:]])
    rates = np.log2(np.abs(rest[:-1] / rest[1:]))
    assert rates.min() >= 1.95, rates
