"""Coarse cores: published benchmarks, exact modes, orders of convergence, derivatives, invariants."""

from dataclasses import replace

import numpy as np
import pytest

from core_samples import FUEL, MATERIALS, three_groups
from scalebridge.core.errors import SolverError
from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_derivatives import factor_slopes
from scalebridge.reactor.core_inputs import on_mesh, read_core
from scalebridge.reactor.core_methods import adjoint_flux, solve_volumes
from scalebridge.reactor.core_problems import core_benchmark
from scalebridge.reactor.solve_core import solve_core

PCM = 1e-5
QUICK = {"mesh_error": False, "derivatives": False}


def power_errors(problem, found):
    made = np.isfinite(problem.power)
    return found.power[made] / problem.power[made] - 1


def test_iaea_core_is_that_of_the_benchmark_book():
    # k within 2 pcm and assembly powers within 0.3 %, as the reference has five and four digits.
    problem = core_benchmark("iaea2d")
    found = solve_core(**problem.arguments, largest_cell=problem.assembly / 2)
    assert abs(found.k - problem.k) < 2 * PCM
    assert np.abs(power_errors(problem, found)).max() < 3e-3
    assert abs(found.k - problem.k) < found.mesh_error < 15 * PCM
    assert found.passed


def test_biblis_core_is_within_5_pcm():
    problem = core_benchmark("biblis2d")
    found = solve_core(**problem.arguments, largest_cell=problem.assembly / 2, **QUICK)
    assert abs(found.k - problem.k) < 5 * PCM
    assert found.passed


def test_finite_volumes_converge_with_the_second_order():
    # Errors against the nodal expansion on fine nodes, which is of higher order. Corners of the reflector
    # hold the order below two on coarse meshes: 1.8 from 8 to 16 volumes an assembly edge, 2.0 from 16 to 32.
    problem = core_benchmark("iaea2d")
    exact = solve_core(**problem.arguments, largest_cell=problem.assembly / 4, **QUICK).k
    ks = [
        solve_core(**problem.arguments, method="volumes", largest_cell=problem.assembly / n, **QUICK).k
        for n in (8, 16)
    ]
    order = np.log2((ks[0] - exact) / (ks[1] - exact))
    assert order == pytest.approx(2.0, abs=0.25)
    # k is that of an independent program with the same volumes, to its six digits
    assert ks == pytest.approx([1.029431, 1.029541], abs=6e-7)


def square_mode(method, cells, size=60.0):
    found = solve_core(
        [["f"]], {"f": FUEL}, pitch=size, boundary="zero flux", method=method,
        largest_cell=size / cells, rtol=1e-11, **QUICK,
    )  # fmt: skip
    return found.k


def two_group_k(buckling):
    lost = np.array(FUEL["absorption"]) + np.array([0.02, 0.0]) + np.array(FUEL["diffusion"]) * buckling
    fast, slow = 1 / lost[0], 0.02 / lost[0] / lost[1]
    return FUEL["nu_fission"][0] * fast + FUEL["nu_fission"][1] * slow


def test_a_bare_square_has_the_exact_discrete_mode():
    # Volumes with zero flux at the faces have sines as modes, with the buckling (2 / h sin(pi h / 2 a))^2.
    for cells in (5, 12):
        h = 60.0 / cells
        discrete = 2 * (2 / h * np.sin(np.pi * h / 2 / 60.0)) ** 2
        assert square_mode("volumes", cells) == pytest.approx(two_group_k(discrete), rel=1e-10)


def test_the_nodal_expansion_converges_with_the_fourth_order_on_a_bare_square():
    exact = two_group_k(2 * (np.pi / 60.0) ** 2)
    errors = [square_mode("nodal", cells) - exact for cells in (4, 8)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4.0, abs=0.2)
    assert abs(errors[1]) < 10 * PCM  # 280 by finite volumes on the same nodes


def test_simplified_p3_has_the_exact_discrete_mode():
    cells, h = 8, 7.5
    buckling = 2 * (2 / h * np.sin(np.pi * h / 2 / 60.0)) ** 2
    diffusion, total = np.array(FUEL["diffusion"]), 1 / (3 * np.array(FUEL["diffusion"]))
    removal = np.array(FUEL["absorption"]) + np.array([0.02, 0.0])
    fluxes, source = [], 1.0
    for g in range(2):
        second = 9 / (35 * total[g]) * buckling + total[g] + 0.8 * removal[g]
        matrix = [[diffusion[g] * buckling + removal[g], -2 * removal[g]], [-0.4 * removal[g], second]]
        first, moment = np.linalg.solve(matrix, [source, -0.4 * source])
        fluxes.append(first - 2 * moment)
        source = 0.02 * fluxes[0]
    exact = np.dot(FUEL["nu_fission"], fluxes)
    assert square_mode("sp3", cells) == pytest.approx(exact, rel=1e-10)


def test_a_slab_with_vacuum_sides_has_the_k_of_marshaks_condition():
    # One group: D B tan(B a / 2) = 1/2, k = nu_fission / (absorption + D B^2); order two in the mesh.
    diffusion, absorbed, made, width = 1.2, 0.05, 0.06, 30.0
    low, high = 0.0, np.pi / width
    for _ in range(100):
        middle = (low + high) / 2
        over = diffusion * middle * np.tan(middle * width / 2) > 0.5
        low, high = (low, middle) if over else (middle, high)
    exact = made / (absorbed + diffusion * low**2)
    slab = {
        "diffusion": [diffusion],
        "absorption": [absorbed],
        "nu_fission": [made],
        "chi": [1],
        "scatter": [[0]],
    }
    ks = [
        solve_core(
            ["s"], {"s": slab}, pitch=width, boundary="vacuum", method=method, largest_cell=width / n, **QUICK
        ).k
        for method, n in (("volumes", 10), ("volumes", 20), ("nodal", 4))
    ]  # fmt: skip
    assert (ks[0] - exact) / (ks[1] - exact) == pytest.approx(4.0, abs=0.1)
    assert ks[2] == pytest.approx(exact, abs=0.1 * PCM)


@pytest.mark.parametrize("method", ["nodal", "volumes", "sp3"])
def test_a_solid_core_without_leakage_along_two_axes_is_a_line(method):
    materials = three_groups(1)
    sides = {"top": "vacuum", "bottom": "reflective", "others": "periodic"}
    layers = [[["a"] * 2] * 2] * 2 + [[["b"] * 2] * 2]
    solid = solve_core(
        layers, materials, pitch=[5, 5, 8], boundary=sides, method=method, largest_cell=8, **QUICK
    )
    line = solve_core(
        ["a", "a", "b"], materials, pitch=8, boundary={"east": "vacuum", "west": "reflective"},
        method=method, largest_cell=8, **QUICK,
    )  # fmt: skip
    assert solid.k == pytest.approx(line.k, rel=1e-8)
    np.testing.assert_allclose(solid.power[:, 1, 0], line.power, rtol=1e-6)


def test_boundaries_agree_where_they_are_the_same():
    def k(side, method="volumes"):
        return solve_core(
            [["f", "w"]], MATERIALS, pitch=10, boundary={"east": side, "others": "reflective"},
            method=method, largest_cell=5, **QUICK,
        ).k  # fmt: skip

    for method in ("volumes", "nodal", "sp3"):
        assert k("vacuum", method) == pytest.approx(k(0.0, method), rel=1e-9)
        assert k("reflective", method) == pytest.approx(k(1.0, method), rel=1e-9)
        assert k("zero flux", method) < k("vacuum", method) < k([0.5, 0.9], method) < k("reflective", method)


def test_a_periodic_core_is_the_same_wherever_it_is_cut():
    rows = [["f", "m", "w", "w"], ["m", "f", "w", "f"]]
    turned = [row[1:] + row[:1] for row in rows]
    ks = [
        solve_core(r, MATERIALS, pitch=4, boundary="periodic", method=method, largest_cell=cell, **QUICK).k
        for r in (rows, turned)
        for method, cell in (("nodal", None), ("volumes", 2.0))
    ]
    assert ks[:2] == pytest.approx(ks[2:], rel=1e-8)


def test_north_is_the_first_row():
    core = [["f", "f"], ["w", "w"]]
    found = solve_core(
        core, MATERIALS, pitch=10, boundary={"south": "vacuum", "others": "reflective"}, **QUICK
    )
    other = solve_core(
        core, MATERIALS, pitch=10, boundary={"north": "vacuum", "others": "reflective"}, **QUICK
    )
    assert found.k > other.k
    assert np.isfinite(found.power).all()
    assert (found.power[1] == 0).all()


DERIVED = {
    "pitch": [[5, 7, 4], 6],
    "boundary": {"west": "reflective", "north": [0.5, 0.4, 0.3], "east": "vacuum", "south": "zero flux"},
    "largest_cell": 3.0,
    "buckling": 1e-3,
    "rtol": 1e-12,
    "method": "volumes",
}
CORE = [["a", "b", "r"], ["b", "a", "r"], ["r", "r", "."]]


@pytest.mark.parametrize("method", ["volumes", "nodal", "sp3"])
def test_derivatives_of_k_are_those_of_central_differences(method):
    materials = three_groups(2)
    told = {**DERIVED, "method": method}
    if method == "sp3":  # without factors, and with total cross-sections that are no 1 / (3 D)
        materials = {
            name: {**one, "total": 0.4 / np.array(one["diffusion"])} for name, one in materials.items()
        }
    else:
        told["factors"] = np.random.default_rng(3).uniform(0.8, 1.2, (3, 3, 4, 3))
    found = solve_core(CORE, materials, **told)
    assert found.passed

    def k(region, key, place, step):
        value = np.array(materials[region][key], dtype=float)
        value[place] += step
        changed = {**materials, region: {**materials[region], key: value}}
        return solve_core(CORE, changed, **told, **QUICK).k

    cases = (
        ("r", "diffusion", (2,)), ("a", "diffusion", (0,)), ("b", "absorption", (1,)),
        ("r", "scatter", (0, 2)), ("a", "scatter", (2, 0)), ("a", "nu_fission", (2,)), ("a", "chi", (0,)),
    )  # fmt: skip
    by_total = (("r", "total", (2,)), ("a", "total", (0,))) if method == "sp3" else ()
    for region, key, place in (*by_total, *cases[:: 3 if method == "nodal" else 1]):
        step = 1e-4 * np.array(materials[region][key])[place]
        wanted = (k(region, key, place, step) - k(region, key, place, -step)) / (2 * step)
        assert found.derivatives[key][found.names.index(region)][place] == pytest.approx(wanted, rel=1e-6)


def test_the_adjoint_of_the_nodal_expansion_is_that_of_fine_volumes():
    fuel, water = three_groups(2)["a"], three_groups(2)["r"]
    core = [[["f", "f"], ["f", "w"]], [["f", "f"], ["w", "f"]]]
    told = {"pitch": 4.0, "boundary": {"west": "reflective", "others": "zero flux"}, "rtol": 1e-11}
    found = solve_core(
        core, {"f": fuel, "w": water}, largest_cell=2.0, method="nodal", mesh_error=False, **told
    )
    fine = solve_core(
        core, {"f": fuel, "w": water}, largest_cell=0.67, method="volumes", mesh_error=False, **told
    )
    assert found.passed
    ends = (one.adjoint / np.abs(one.adjoint).max() for one in (found, fine))
    assert np.allclose(*ends, atol=0.02)  # nodes of 2 cm, k within 0.5 %
    for key in ("diffusion", "absorption", "nu_fission"):
        assert np.allclose(found.derivatives[key], fine.derivatives[key], rtol=0.08), key


def test_derivatives_by_discontinuity_factors_are_those_of_central_differences():
    given = read_core(
        CORE, three_groups(2), pitch=6, boundary="vacuum", largest_cell=3.0,
        factors=np.random.default_rng(3).uniform(0.8, 1.2, (3, 3, 4, 3)),
    )  # fmt: skip
    problem = on_mesh(given)
    solution = solve_volumes(problem, 1e-12)
    slopes = factor_slopes(problem, solution, adjoint_flux(solution, 1e-12)[1])
    for name, face in (("lower", 5), ("upper", 11), ("rim", 8)):
        ks = []
        for step in (1e-4, -1e-4):
            value = getattr(problem.factor, name).copy()
            value[face, 1] += step
            factor = replace(problem.factor, **{name: value})
            ks.append(solve_volumes(replace(problem, factor=factor), 1e-12).k)
        assert getattr(slopes, name)[face, 1] == pytest.approx((ks[0] - ks[1]) / 2e-4, rel=1e-5, abs=1e-9)


def test_factors_alike_on_both_sides_change_nothing():
    # Only ratios of factors across a face matter, and at faces that reflect none do.
    materials = three_groups(4)
    told = {"pitch": 6, "boundary": "reflective", "method": "volumes", **QUICK}
    plain = solve_core([["a", "b"], ["b", "a"]], materials, **told)
    alike = solve_core([["a", "b"], ["b", "a"]], materials, factors={"a": [1.3] * 3, "b": [1.3] * 3}, **told)
    other = solve_core([["a", "b"], ["b", "a"]], materials, factors={"a": [1.3] * 3}, **told)
    assert alike.k == pytest.approx(plain.k, rel=1e-10)
    assert abs(other.k - plain.k) > 10 * PCM


def test_nodal_expansion_and_volumes_with_factors_meet_on_a_fine_mesh():
    materials, core = three_groups(4), [["a", "b"], ["b", "a"]]
    told = {"pitch": 6, "boundary": "reflective", "factors": {"a": [1.2, 0.9, 1.1]}, **QUICK}
    nodal = solve_core(core, materials, largest_cell=1.5, **told)
    fine = [solve_core(core, materials, method="volumes", largest_cell=c, **told).k for c in (0.6, 0.3)]
    assert nodal.k == pytest.approx(fine[1] + (fine[1] - fine[0]) / 3, abs=5 * PCM)


def test_what_does_not_converge_says_so():
    problem = core_benchmark("iaea2d")
    with pytest.raises(SolverError, match="raise max_steps"):
        solve_core(**problem.arguments, max_steps=2)
    found = solve_core(**problem.arguments, max_steps=2, throw=False)
    assert not found.passed
    with pytest.raises(SolverError, match="largest_cell"):  # nodes of nine diffusion lengths, all of it leaks
        solve_core([["f", "w"]], MATERIALS, pitch=20, boundary="vacuum")


@pytest.mark.parametrize("method", ["nodal", "volumes", "sp3"])
def test_a_group_that_nothing_reaches_and_a_core_of_one_node_are_solved(method):
    dead = FUEL | {"chi": [0, 1]}
    found = solve_core(["f", "f"], {"f": dead}, pitch=10, boundary="reflective", method=method)
    assert found.k == pytest.approx(0.135 / 0.08, rel=1e-9)
    assert (found.flux[:, 0] == 0).all()
    assert solve_core(["f"], {"f": dead}, pitch=10, boundary="vacuum", method=method).passed


def test_a_study_is_saved_whole(tmp_path):
    found = solve_core([["f", "w"]], MATERIALS, pitch=10, boundary="vacuum", method="volumes")
    text = found.save(tmp_path / "core.json").read_text()
    assert "[from, to]" in text
    assert isinstance(found.problem.constants, CoreConstants)
    assert "by the mesh" in str(found)
