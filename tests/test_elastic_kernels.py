"""The compiled elastic path against dense assembly by Gauss quadrature, exact laminates and differences.

Tolerances: a product is exact to the rounding of some hundred operations on numbers of order ten (1e-13 of
the largest); a converged solution differs from the dense one by its stop, 1e-12 of the energy; a centred
difference of a quadratic form with step 1e-4 has a relative error of 1e-8.
"""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elastic_samples import (
    RULES,
    any_stiffness,
    dense_answer,
    dense_problem,
    isotropic,
    laminate,
    symmetric,
    table,
)
from scalebridge.cells.elasticity_host import HostElasticity, Solid
from scalebridge.core.results import Outcome
from scalebridge.grids.elastic_hexahedra import (
    ElasticKernels,
    elastic_table,
    grid_axes,
    grid_axes_stiffness,
    grid_index,
    stiffness_slopes,
)
from scalebridge.grids.transforms import FIXED, FREE
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.tangent import converged, table_sensitivity, watched_tangent

ROUNDING = 1e-13
SHAPE, SPACING = (3, 4, 5), (1.0, 1.3, 0.7)
LABELS = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)
KINDS = ("isotropic", "general")
TIGHT = ConjugateGradients(rtol=1e-13, residual_rtol=1e-9)


def cell(stiffness, labels, *, expansion=None, rule="full", boundary="periodic", spacing=SPACING, **options):
    solver, general = options.pop("solver", TIGHT), options.pop("general", False)
    solid = Solid(np.asarray(stiffness, float), expansion, labels, rule, general)
    return HostElasticity(labels.shape, spacing, solid, solver, boundary, **options)


def tangent(model):
    found = watched_tangent(model)
    assert converged(found.codes)
    return np.asarray(found.value)


def flat(u):
    """A field of the kernels in the order of the dense problem: nodes in C order, three a node."""
    return np.moveaxis(u, 1, -1).reshape(-1)


# ------------------------------------------------------------------------------------------------ kernels


@pytest.mark.parametrize("ends", ["periodic", "box"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_a_product_is_that_of_the_assembled_matrix(rule, kind, ends):
    rng = np.random.default_rng(1)
    stiffness = table(kind, rng)
    periodic = ends == "periodic"
    matrix, load = dense_problem(stiffness[LABELS], rule, SPACING, periodic=periodic)
    kernels = ElasticKernels(SHAPE, SPACING) if periodic else ElasticKernels(SHAPE, SPACING, FREE)
    rows = elastic_table(stiffness, LABELS, rule)
    assert rows.isotropic == (kind == "isotropic")
    u, strain, out = rng.normal(size=kernels.nodes), rng.normal(size=6), np.empty(kernels.nodes)
    product, _ = kernels.product(rows, u, None, out)
    wanted = matrix @ flat(u)
    np.testing.assert_allclose(flat(out), wanted, atol=ROUNDING * abs(wanted).max())
    assert product == pytest.approx(flat(u) @ wanted, rel=ROUNDING * 10)
    stress = kernels.product(rows, u, strain, out)[1]
    wanted = matrix @ flat(u) + load @ strain
    np.testing.assert_allclose(flat(out), wanted, atol=ROUNDING * abs(wanted).max())
    whole = stiffness[LABELS].mean(axis=(0, 1, 2)) @ strain + load.T @ flat(u) / LABELS.size
    np.testing.assert_allclose(stress, whole, atol=ROUNDING * abs(whole).max())


def test_fixed_faces_leave_the_forces_inside():
    rng = np.random.default_rng(2)
    kernels = ElasticKernels(SHAPE, SPACING, FIXED)
    stiffness = table("general", rng)
    matrix, _ = dense_problem(stiffness[LABELS], "full", SPACING, periodic=False)
    u, out = np.zeros(kernels.nodes), np.empty(kernels.nodes)
    u[1:-1, :, 1:-1, 1:-1] = rng.normal(size=(2, 3, 3, 4))
    kernels.product(elastic_table(stiffness, LABELS, "full"), u, None, out)
    wanted = np.moveaxis((matrix @ flat(u)).reshape(4, 5, 6, 3), -1, 1).copy()
    for axis in (0, 2, 3):
        np.moveaxis(wanted, axis, 0)[[0, -1]] = 0.0
    np.testing.assert_allclose(out, wanted, atol=ROUNDING * abs(wanted).max())


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_threads_and_types_change_nothing_but_rounding(rule, single, monkeypatch):
    rng = np.random.default_rng(3)
    kernels, stiffness = ElasticKernels(SHAPE, SPACING), table("general", rng)
    rows, own = elastic_table(stiffness, LABELS, rule), rng.normal(size=(3, 6))
    u, strain = rng.normal(size=kernels.nodes), rng.normal(size=6)
    whole, parts = np.empty(kernels.nodes), np.empty(kernels.nodes, np.float32 if single else float)
    one = kernels.product(rows, u, strain, whole, own)
    monkeypatch.setattr(ElasticKernels, "_threads", property(lambda _: 3))
    other = kernels.product(rows, u.astype(parts.dtype), strain, parts, own)
    tolerance = (1e-5 if single else ROUNDING) * abs(whole).max()
    np.testing.assert_allclose(parts, whole, atol=tolerance)
    np.testing.assert_allclose(other[1], one[1], atol=tolerance)
    assert other[0] == pytest.approx(one[0], rel=1e-4 if single else 1e-11)


@given(st.integers(1, 7), st.integers(1, 6), st.integers(1, 6), st.sampled_from(RULES), st.booleans())
def test_the_inverse_undoes_a_homogeneous_medium(nx, ny, nz, rule, single):
    """K of a homogeneous medium, then its inverse, then K again: the same forces, in pascals or not."""
    kind = np.dtype(np.float32 if single else np.float64)
    shape, rng = (nx, ny, nz), np.random.default_rng(nx + 10 * ny + 100 * nz)
    medium = 1e11 * any_stiffness(rng)
    kernels = ElasticKernels(shape, SPACING)
    rows = elastic_table(medium[None], np.zeros(shape, np.uint8), rule)
    u = rng.normal(size=kernels.nodes)
    forces, found, again = np.empty(u.shape), np.empty(u.shape, kind), np.empty(u.shape)
    kernels.product(rows, u, None, forces)

    def keep(low, high, z):
        found[low:high] = z

    product = kernels.inverse(medium, rule, kind).sweep(forces.astype(kind), None, lambda _: keep)
    kernels.product(rows, found.astype(float), None, again)
    tolerance = 3e-4 if single else 1e-11  # the condition of a wave's matrix times the rounding
    np.testing.assert_allclose(again, forces, atol=tolerance * max(abs(forces).max(), 1.0))
    assert product == pytest.approx(float(np.vdot(forces, found)), rel=tolerance, abs=tolerance)
    if rule != "reduced":  # it has hourglass modes, which carry no forces
        wanted = u - u.mean(axis=(0, 2, 3), keepdims=True)
        np.testing.assert_allclose(found, wanted, atol=tolerance * 10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_slopes_of_an_energy_are_its_differences(rule, kind):
    rng = np.random.default_rng(4)
    kernels, stiffness = ElasticKernels(SHAPE, SPACING), table(kind, rng)
    first, second = ((rng.normal(size=kernels.nodes), rng.normal(size=6)) for _ in range(2))
    change = table("isotropic", rng) if kind == "isotropic" else np.array([symmetric(rng) for _ in range(3)])

    def energy(part):
        return kernels.energies(elastic_table(stiffness + part * change, LABELS, rule), [first, second])[0][
            0, 1
        ]

    rows = elastic_table(stiffness, LABELS, rule)
    found = stiffness_slopes(kernels.slopes(rows, first, second), rows)
    np.testing.assert_allclose(found, np.swapaxes(found, 1, 2), atol=1e-14 * abs(found).max())
    wanted = (energy(0.1) - energy(-0.1)) / 0.2  # linear in the stiffness: no error of a difference
    assert np.sum(found * change) == pytest.approx(wanted, rel=1e-11, abs=1e-11)
    assert np.sum(found * stiffness) == pytest.approx(energy(0.0), rel=1e-11, abs=1e-11)


def test_strains_of_the_rows_add_up_to_the_mean_and_fields_to_the_stress():
    rng = np.random.default_rng(5)
    kernels, stiffness = ElasticKernels(SHAPE, SPACING), table("general", rng)
    rows, own = elastic_table(stiffness, LABELS, "b-bar"), rng.normal(size=(3, 6))
    u, strain = rng.normal(size=kernels.nodes), rng.normal(size=6)
    parts = kernels.row_strains(rows, (u, strain))
    np.testing.assert_allclose(parts.sum(axis=0), strain, atol=1e-13)
    field = kernels.strain_field(u, strain)
    for row in range(3):
        np.testing.assert_allclose(parts[row], field[:, row == LABELS].sum(axis=1) / LABELS.size, atol=1e-13)
    local = np.einsum("xyzij,jxyz->ixyz", stiffness[LABELS], field) - np.moveaxis(own[LABELS], -1, 0)
    np.testing.assert_allclose(kernels.stress_field(rows, u, strain, own), local, atol=1e-12)
    mean = kernels.product(rows, u, strain, np.empty(u.shape), own)[1]
    np.testing.assert_allclose(local.mean(axis=(1, 2, 3)), mean, atol=1e-12)


# -------------------------------------------------------------------------------------------- the solved cell


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", RULES)
def test_a_cell_answers_as_the_dense_problem_does(rule, kind):
    """Stiffness, thermal stress and thermal constant; and energies of cases are their answers."""
    rng = np.random.default_rng(6)
    stiffness, expansion = table(kind, rng), rng.normal(size=(3, 6))
    found = watched_tangent(cell(stiffness, LABELS, expansion=expansion, rule=rule))
    value = np.asarray(found.value)
    wanted = dense_answer(stiffness[LABELS], rule, SPACING, expansion[LABELS])
    np.testing.assert_allclose(value, wanted, atol=1e-10 * abs(wanted).max())
    assert converged(found.codes)
    assert found.gap < 1e-8  # the answers' error is the fields', the root of the energies'


def test_rules_differ_where_they_should():
    """Full integration is the stiffest, one point the softest; all of one phase agree."""
    rng = np.random.default_rng(7)
    stiffness = table("isotropic", rng)
    full, bar, one = (tangent(cell(stiffness, LABELS, rule=rule)) for rule in RULES)
    assert np.linalg.eigvalsh(full - bar).min() > -1e-10
    assert np.linalg.eigvalsh(bar - one).min() > -1e-10
    assert np.linalg.norm(full - one) > 1e-3
    for rule in RULES:
        alone = tangent(cell(stiffness[:1], np.zeros(SHAPE, np.uint8), rule=rule))
        np.testing.assert_allclose(alone, stiffness[0], atol=1e-12 * stiffness[0, 0, 0])


@pytest.mark.parametrize("rule", ["full", "reduced"])
def test_a_laminate_is_exact_with_its_expansion(rule):
    rng = np.random.default_rng(8)
    stiffness, expansion = (
        np.array([any_stiffness(rng, 2.0), 3 * any_stiffness(rng, 2.0)]),
        rng.normal(size=(2, 6)),
    )
    labels = np.zeros((4, 3, 2), np.uint8)
    labels[3] = 1
    # 1e-12 asks for a solution without any error of the iteration: the energy's is the square of 1e-10.
    solver = ConjugateGradients(rtol=1e-15, residual_rtol=1e-10)
    value = tangent(cell(stiffness, labels, expansion=expansion, rule=rule, solver=solver))
    whole, free = laminate(stiffness, expansion, (0.75, 0.25))
    np.testing.assert_allclose(value[:6, :6], whole, atol=1e-12 * abs(whole).max())
    np.testing.assert_allclose(
        np.linalg.solve(value[:6, :6], -value[:6, 6]), free, atol=1e-12 * abs(free).max()
    )


def test_a_uniform_expansion_stresses_nothing():
    rng = np.random.default_rng(9)
    stiffness, free = table("general", rng), rng.normal(size=6)
    value = tangent(cell(stiffness, LABELS, expansion=np.tile(free, (3, 1))))
    np.testing.assert_allclose(value[:6, 6], -value[:6, :6] @ free, rtol=1e-9)
    assert value[6, 6] == pytest.approx(free @ value[:6, :6] @ free, rel=1e-9)


def test_levin_holds_on_any_grid():
    """Levin (1967): of two phases the expansion follows from the stiffness, exactly on every grid and rule.

    V. M. Levin, Mekh. Tverd. Tela 2, 88.
    """
    rng = np.random.default_rng(10)
    stiffness = np.array([isotropic(2.0, 1.0), isotropic(9.0, 7.0)])
    expansion = rng.normal(size=(2, 6))
    value = tangent(cell(stiffness, LABELS % 2, expansion=expansion, rule="b-bar"))
    soft = np.linalg.inv(stiffness)
    jump = np.linalg.solve(soft[0] - soft[1], expansion[0] - expansion[1])
    wanted = expansion[1] + (np.linalg.inv(value[:6, :6]) - soft[1]) @ jump
    found = np.linalg.solve(value[:6, :6], -value[:6, 6])
    np.testing.assert_allclose(found, wanted, atol=1e-8 * abs(wanted).max())


@pytest.mark.parametrize("boundary", ["periodic", "uniform-strain", "uniform-stress"])
@pytest.mark.parametrize("kind", KINDS)
def test_slopes_of_the_tangent_are_its_differences(kind, boundary):
    """By stiffness and by expansion, the thermal case included; of a compliance with the opposite sign."""
    rng = np.random.default_rng(11)
    stiffness, expansion = table(kind, rng), rng.normal(size=(3, 6))
    by_stiffness = (
        table("isotropic", rng) if kind == "isotropic" else np.array([symmetric(rng) for _ in range(3)])
    )
    by_expansion = rng.normal(size=(3, 6))

    def at(part):
        moved, free = stiffness + part * by_stiffness, expansion + part * by_expansion
        return cell(moved, LABELS, expansion=free, boundary=boundary)

    model = at(0.0)
    slopes = table_sensitivity(model, watched_tangent(model))
    change = np.concatenate([by_stiffness.reshape(3, 36), by_expansion], axis=1)
    found = np.einsum("ijrk,rk->ij", slopes, change) * (-1 if boundary == "uniform-stress" else 1)
    wanted = (tangent(at(1e-4)) - tangent(at(-1e-4))) / 2e-4
    np.testing.assert_allclose(found, wanted, atol=1e-6 * abs(wanted).max())


@pytest.mark.slow  # every shape plans and solves anew
@pytest.mark.timeout(1800)
@given(st.integers(0, 10**6), st.sampled_from(RULES[:2]))
def test_uniform_faces_bracket_the_periodic_answer(seed, rule):
    """In Loewner's order, and all three lie between the means of stiffness and of compliance."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 5, 3))
    labels = rng.integers(0, 2, shape).astype(np.uint8)
    stiffness = np.array([any_stiffness(rng), 5 * any_stiffness(rng)])
    # Loewner's order holds of the discrete energies to their error.
    stiff, middle = (
        tangent(cell(stiffness, labels, rule=rule, boundary=b)) for b in ("uniform-strain", "periodic")
    )
    soft = np.linalg.inv(tangent(cell(stiffness, labels, rule=rule, boundary="uniform-stress")))
    weights = np.bincount(labels.ravel(), minlength=2) / labels.size
    voigt = np.tensordot(weights, stiffness, 1)
    reuss = np.linalg.inv(np.tensordot(weights, np.linalg.inv(stiffness), 1))
    chain = [reuss, middle, stiff, voigt] if rule == "full" else [middle, stiff, voigt]
    for low, high in [*pairwise(chain), (soft, middle)]:
        assert np.linalg.eigvalsh(high - low).min() > -1e-9 * voigt[0, 0]


@pytest.mark.parametrize("boundary", ["periodic", "uniform-strain", "uniform-stress"])
def test_float32_reaches_the_stop_that_float64_does(boundary):
    labels = np.random.default_rng(12).integers(0, 2, (8, 7, 6)).astype(np.uint8)
    stiffness = 1e9 * np.array([isotropic(1.0, 0.6), isotropic(12.0, 9.0)])
    solver = ConjugateGradients(rtol=1e-8, residual_rtol=1e-6)
    models = [
        cell(stiffness, labels, boundary=boundary, solver=solver, double=double) for double in (False, True)
    ]
    assert [model.dtype.name for model in models] == ["float32", "float64"]
    single, double = (watched_tangent(model) for model in models)
    assert single.codes == [Outcome.converged] * 6
    for one in single.responses:
        assert one.stats["residuals"][-1] <= solver.residual_rtol  # the true one, computed in float64
    scale = np.abs(double.value).max()
    # Two energies, each within 1e-8: by a bound in a box that repeats, by an estimate from the last steps'
    # falls elsewhere, which may be half of what is missing.
    np.testing.assert_allclose(
        single.value, double.value, atol=(2e-8 if boundary == "periodic" else 4e-8) * scale
    )
    steps = [[int(r.stats["steps"]) for r in t.responses] for t in (single, double)]
    assert max(abs(a - b) for a, b in zip(*steps, strict=True)) <= 2


@pytest.mark.parametrize("rule", RULES)
def test_a_planar_image_is_the_cross_section_of_cylinders(rule):
    rng = np.random.default_rng(13)
    stiffness, expansion = table("general", rng), rng.normal(size=(3, 6))
    labels = rng.integers(0, 3, (5, 4)).astype(np.uint8)
    flat_cell = cell(
        grid_axes_stiffness(stiffness, 2),
        grid_index(labels),
        expansion=grid_axes(expansion, 2),
        rule=rule,
        spacing=(1.0, 1.0, 0.8),
    )
    long = np.repeat(labels[:, :, None], 3, axis=2)
    space = tangent(cell(stiffness, long, expansion=expansion, rule=rule, spacing=(1.0, 0.8, 1.7)))
    found = tangent(flat_cell)
    order = np.array([*grid_axes(np.arange(6), 2), 6])
    np.testing.assert_allclose(found[np.ix_(order, order)], space, atol=1e-9 * abs(space).max())


@pytest.mark.parametrize("rule", ["full", "b-bar"])
def test_voids_are_exact_zeros(rule):
    """A box with a hollow against the dense problem; the least-squares solution leaves out its zero rows."""
    shape = (4, 4, 5)
    labels = np.zeros(shape, np.uint8)
    labels[1:3, 1:3, 1:4] = 1
    stiffness = np.array([isotropic(5.0, 3.0), np.zeros((6, 6))])
    found = watched_tangent(cell(stiffness, labels, rule=rule))
    wanted = dense_answer(stiffness[labels], rule, SPACING)
    np.testing.assert_allclose(found.value, wanted, atol=1e-9 * abs(wanted).max())
    assert converged(found.codes)


def test_a_stack_of_plates_with_gaps_carries_nothing_across():
    """An answer that vanishes ends by the energy at rest, and is zero to the accuracy asked for."""
    labels = np.zeros((4, 3, 3), np.uint8)
    labels[2:] = 1
    stiffness = np.array([isotropic(5.0, 3.0), np.zeros((6, 6))])
    found = watched_tangent(cell(stiffness, labels, solver=ConjugateGradients(rtol=1e-6, residual_rtol=1e-3)))
    value = np.asarray(found.value)
    assert converged(found.codes)
    assert np.abs(value[[0, 4, 5]]).max() < 1e-6 * stiffness[0, 0, 0]
    plate = stiffness[0][np.ix_([1, 2, 3], [1, 2, 3])] - np.outer(stiffness[0, 1:4, 0], stiffness[0, 0, 1:4]) / stiffness[0, 0, 0]  # fmt: skip  # noqa: E501
    np.testing.assert_allclose(value[1:4, 1:4], plate / 2, atol=1e-5 * plate.max())


def test_a_start_near_the_solution_is_used_and_gives_the_same():
    rng = np.random.default_rng(14)
    stiffness, solver = table("general", rng), ConjugateGradients(rtol=1e-9, residual_rtol=1e-6)
    cold = watched_tangent(cell(stiffness, LABELS, solver=solver))
    model = cell(1.01 * stiffness + 0.01 * np.eye(6), LABELS, solver=solver)
    fresh = watched_tangent(model)
    for case, response in enumerate(cold.responses):
        model.starts[case] = response.fields[0].copy()
    warm = watched_tangent(model)
    np.testing.assert_allclose(warm.value, fresh.value, atol=1e-8 * np.abs(fresh.value).max())
    assert sum(int(r.stats["steps"]) for r in warm.responses) < sum(
        int(r.stats["steps"]) for r in fresh.responses
    )


def test_the_bound_of_the_spectrum_holds():
    """The energy of any field is at least `floor` times that of the reference, by every rule."""
    rng = np.random.default_rng(15)
    stiffness = table("general", rng)
    for rule in RULES:
        model = cell(stiffness, LABELS, rule=rule)
        assert model.floor > 0
        kernels, room = model.kernels, np.empty(model.kernels.nodes)
        whole = elastic_table(model.reference[None], np.zeros(SHAPE, np.uint8), rule)
        for _ in range(5):
            u = rng.normal(size=kernels.nodes)
            energy = kernels.product(model.solid.table, u, None, room)[0]
            assert energy >= model.floor * kernels.product(whole, u, None, room)[0]
    assert math.isclose(cell(stiffness[:1], LABELS * 0).floor, 1.0, rel_tol=1e-9)


@pytest.mark.parametrize("kind", ["isotropic", "general"])
def test_the_opposite_of_forces_is_their_opposite(kind):
    rng = np.random.default_rng(15)
    stiffness = table(kind, rng)
    kernels, rows = ElasticKernels(LABELS.shape, SPACING), elastic_table(stiffness, LABELS, "full")
    u, strain = rng.standard_normal(kernels.nodes), rng.standard_normal(6)
    forces, opposite = np.empty(kernels.nodes), np.empty(kernels.nodes)
    plain, turned = (
        kernels.product(rows, u, strain, forces),
        kernels.product(rows, u, strain, opposite, sign=-1),
    )
    np.testing.assert_array_equal(opposite, -forces)
    assert turned[0] == plain[0]
    np.testing.assert_array_equal(turned[1], plain[1])


@pytest.mark.parametrize("kind", ["isotropic", "general"])
def test_a_residual_in_single_precision_is_summed_in_double(kind):
    """Near equilibrium forces cancel: rounded before that, as at a box's faces, they would be off by 1e-7."""
    rng = np.random.default_rng(16)
    model = cell(table(kind, rng), LABELS, solver=ConjugateGradients(rtol=1e-9, residual_rtol=1e-6))
    u, load = watched_tangent(model).responses[0].fields
    narrow, wide = np.empty(u.shape, np.float32), np.empty(u.shape)
    for out in (narrow, wide):
        model.kernels.product(model.solid.table, u, load[:6], out)
    assert np.abs(wide).max() > 0
    np.testing.assert_allclose(narrow, wide, rtol=1e-7, atol=1e-14)  # one rounding; 1e-16 of a stress of 20


@pytest.mark.parametrize("kind", ["isotropic", "general"])
def test_energies_from_residuals_are_those_from_products(kind):
    rng = np.random.default_rng(17)
    model = cell(table(kind, rng), LABELS, solver=ConjugateGradients(rtol=1e-6, residual_rtol=1e-3))
    found = watched_tangent(model)
    fields = [response.fields for response in found.responses]
    by_products = model.energies(fields)  # what was known of the residuals has been used up
    # residuals of 1e-3, rounded to 6e-8 of themselves, times displacements
    np.testing.assert_allclose(found.value, by_products, rtol=0, atol=1e-11 * np.abs(by_products).max())
    alone = [model.finish(load, model.advance(model.begin(load), 1000)).fields for load in np.eye(6)[:2]]
    swapped = model.energies(alone[::-1])  # in another order than solved: by products
    np.testing.assert_allclose(swapped, by_products[1::-1, 1::-1], atol=1e-5 * np.abs(by_products).max())


@pytest.mark.parametrize("kind", ["isotropic", "general"])
def test_a_planar_sample_is_held_on_its_edges_alone(kind):
    """Strains across it are uniform as in a periodic cell; fixed nodes on its faces would leave Voigt's."""
    rng = np.random.default_rng(18)
    labels = rng.integers(0, 2, (6, 1, 7))
    stiffness = table(kind, rng)[:2]
    held, periodic = (tangent(cell(stiffness, labels, boundary=b)) for b in ("uniform-strain", "periodic"))
    voigt = np.tensordot(np.bincount(labels.ravel()) / labels.size, stiffness, 1)
    size = np.abs(voigt).max()
    assert np.linalg.eigvalsh(held - periodic).min() > -1e-9 * size
    assert np.linalg.eigvalsh(voigt - held).min() > -1e-9 * size
    assert np.linalg.eigvalsh(voigt - held).max() > 1e-3 * size
    same = cell(stiffness[[0, 0]], labels, boundary="uniform-strain")
    np.testing.assert_allclose(tangent(same), stiffness[0], atol=1e-12 * size)
