"""Coarse elements: patch tests of every kind, exact bars, Cook's membrane, assembly as scikit-fem has it."""

import numpy as np
import pytest
import skfem
from skfem.helpers import grad

from scalebridge.core.errors import InputError
from scalebridge.core.results import Outcome
from scalebridge.engine.point_engine import LocalEngine
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.neo_hookean import NeoHookean
from scalebridge.structures.assembly import Assembler
from scalebridge.structures.conditions import Conditions, component_dofs, force_vector, reduce_unknowns
from scalebridge.structures.equilibrium import NewtonSettings, Structure, equilibrate
from scalebridge.structures.kinematics import make_kinematics
from scalebridge.structures.linear_solver import LinearSolver
from scalebridge.structures.march import set_out
from scalebridge.structures.point_units import unit_of
from scalebridge.structures.solid_mesh import KINDS, SolidMesh, box_mesh, named_sides, notched_plate
from scalebridge.structures.solve_structure import solve_structure

YOUNG, POISSON = 3.0, 0.25
STIFFNESS = np.asarray(isotropic_stiffness(YOUNG / (3 * (1 - 2 * POISSON)), YOUNG / (2 * (1 + POISSON))))
KIND_AND_ORDER = [(kind, order) for kind in KINDS for order in (1, 2)]


def skewed(kind):
    """A mesh whose inner node is off its place."""
    dim = KINDS[kind].dim
    made = box_mesh((1.0,) * dim, (2,) * dim, kind)
    p = made.mesh.p.copy()
    inner = np.flatnonzero((np.abs(p - 0.5) < 1e-9).all(axis=0))
    p[:, inner] += 0.07
    return named_sides(type(made.mesh)(p, made.mesh.t), kind, "skewed")


def structure_of(solid, material, order, plane, held, offset):
    """A structure whose boundary displacements are prescribed one by one."""
    unit = unit_of(material)
    k = make_kinematics(solid, order, finite=unit.finite, plane=plane)
    every = Conditions({name: dict.fromkeys("xyz"[: solid.dim], 0.0) for name in solid.boundaries})
    reduction = reduce_unknowns(solid, k, every)
    boundary = reduction.held
    places = np.asarray(k.basis.doflocs)
    component = np.zeros(k.unknowns, int)
    for axis, dofs in enumerate(component_dofs(k)):
        component[dofs] = axis
    wanted = (held @ places + offset[:, None])[component, np.arange(k.unknowns)]
    reduction = type(reduction)(reduction.transform, np.where(boundary, wanted, 0.0), boundary)
    solver = LinearSolver("direct", np.zeros((1, 1)), solid.dim)
    engine = LocalEngine(lambda: unit, k.points)
    return Structure(k, Assembler.of(k), reduction, np.zeros(k.unknowns), solver, engine), wanted


@pytest.mark.parametrize(("kind", "order"), KIND_AND_ORDER)
def test_patch_of_a_linear_displacement_is_exact(kind, order):
    solid = skewed(kind)
    slope = 1e-3 * np.array([[1.0, 0.4, -0.2], [0.3, -0.5, 0.1], [0.2, 0.6, 0.8]])[: solid.dim, : solid.dim]
    structure, wanted = structure_of(solid, STIFFNESS, order, "strain", slope, np.full(solid.dim, 1e-4))
    found, _ = equilibrate(set_out(structure).trial, 1.0, 0.0, NewtonSettings(1e-10), lambda *_: None)
    np.testing.assert_allclose(found.u, wanted, rtol=0, atol=1e-15)
    full = np.zeros((3, 3))
    full[: solid.dim, : solid.dim] = (slope + slope.T) / 2
    strain = np.array(
        [full[i, j] * (1 if i == j else 2**0.5) for i, j in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))]
    )
    np.testing.assert_allclose(
        found.answers, np.tile(STIFFNESS @ strain, (structure.kinematics.points, 1)), atol=1e-13
    )


@pytest.mark.parametrize(("kind", "order"), KIND_AND_ORDER)
def test_patch_of_a_finite_gradient_is_exact(kind, order):
    law = NeoHookean(4.0, 1.5)
    solid = skewed(kind)
    slope = np.array([[0.3, 0.2, -0.1], [0.1, -0.2, 0.05], [0.0, 0.1, 0.15]])[: solid.dim, : solid.dim]
    structure, wanted = structure_of(solid, law, order, "strain", slope, np.zeros(solid.dim))
    settings = NewtonSettings(1e-12)
    found, corrections = equilibrate(set_out(structure).trial, 1.0, 0.0, settings, lambda *_: None)
    assert corrections <= 8  # quadratic, from a linear guess of 30 % strain
    np.testing.assert_allclose(found.u, wanted, rtol=0, atol=1e-12)


def test_assembly_is_that_of_scikit_fem():
    solid = skewed("hex")
    k = make_kinematics(solid, 1, finite=False, plane="strain")

    @skfem.BilinearForm
    def form(u, v, w):
        e, d = ((grad(x) + np.swapaxes(grad(x), 0, 1)) / 2 for x in (u, v))
        lame, shear = STIFFNESS[0, 1], STIFFNESS[5, 5] / 2
        trace = e[0, 0] + e[1, 1] + e[2, 2]
        return lame * trace * (d[0, 0] + d[1, 1] + d[2, 2]) + 2 * shear * (e * d).sum(axis=(0, 1))

    mine = Assembler.of(k).stiffness(np.broadcast_to(STIFFNESS, (k.points, 6, 6)))
    theirs = form.assemble(k.basis)
    assert abs(mine - theirs).max() < 1e-13 * abs(theirs).max()  # roundings of sums of 64 terms


def test_cooks_membrane_reaches_the_published_deflection():
    # R. D. Cook, Concepts and Applications of Finite Element Analysis (1989), sec. 6.13: 23.96 at mid-depth.
    bulk, shear = 1 / (3 * (1 - 2 / 3)), 1 / (2 * (1 + 1 / 3))
    found = []
    for n in (8, 16):
        square = box_mesh((1.0, 1.0), (n, n)).mesh
        x, y = square.p
        solid = named_sides(
            type(square)(np.stack([48 * x, 44 * x + (44 - 28 * x) * y]), square.t), "quad", "Cook"
        )
        study = solve_structure(
            solid,
            np.asarray(isotropic_stiffness(bulk, shear)),
            supports={"left": {"x": 0, "y": 0}},
            tractions={"right": (0.0, 1 / 16)},
            order=2,
            plane="stress",
            steps=1,
        )
        middle = np.flatnonzero(
            (np.abs(solid.mesh.p[0] - 48) < 1e-9) & (np.abs(solid.mesh.p[1] - 52) < 1e-9)
        )[0]
        found.append(study.displacement[1, middle])
        assert study.passed
    assert found[0] < found[1] < 23.97
    assert found[1] == pytest.approx(23.96, abs=0.03)  # the corner at the clamp is singular: 0.1 %


def test_a_bar_under_its_weight_is_exact_at_its_nodes():
    # u = g (L x - x^2 / 2) / E without Poisson's effect; quadratic, which second order holds exactly.
    study = solve_structure(
        box_mesh((2.0, 1.0), (4, 1), "tri"),
        3.0 * np.eye(6),
        supports={"left": {"x": 0}, "bottom": {"y": 0}, "top": {"y": 0}},
        body_force=("0.6 N/m^3", 0),
        order=2,
        steps=1,
    )
    x = study.solid.mesh.p[0]
    # shear stiffness couples nothing: the load and the answer are uniform across the bar
    np.testing.assert_allclose(study.displacement[0], 0.6 * (2 * x - x**2 / 2) / 3.0, rtol=0, atol=1e-14)
    assert study.records[-1].reactions["left"][0] == pytest.approx(-1.2, rel=1e-12)


def test_plane_stress_lets_the_thickness_go():
    study = solve_structure(
        box_mesh((1.0, 1.0), (2, 2)),
        STIFFNESS,
        supports={"left": {"x": 0}, "bottom": {"y": 0}, "right": {"x": 1e-3}},
        plane="stress",
        steps=1,
    )
    np.testing.assert_allclose(study.stresses[:, 0], YOUNG * 1e-3, rtol=1e-12)
    np.testing.assert_allclose(study.strains[:, 2], -POISSON * 1e-3, rtol=1e-12)


def test_plane_stress_of_finite_strain_lets_the_thickness_go():
    law = NeoHookean(4.0, 1.5)
    study = solve_structure(
        box_mesh((1.0, 1.0), (1, 1)),
        law,
        supports={"left": {"x": 0}, "bottom": {"y": 0}, "right": {"x": 0.5}},
        plane="stress",
        steps=2,
    )
    gradient = study.strains[0].reshape(3, 3)
    assert gradient[0, 0] == pytest.approx(1.5, rel=1e-12)
    assert gradient[1, 1] == pytest.approx(
        gradient[2, 2], rel=1e-8
    )  # across the pull all directions are alike
    np.testing.assert_allclose(study.stresses[:, [1, 2, 3, 4, 5, 6, 7, 8]], 0.0, atol=1e-7)


def test_an_element_that_is_turned_inside_out_cuts_the_step():
    study = solve_structure(
        box_mesh((1.0, 1.0), (1, 1)),
        NeoHookean(4.0, 1.5),
        supports={"left": {"x": 0}, "bottom": {"y": 0}, "right": {"x": -0.9}},
        tractions={"top": (0.0, 0.0)},
        steps=[1.3],
        throw=False,
    )
    assert study.outcome is Outcome.stagnated
    assert all(np.linalg.det(study.strains.reshape(-1, 3, 3)) > 0)


def test_periodic_sides_carry_a_jump_and_equal_ones_move_alike():
    study = solve_structure(
        box_mesh((1.0, 1.0), (3, 3)),
        STIFFNESS,
        supports={"bottom": {"x": 0, "y": 0}},
        equal={"top": "xy"},
        periodic=[("left", "right")],
        equations=[[((0.0, 1.0), "x", 1.0)]],
        tractions={"top": (0.0, 0.01)},
        steps=1,
    )
    oedometric = STIFFNESS[0, 0]
    np.testing.assert_allclose(study.stresses[:, 1], 0.01, rtol=1e-11)
    np.testing.assert_allclose(study.strains[:, 1], 0.01 / oedometric, rtol=1e-11)
    pulled = solve_structure(
        box_mesh((1.0, 1.0), (3, 3)),
        STIFFNESS,
        supports={"bottom": {"y": 0}},
        equations=[([((0.0, 0.0), "x", 1.0)], 0.0)],
        periodic=[("left", "right", ("1 mm", 0.0))],
        steps=1,
    )
    np.testing.assert_allclose(pulled.strains[:, 0], 1e-3, rtol=1e-11)


def test_conditions_that_contradict_each_other_are_refused():
    with pytest.raises(InputError, match="contradict"):
        solve_structure(
            box_mesh((1.0, 1.0), (2, 2)),
            STIFFNESS,
            supports={"left": {"x": 0, "y": 0}, "right": {"x": "1 mm"}},
            periodic=[("left", "right")],
        )


def test_the_elements_of_a_plate_in_space_are_those_in_the_plane():
    flat = notched_plate(4.0, 2.0, depth=0.5, opening=1.0, cells=(8, 4))
    thick = notched_plate(4.0, 2.0, depth=0.5, opening=1.0, cells=(8, 4), thickness=0.5, layers=2)
    held = {"left": {"x": 0, "y": 0}, "right": {"x": 1e-3}}
    walls = {"front": {"z": 0}, "back": {"z": 0}}
    one = solve_structure(flat, STIFFNESS, supports=held, steps=1)
    two = solve_structure(thick, STIFFNESS, supports=held | walls, steps=1)
    assert one.curve()[1][-1] * 0.5 == pytest.approx(two.curve()[1][-1], rel=1e-10)


def test_multigrid_and_direct_solver_agree():
    solid = box_mesh((4.0, 1.0, 1.0), (8, 2, 2))
    bent = {"left": {"x": 0, "y": 0, "z": 0}, "right": {"z": 1e-3}}
    found = [
        solve_structure(
            solid, STIFFNESS, supports=bent, steps=1, linear_solver=method, rtol=1e-9
        ).displacement
        for method in ("direct", "multigrid")
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-8 * np.abs(found[0]).max())


def test_forces_of_a_traction_add_up():
    solid = box_mesh((2.0, 3.0, 1.0), (2, 2, 2), "tet")
    for order in (1, 2):
        k = make_kinematics(solid, order, finite=False, plane="strain")
        total = force_vector(solid, k, Conditions(tractions={"right": ("2 kPa", 0, 1)}))
        sums = [total[dofs].sum() for dofs in component_dofs(k)]
        np.testing.assert_allclose(sums, [6000.0, 0.0, 3.0], rtol=0, atol=1e-10)


def test_inverted_and_folded_elements_are_refused():
    mesh = box_mesh((1.0, 1.0), (2, 2)).mesh
    p = mesh.p.copy()
    p[:, np.flatnonzero((np.abs(p - 0.5) < 1e-9).all(axis=0))] = [[1.2], [0.5]]
    with pytest.raises(InputError, match="inverted, folded or empty elements"):
        named_sides(type(mesh)(p, mesh.t), "quad", "folded")
    assert isinstance(box_mesh((1.0, 1.0), (1, 1)), SolidMesh)
