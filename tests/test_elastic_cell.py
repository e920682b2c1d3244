"""The traced elastic cell against the compiled one, its contract, and its derivatives.

Tolerances: products agree to rounding (1e-13 of the largest); solutions to the square of their residuals,
which stop at 1e-10 here; centred differences with step 1e-4 to 1e-7. Functions are compiled once a rule,
and shared.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elastic_samples import RULES, isotropic, symmetric, table
from scalebridge.cells.elasticity import ElasticCell
from scalebridge.cells.elasticity_host import HostElasticity, Solid
from scalebridge.grids.elastic_hexahedra import (
    ElasticKernels,
    elastic_table,
    grid_axes,
    grid_axes_stiffness,
    grid_index,
)
from scalebridge.grids.elastic_stencil import ElasticGreen, ElasticHexahedra, ElasticMedium
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.testing import check_linear_model
from scalebridge.upscaling.tangent import differentiable_tangent, table_sensitivity, watched_tangent

ROUNDING = 1e-13
SHAPE, SPACING = (4, 5, 3), (1.0, 1.3, 0.7)
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, SHAPE).astype(np.uint8)
STIFFNESS, EXPANSION = table("general", RNG), RNG.normal(size=(3, 6))
WEIGHTS = RNG.normal(size=(7, 7))
TIGHT = ConjugateGradients(rtol=1e-13, residual_rtol=1e-10, max_steps=300)


@eqx.filter_jit
def traced(stiffness, expansion, labels, rule="full", spacing=SPACING):
    """The tangent, and the slopes by both tables of its product with the weights."""

    def weighed(tables):
        cell = ElasticCell.of(tables[0], labels, spacing, expansion=tables[1], rule=rule, solver=TIGHT)
        found = differentiable_tangent(cell)
        return jnp.sum(WEIGHTS * found), found

    (_, found), slopes = jax.value_and_grad(weighed, has_aux=True)((stiffness, expansion))
    return found, slopes


def answer(stiffness, expansion, labels=LABELS, rule="full", spacing=SPACING):
    found, slopes = traced(*map(jnp.asarray, (stiffness, expansion, labels)), rule, spacing)
    return np.asarray(found), [np.asarray(slope) for slope in slopes]


def compiled(stiffness, expansion, labels=LABELS, rule="full", spacing=SPACING):
    solid = Solid(np.asarray(stiffness), expansion, labels, rule, general=True)
    return HostElasticity(labels.shape, spacing, solid, TIGHT)


def to_kernels(u):
    """(3, x, y, z) to the axes of the kernels, (x, 3, y, z)."""
    return np.ascontiguousarray(np.moveaxis(np.asarray(u), 0, 1))


@eqx.filter_jit
def probe(grid, medium, u, v, load):
    """All that is compared of a grid, in one function, because compiling is what it costs."""
    reference = medium.mean()
    uniform = ElasticMedium(reference[None], None, jnp.zeros_like(medium.index))
    still = jnp.zeros_like(load)
    forces = grid.forces(uniform, u, None)
    return {
        "forces": grid.forces(medium, u, load),
        "plain": grid.forces(medium, u, None),
        "energy": grid.energy(medium, (u, load), (v, 2 * load)),
        "uKu": grid.energy(medium, (u, still), (u, still)),
        "strain": grid.strain_field(u, load),
        "stress": grid.stress_field(medium, u, load),
        "uniform": forces,
        "back": grid.forces(uniform, ElasticGreen.of(grid, reference)(forces), None),
        "green": ElasticGreen.of(grid, reference)(u),
    }


@pytest.mark.parametrize("rule", RULES)
def test_the_grids_operators_are_those_of_the_kernels(rule):
    rng = np.random.default_rng(1)
    grid = ElasticHexahedra(SHAPE, SPACING, rule)
    medium = ElasticMedium(jnp.asarray(STIFFNESS), jnp.asarray(EXPANSION), jnp.asarray(LABELS))
    u, v, load = rng.normal(size=(3, *SHAPE)), rng.normal(size=(3, *SHAPE)), rng.normal(size=7)
    seen = {k: np.asarray(x) for k, x in probe(grid, medium, *map(jnp.asarray, (u, v, load))).items()}
    kernels, rows = ElasticKernels(SHAPE, SPACING), elastic_table(STIFFNESS, LABELS, rule)
    own, out = load[6] * np.einsum("rij,rj->ri", STIFFNESS, EXPANSION), np.empty(kernels.nodes)
    kernels.product(rows, to_kernels(u), load[:6], out, own)
    scale = abs(out).max()
    np.testing.assert_allclose(to_kernels(seen["forces"]), out, atol=ROUNDING * scale)
    product, _ = kernels.product(rows, to_kernels(u), None, out)
    np.testing.assert_allclose(to_kernels(seen["plain"]), out, atol=ROUNDING * scale)
    assert seen["uKu"] * LABELS.size == pytest.approx(product, rel=1e-12)
    host = compiled(STIFFNESS, EXPANSION, rule=rule)
    energy = host.energies([(to_kernels(u), load), (to_kernels(v), 2 * load)])[0, 1]
    assert seen["energy"] == pytest.approx(energy, rel=1e-11)
    np.testing.assert_allclose(seen["strain"], host.strain_field(to_kernels(u), load), atol=1e-12)
    np.testing.assert_allclose(seen["stress"], host.stress_field(to_kernels(u), load), atol=1e-11)
    np.testing.assert_allclose(seen["back"], seen["uniform"], atol=1e-11 * abs(seen["uniform"]).max())
    found = np.empty(kernels.nodes)

    def keep(low, high, z):
        found[low:high] = z

    host.kernels.inverse(host.reference, rule, np.dtype(float)).sweep(to_kernels(u), None, lambda _: keep)
    np.testing.assert_allclose(to_kernels(seen["green"]), found, atol=1e-11 * abs(found).max())


@pytest.mark.slow  # a traced tangent takes some twenty seconds to compile
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("rule", RULES)
def test_the_tangent_and_its_slopes_are_those_of_the_compiled_path(rule):
    found, slopes = answer(STIFFNESS, EXPANSION, rule=rule)
    host = compiled(STIFFNESS, EXPANSION, rule=rule)
    wanted = watched_tangent(host)
    np.testing.assert_allclose(found, wanted.value, atol=1e-9 * np.abs(wanted.value).max())
    closed = np.einsum("ij,ijrk->rk", WEIGHTS, table_sensitivity(host, wanted))
    scale = abs(closed).max()
    np.testing.assert_allclose(slopes[0].reshape(3, 36), closed[:, :36], atol=1e-8 * scale)
    np.testing.assert_allclose(slopes[1], closed[:, 36:], atol=1e-8 * scale)


@pytest.mark.slow  # a traced tangent takes some twenty seconds to compile
@pytest.mark.timeout(1800)
def test_slopes_are_differences():
    rng = np.random.default_rng(2)
    by_stiffness, by_expansion = np.array([symmetric(rng) for _ in range(3)]), rng.normal(size=(3, 6))
    _, slopes = answer(STIFFNESS, EXPANSION)
    step = 1e-4
    ahead, behind = (
        answer(STIFFNESS + part * by_stiffness, EXPANSION + part * by_expansion)[0] for part in (step, -step)
    )
    wanted = np.sum(WEIGHTS * (ahead - behind)) / (2 * step)
    found = np.sum(slopes[0] * by_stiffness) + np.sum(slopes[1] * by_expansion)
    assert found == pytest.approx(wanted, rel=1e-6)


@pytest.mark.slow  # a traced tangent takes some twenty seconds to compile
@pytest.mark.timeout(1800)
def test_expansion_can_be_differentiated_by_the_stiffness():
    """alpha* = -C*^-1 C*:alpha*, by forward differentiation, against a difference."""
    change = np.array([symmetric(np.random.default_rng(3)) for _ in range(3)])

    def free(value):
        return -jnp.linalg.solve(value[:6, :6], value[:6, 6])

    def of(part):
        table = jnp.asarray(STIFFNESS) + part * change
        cell = ElasticCell.of(
            table, jnp.asarray(LABELS), SPACING, expansion=jnp.asarray(EXPANSION), solver=TIGHT
        )
        return free(differentiable_tangent(cell))

    value, rate = eqx.filter_jit(lambda: jax.jvp(of, (0.0,), (1.0,)))()
    ahead, behind = (free(answer(STIFFNESS + part * change, EXPANSION)[0]) for part in (1e-4, -1e-4))
    np.testing.assert_allclose(rate, (ahead - behind) / 2e-4, atol=1e-6 * np.abs(rate).max())
    np.testing.assert_allclose(value, free(answer(STIFFNESS, EXPANSION)[0]), rtol=1e-9)


@pytest.mark.slow  # a traced tangent takes some twenty seconds to compile
@pytest.mark.timeout(1800)
def test_planar_images_take_the_same_embedding():
    labels = np.random.default_rng(4).integers(0, 3, (4, 6)).astype(np.uint8)
    stiffness, expansion = grid_axes_stiffness(STIFFNESS, 2), grid_axes(EXPANSION, 2)
    index, spacing = grid_index(labels), (1.0, 1.0, 0.7)
    assert index.shape == (4, 1, 6)
    found, slopes = answer(stiffness, expansion, index, "b-bar", spacing)
    host = compiled(stiffness, expansion, index, "b-bar", spacing)
    wanted = watched_tangent(host)
    np.testing.assert_allclose(found, wanted.value, atol=1e-9 * np.abs(wanted.value).max())
    closed = np.einsum("ij,ijrk->rk", WEIGHTS, table_sensitivity(host, wanted))
    np.testing.assert_allclose(slopes[0].reshape(3, 36), closed[:, :36], atol=1e-8 * abs(closed).max())


@pytest.mark.slow  # a traced tangent takes some twenty seconds to compile
@pytest.mark.timeout(1800)
def test_an_answer_that_vanishes_ends_and_is_zero():
    """Plates of one voxel with gaps: what is left is measured by what was, or no stop would be reached."""
    labels = np.full(SHAPE, 2, np.uint8)
    labels[0] = 0
    stiffness = np.array([isotropic(5.0, 3.0), isotropic(1.0, 1.0), np.zeros((6, 6))])
    found, _ = answer(stiffness, EXPANSION, labels)
    assert np.isfinite(found).all()
    assert abs(found[[0, 4, 5]]).max() < 1e-8
    wanted = watched_tangent(compiled(stiffness, EXPANSION, labels))
    np.testing.assert_allclose(found, wanted.value, atol=1e-8)


@pytest.mark.slow  # a traced tangent takes some twenty seconds to compile
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("thermal", [False, True])
def test_the_cell_is_a_linear_model(thermal):
    expansion = jnp.asarray(EXPANSION) if thermal else None
    cell = ElasticCell.of(
        jnp.asarray(STIFFNESS), jnp.asarray(LABELS), SPACING, expansion=expansion, rule="b-bar", solver=TIGHT
    )
    load = jnp.asarray([1.0, -0.5, 2.0, 0.3, -1.0, 0.7, 1.5][: 6 + thermal])
    assert cell.asks.size == cell.answers.size == load.size
    check_linear_model(cell, load, rtol=1e-9)
