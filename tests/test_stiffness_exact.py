"""Elastic cells against exact and published answers: layers, Hashin, Hill, Levin, crystals; iterations.

Layers, Levin's relation, a common shear or bulk modulus hold on any mesh or need no mesh at all, and are met
to rounding. Spheres have a staircase for a surface, whose error is of the order of a voxel, and less on
composite voxels.
"""

import csv
import functools
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalebridge.cells.elastic_exact import (
    coated_sphere_problem,
    elastic_problems,
    equal_shear_plane_problem,
    equal_shear_problem,
    levin_problem,
    rigid_spheres_problem,
)
from scalebridge.cells.elastic_job import ElasticSettings
from scalebridge.cells.elastic_problems import examine_elastic
from scalebridge.cells.elasticity_host import HostElasticity, Solid
from scalebridge.cells.expansion import effective_expansion
from scalebridge.cells.laminate_elasticity import laminate_elasticity
from scalebridge.cells.stiffness import effective_stiffness, elastic_job
from scalebridge.core.errors import InputError
from scalebridge.grids.balls import spheres_image
from scalebridge.grids.generators import laminate_image, random_voxels
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.polycrystals import random_polycrystal
from scalebridge.laws.elastic_material import elastic_material
from scalebridge.laws.elasticity import isotropic_moduli, isotropic_stiffness
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.rotations import mandel_rotation
from scalebridge.upscaling.tangent import watched_tangent

REFERENCE = Path(__file__).parent / "reference"
SCHEMES = ("hexahedra", "b-bar", "reduced")
SHARP = {"rtol": 1e-13, "residual_rtol": 1e-10, "budget": "none", "progress": False}
LAYERS = {
    name: case
    for name, case in json.loads((REFERENCE / "laminates_exact.json").read_text()).items()
    if isinstance(case, dict) and "C_mandel_11_22_33_23_13_12" in case
}
VOLUME = np.r_[1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def rows(name):
    with (REFERENCE / name).open(newline="") as file:
        lines = list(csv.reader(file))
    return [[float(cell) for cell in line if not line or _is_number(cell)] for line in lines[1:]]


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def near(found, exact, relative):
    exact = np.asarray(exact)
    np.testing.assert_allclose(found, exact, rtol=0, atol=relative * np.abs(exact).max())


def bulk_of(image, phases, scheme):
    """Bulk modulus from one load case, a unit dilatation."""
    job = elastic_job(image, phases, ElasticSettings(scheme, rtol=1e-8, residual_rtol=1e-5))
    model, load = job.model(thermal=False), VOLUME
    solved = model.finish(load, model.advance(model.begin(load), 2000))
    assert int(solved.result) == 0
    return float(model.energies([solved.fields])[0, 0]) / 9


# -------------------------------------------------------------------------------------------- problems


@pytest.mark.parametrize("problem", elastic_problems(), ids=lambda problem: problem.name)
def test_problems_are_met_on_their_own_grid(problem):
    for scheme in problem.constants or SCHEMES:
        found = examine_elastic(problem, scheme)
        assert found.passed, f"{scheme}: errors {found.errors}, allowed {found.tolerance:.2e}"


def test_a_wrong_exact_value_fails():
    for name in ("layers across y", "equal shear modulus, bulk moduli 1 and 10"):
        right = next(p for p in elastic_problems() if p.name == name)

        def wrong(image, found, right=right):
            return {key: 1.5 * np.asarray(value) for key, value in right.exact(image, found).items()}

        from dataclasses import replace

        assert not examine_elastic(replace(right, exact=wrong)).passed


def test_a_scheme_without_a_tolerance_is_refused():
    with pytest.raises(InputError, match="scheme"):
        examine_elastic(rigid_spheres_problem(0.1, 0.3, 0.2), "hexahedra", 8)


# ---------------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_published_layers_are_exact(name, axis, scheme):
    case = LAYERS[name]
    cells = [2, 2, 2]
    cells[axis] = 20
    image = laminate_image(case["fractions"], cells, axis=axis)
    phases = {
        label: {"young": young, "poisson": poisson, "expansion": expansion}
        for label, (young, poisson, expansion) in enumerate(
            zip(case["E"], case["nu"], case["alpha"], strict=True)
        )
    }
    turn = mandel_rotation(np.roll(np.eye(3), axis, axis=0))  # the first axis becomes the one across
    found = effective_expansion(image, phases, scheme=scheme, **SHARP)
    near(found.stats["stiffness"], turn @ case["C_mandel_11_22_33_23_13_12"] @ turn.T, 1e-12)
    near(found.value, turn @ case["alpha_mandel"], 1e-12)
    assert found.passed, str(found)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layers_of_any_anisotropy_are_exact(axis, scheme):
    rng = np.random.default_rng(axis)
    roots = rng.standard_normal((3, 6, 6))
    stiffness = roots @ np.swapaxes(roots, 1, 2) + 2 * np.eye(6)
    expansion = rng.standard_normal((3, 6))
    exact, grown = laminate_elasticity([0.25, 0.25, 0.5], stiffness, expansion, np.eye(3)[axis])
    phases = {
        label: {"stiffness": {"value": c.tolist(), "notation": "mandel"}, "expansion": a.tolist()}
        for label, (c, a) in enumerate(zip(stiffness, expansion, strict=True))
    }
    cells = [3, 2, 4]
    cells[axis] = 8
    found = effective_expansion(
        laminate_image([0.25, 0.25, 0.5], cells, axis=axis), phases, scheme=scheme, **SHARP
    )
    near(found.stats["stiffness"], exact, 1e-12)
    near(found.value, grown, 1e-12 * np.linalg.cond(exact))


# ------------------------------------------------------------------------------------------ spheres


COATED = [((k1, g1), (k2, g2), r1 / r2, share, exact) for k1, g1, k2, g2, r1, r2, share, exact in
          rows("hashin_coated_sphere_exact.csv")]  # fmt: skip


@pytest.mark.parametrize(("core", "coat", "ratio", "share", "exact"), COATED)
def test_the_coated_sphere_has_its_published_modulus(core, coat, ratio, share, exact):
    problem = coated_sphere_problem(core, coat, ratio)
    assert share == pytest.approx(ratio**3, rel=1e-12)
    assert problem.exact(problem.image(4), np.eye(6))["bulk modulus"] == pytest.approx(exact, rel=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["hexahedra", "b-bar", "reduced"])
def test_the_neutral_coated_sphere_at_64_voxels(scheme):
    core, coat, ratio, _, exact = COATED[0]
    problem = coated_sphere_problem(core, coat, ratio)
    assert bulk_of(problem.composite(64), problem.phases, scheme) == pytest.approx(exact, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("row", "scheme"), [(1, "hexahedra"), (1, "b-bar"), (2, "reduced")])
def test_a_coated_pore_and_a_hard_core_at_64_voxels(row, scheme):
    """A core 180 times as hard as its coat is met by one point a voxel; full integration leaves 2e-3."""
    core, coat, ratio, _, exact = COATED[row]
    problem = coated_sphere_problem(core, coat, ratio)
    assert bulk_of(problem.composite(64), problem.phases, scheme) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize("row", [1, 2])
def test_mixed_voxels_of_pores_and_hard_cores_are_better_than_layers_alone(row):
    core, coat, ratio, _, exact = COATED[row]
    problem = coated_sphere_problem(core, coat, ratio)
    image, scheme = problem.composite(16), "hexahedra" if row == 1 else "reduced"
    error = abs(bulk_of(image, problem.phases, scheme) / exact - 1)
    # Layers alone: 1.7e-2 and 1.0e-2, measured; half of that says that the limits are at work.
    assert error < 6e-3


# ------------------------------------------------------------------------------- equal shear moduli


@pytest.mark.parametrize("row", range(6))
def test_hills_formula_is_the_published_one(row):
    shear, first, second, share, exact = rows("hill_equal_shear_exact.csv")[row][:5]
    problem = equal_shear_problem(shear, (first, second), share)
    image = problem.image(20)
    assert image.fractions[1] == pytest.approx(share, abs=1e-12)
    known = problem.exact(image, np.eye(6))["stiffness"]
    assert VOLUME @ known @ VOLUME / 9 == pytest.approx(exact, rel=1e-13)
    assert known[3, 3] == pytest.approx(2 * shear, rel=1e-13)


@pytest.mark.parametrize("row", range(3))
def test_hills_formula_in_the_plane_is_the_published_one(row):
    shear, first, second, share, exact = rows("hill_equal_shear_2d_exact.csv")[row][:5]
    problem = equal_shear_plane_problem(shear, (first, second), share)
    image = problem.image(20)
    assert image.fractions[1] == pytest.approx(share, abs=1e-12)
    known = problem.exact(image, np.eye(6))["plane-strain stiffness"]
    assert (known[0, 0] + known[0, 1]) / 2 == pytest.approx(exact, rel=1e-13)


@pytest.mark.parametrize("scheme", ["b-bar", "reduced"])
@pytest.mark.parametrize("row", range(6))
def test_equal_shear_moduli_within_the_error_bar(row, scheme):
    shear, first, second, share, _ = rows("hill_equal_shear_exact.csv")[row][:5]
    held_to_the_error_bar(equal_shear_problem(shear, (first, second), share), scheme, 20)


@pytest.mark.parametrize("scheme", ["b-bar", "reduced"])
@pytest.mark.parametrize("row", range(3))
def test_equal_shear_moduli_in_the_plane_within_the_error_bar(row, scheme):
    shear, first, second, share, _ = rows("hill_equal_shear_2d_exact.csv")[row][:5]
    held_to_the_error_bar(equal_shear_plane_problem(shear, (first, second), share), scheme, 40)


def held_to_the_error_bar(problem, scheme, cells):
    image, phases = problem.build(cells)
    found = effective_stiffness(image, phases, scheme=scheme, rtol=1e-8, residual_rtol=1e-5, progress=False)
    assert found.passed, str(found)
    exact = problem.exact(image, found.value)
    kept = np.ix_([0, 1, 5], [0, 1, 5]) if image.dim == 2 else np.ix_(range(6), range(6))
    wanted = next(iter(exact.values()))
    away = np.abs(found.value[kept] - wanted) / np.maximum(2 * found.std[kept], 1e-6 * wanted.max())
    assert away.max() <= 1, f"{away.max():.2f} times two standard deviations"


# ------------------------------------------------------------------------------------- Levin's relation


@pytest.mark.parametrize("row", range(3))
def test_levins_formula_is_the_published_one(row):
    first, second, *expansions, share, bulk, exact = rows("levin_cte_exact.csv")[row]
    problem = levin_problem((first, second), tuple(expansions), share)
    found = problem.exact(problem.image(20), np.asarray(isotropic_stiffness(bulk, 1.0)))["expansion"]
    np.testing.assert_allclose(found, exact * VOLUME, rtol=1e-12, atol=1e-20)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("cells", [2, 3, 7, (5, 2, 9)])
def test_levins_relation_holds_on_any_grid(cells, scheme):
    image = random_voxels(cells, volume_fraction=0.4, seed=5)
    problem = levin_problem((1.0, 10.0), (1e-5, 2e-6), 0.4)
    found = examine_elastic(problem, scheme, image=image)
    assert abs(found.error) < 1e-8


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from(SCHEMES), st.sampled_from([2, 3]))
def test_two_anisotropic_phases_obey_levins_relation(seed, scheme, dim):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((2, 6, 6))
    stiffness, expansion = roots @ np.swapaxes(roots, 1, 2) + 2 * np.eye(6), rng.standard_normal((2, 6))
    phases = {
        label: {"stiffness": {"value": stiffness[label].tolist(), "notation": "mandel"},
                "expansion": expansion[label].tolist()}
        for label in (0, 1)
    }  # fmt: skip
    image = random_voxels(4, volume_fraction=0.5, seed=seed, dim=dim)
    if len(image.phases) < 2:
        return
    found = effective_expansion(image, phases, temperature=300.0, scheme=scheme, **SHARP)
    compliance = np.linalg.inv(stiffness)
    share = np.array([image.fractions[0], image.fractions[1]])
    left = np.linalg.inv(found.stats["stiffness"]) - np.tensordot(share, compliance, 1)
    jump = np.linalg.solve(compliance[1] - compliance[0], expansion[1] - expansion[0])
    near(found.value, share @ expansion + left @ jump, 1e-8)
    # Under the stress -jump both phases strain alike while they warm; so heat follows too (Rosen & Hashin).
    stored = -jump @ left @ jump
    near(found.stats["heat capacity correction"], -300.0 * stored, 1e-7)


# ------------------------------------------------------------------------------------ rigid spheres


RIGID = rows("nunan_keller_sc_rigid_spheres_viscosity.csv")


@pytest.mark.slow
def test_rigid_spheres_in_an_incompressible_matrix():
    """The staircase of a rigid sphere errs by a part of a voxel: found 4 % here, and half of 29 % below."""
    share, alpha, beta = RIGID[3][:3]
    found = examine_elastic(rigid_spheres_problem(share, alpha, beta), "b-bar", 32)
    assert found.passed, found.errors


@pytest.mark.slow
def test_rigid_spheres_converge_with_the_voxels():
    share, alpha, beta = RIGID[6][:3]
    problem = rigid_spheres_problem(share, alpha, beta)
    coarse, fine = (examine_elastic(problem, "b-bar", cells).errors for cells in (16, 32))
    assert all(0 < fine[name] < 0.55 * coarse[name] for name in coarse)


# ---------------------------------------------------------------------------------------- polycrystals

COPPER = {"c11": 168.4, "c12": 121.4, "c44": 75.4}  # GPa; Simmons & Wang 1971
ZINC = {"young1": 35.3, "young2": 119.5, "poisson12": 0.26, "poisson23": -0.07, "shear12": 38.8}


@functools.cache
def crystal(cells=8, count=6, seed=4):
    image = random_polycrystal(cells, count=count, seed=seed)
    return image, np.array(image.source["orientations"])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_polycrystal_of_cubic_grains_has_their_bulk_modulus(scheme):
    image, turns = crystal()
    found = effective_stiffness(image, {"*": COPPER}, orientations=turns, scheme=scheme, **SHARP)
    # A dilatation is an eigenstrain of every grain, so that no grain disturbs another.
    near(found.value @ VOLUME, (168.4 + 2 * 121.4) * VOLUME, 1e-11)
    assert found.passed, str(found)


def test_a_polycrystal_lies_between_voigt_and_reuss():
    image, turns = crystal()
    material = elastic_material(**ZINC).stiffness()
    from scipy.spatial.transform import Rotation

    turned = [mandel_rotation(r.as_matrix()) for r in Rotation.from_quat(turns, scalar_first=True)]
    each = np.stack([q @ material @ q.T for q in turned])
    share = np.array([image.fractions[label] for label in image.phases])
    upper = np.tensordot(share, each, 1)
    lower = np.linalg.inv(np.tensordot(share, np.linalg.inv(each), 1))
    found = effective_stiffness(image, {"*": ZINC}, orientations=turns, **SHARP)
    near(found.bounds["Voigt-Reuss"].upper, upper, 1e-12)
    near(found.bounds["Voigt-Reuss"].lower, lower, 1e-12)
    for gap in (upper - found.value, found.value - lower):
        assert np.linalg.eigvalsh(gap)[0] > 1e-3 * np.abs(upper - lower).max()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (2, 0)])
def test_turning_the_sample_turns_the_answer(axes, scheme):
    image, turns = crystal(cells=6, count=4)
    from scipy.spatial.transform import Rotation

    matrices = Rotation.from_quat(turns, scalar_first=True).as_matrix().swapaxes(1, 2)  # rows: crystal axes
    turn = np.eye(3)
    turn[np.ix_(axes, axes)] = [[0, -1], [1, 0]]
    phases = {"*": {**ZINC, "expansion1": 60.8e-6, "expansion2": 14.3e-6}}
    options = {**SHARP, "scheme": scheme}
    one = effective_expansion(image, phases, orientations=matrices, **options)
    other = effective_expansion(
        VoxelImage(np.rot90(image.labels, axes=axes)), phases, orientations=matrices @ turn.T, **options
    )
    change = mandel_rotation(turn)
    near(other.stats["stiffness"], change @ one.stats["stiffness"] @ change.T, 1e-10)
    near(other.value, change @ one.value, 1e-10)


# -------------------------------------------------------------------------------------- planar images


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_planar_image_is_a_body_of_cylinders(scheme):
    image = random_voxels((6, 5), volume_fraction=0.4, seed=2, dim=2)
    body = VoxelImage(np.repeat(image.labels[:, :, None], 2, axis=2))
    phases = {
        0: {"young": 3.0, "poisson": 0.35, "expansion": 6e-5},
        1: {
            **ZINC,
            "expansion1": 6e-5,
            "expansion2": 1e-5,
            "orientation": {"euler": [0.3, 0.8, 1.9], "unit": "rad"},
        },
    }
    plane = effective_expansion(image, phases, scheme=scheme, **SHARP)
    space = effective_expansion(body, phases, scheme=scheme, **SHARP)
    near(plane.stats["stiffness"], space.stats["stiffness"], 1e-11)
    near(plane.value, space.value, 1e-11)
    for name, slope in plane.derivatives.items():
        near(slope, space.derivatives[name], 1e-7)


# ------------------------------------------------------------------------------- what every answer keeps


@settings(max_examples=6)
@given(st.integers(0, 1000), st.sampled_from(SCHEMES))
def test_energy_symmetry_and_bounds_are_kept(seed, scheme):
    image = random_voxels((4, 5, 3), volume_fraction=0.4, seed=seed)
    found = effective_stiffness(
        image,
        {0: COPPER, 1: {**ZINC, "orientation": {"euler": [seed, 1.0, 2.0], "unit": "rad"}}},
        scheme=scheme,
        **SHARP,
    )
    checks = {check.name: check for check in found.checks}
    assert checks["energy against mean answers"].value < 1e-9
    assert checks["symmetry"].value < 1e-9
    assert found.passed, str(found)
    np.testing.assert_array_equal(found.value, found.value.T)


def test_fields_that_are_not_in_equilibrium_fail_the_checks():
    image = random_voxels(6, volume_fraction=0.4, seed=1)
    phases = {0: {"young": 1.0, "poisson": 0.3}, 1: {"young": 500.0, "poisson": 0.3}}
    found = effective_stiffness(image, phases, **{**SHARP, "max_steps": 3}, throw=False)
    failed = {check.name for check in found.checks if not check.passed}
    assert {"algebraic error", "equilibrium", "energy against mean answers"} <= failed
    exact = effective_stiffness(image, phases, **SHARP).value
    assert np.linalg.eigvalsh(found.value - exact)[0] > 0  # the energy errs to one side


def test_full_integration_is_stiffest_and_less_so_on_a_finer_grid():
    image = random_voxels(4, volume_fraction=0.5, seed=8)
    phases = {0: {"young": 1.0, "poisson": 0.45}, 1: {"young": 10.0, "poisson": 0.2}}
    values = {scheme: effective_stiffness(image, phases, scheme=scheme, **SHARP).value for scheme in SCHEMES}
    for softer, stiffer in itertools.pairwise(["reduced", "b-bar", "hexahedra"]):
        assert np.linalg.eigvalsh(values[stiffer] - values[softer])[0] > 0
    finer = VoxelImage(image.labels.repeat(2, 0).repeat(2, 1).repeat(2, 2))
    refined = effective_stiffness(finer, phases, **SHARP).value
    assert np.linalg.eigvalsh(values["hexahedra"] - refined)[0] > 0


# ------------------------------------------------------------------------------------------- iterations


def steps_to(labels, stiffness, residual, *, double=False):
    model = HostElasticity(
        labels.shape,
        (1.0,) * 3,
        Solid(stiffness, None, labels),
        ConjugateGradients(rtol=math.inf, residual_rtol=residual),
        double=double,
    )
    found = watched_tangent(model)
    assert set(found.codes) == {0}
    return [int(response.stats["steps"]) for response in found.responses]


def pair(contrast):
    return np.stack([isotropic_stiffness(*isotropic_moduli(young=e, poisson=0.3)) for e in (1.0, contrast)])


def balls(cells):
    known = np.loadtxt(REFERENCE / "rve_spheres.csv", delimiter=",", skiprows=1)
    return spheres_image(known[:, :3], known[:, 3], cells).labels


def test_iterations_at_contrast_10_are_few():
    assert max(steps_to(balls(32), pair(10.0), 1e-6)) <= 22  # coarse spheres touch: 20 are the finer cell's


@pytest.mark.slow
def test_iterations_of_the_reference_cell_at_contrast_10():
    assert max(steps_to(balls(64), pair(10.0), 1e-6)) <= 20


@pytest.mark.slow
def test_iterations_of_the_reference_cell_at_contrast_1000():
    assert max(steps_to(balls(64), pair(1000.0), 1e-6, double=True)) <= 146


def test_iterations_beside_voids():
    x = 2 * np.pi * np.indices((24,) * 3) / 24
    labels = (np.cos(x).sum(axis=0) > 0).astype(np.uint8)
    stiffness = pair(1.0)
    stiffness[0] = 0
    assert max(steps_to(labels, stiffness, 1e-6)) <= 45
