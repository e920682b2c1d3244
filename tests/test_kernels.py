"""The compiled kernels against the traced discretisations, and the solver behind them.

Tolerances: products and slopes agree to the rounding of some hundred operations in float64 (1e-13, for
numbers of order ten); two solutions agree within their stated errors.
"""

import math

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalebridge
from scalebridge.cells.conduction_host import HostConduction, Medium
from scalebridge.core import threads
from scalebridge.core.results import Outcome
from scalebridge.grids.coefficients import PhaseCoefficients
from scalebridge.grids.finite_volumes import FiniteVolumes
from scalebridge.grids.hexahedra import Hexahedra
from scalebridge.grids.transforms import FIXED, FREE, PERIODIC
from scalebridge.grids.voxel_kernels import HexahedraKernels, VolumesKernels, VoxelTable, voxel_table
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.upscaling.tangent import watched_tangent

ROUNDING = 1e-13
PAIRS = {"hexahedra": (Hexahedra, HexahedraKernels), "finite-volume": (FiniteVolumes, VolumesKernels)}
SHAPES = {"3-D": ((5, 6, 7), (1.0, 2.0, 0.5)), "2-D": ((6, 9), (1.0, 0.7)), "strip": ((4, 1), (1.0, 1.0))}


def tables(dim, rng):
    full = rng.normal(size=(3, dim, dim))
    return {
        "isotropic": np.array([1.0, 3.0, 0.0]),
        "diagonal": rng.random((3, dim)),
        "full": full @ np.swapaxes(full, 1, 2),
    }


@pytest.mark.parametrize("kind", ["isotropic", "diagonal", "full"])
@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("scheme", list(PAIRS))
def test_kernels_and_traced_discretisation_agree(scheme, shape, kind):
    if scheme == "finite-volume" and kind == "full":
        pytest.skip("a flux across a face does not see off-diagonal components")
    (counts, spacing), rng = SHAPES[shape], np.random.default_rng(2)
    dim = len(counts)
    table, labels = tables(dim, rng)[kind], rng.integers(0, 3, counts).astype(np.uint8)
    u, v, gradient = rng.normal(size=counts), rng.normal(size=counts), rng.normal(size=dim)
    traced, kernels = PAIRS[scheme][0](counts, spacing), PAIRS[scheme][1](counts, spacing, (PERIODIC,) * dim)
    coefficients, rows = (
        PhaseCoefficients(jnp.asarray(table), jnp.asarray(labels)),
        voxel_table(table, labels),
    )
    first, second = (u.reshape(kernels.nodes), gradient), (v.reshape(kernels.nodes), 2 * gradient)
    out = np.empty(kernels.nodes)
    flux = kernels.product(rows, *first, out)[1]
    wanted = traced.forces(coefficients, jnp.asarray(u), jnp.asarray(gradient))
    field = np.asarray(traced.flux_field(coefficients, jnp.asarray(u), jnp.asarray(gradient)))
    energy = float(
        traced.energy(
            coefficients, (jnp.asarray(u), jnp.asarray(gradient)), (jnp.asarray(v), jnp.asarray(2 * gradient))
        )
    )
    scale = float(np.max(np.abs(wanted))) + 1.0
    np.testing.assert_allclose(out.reshape(counts), wanted, atol=ROUNDING * scale)
    np.testing.assert_allclose(flux, field.reshape(dim, -1).mean(axis=1), atol=ROUNDING * scale)
    np.testing.assert_allclose(kernels.flux_field(rows, *first), field, atol=ROUNDING * scale)
    assert kernels.energies(rows, [first, second])[0][0, 1] == pytest.approx(energy, abs=ROUNDING * scale)
    slopes = kernels.slopes(rows, first, second)
    assert float(np.sum(slopes * rows.rows)) == pytest.approx(energy, abs=ROUNDING * scale)


@pytest.mark.parametrize("ends", [(FIXED, FREE, FREE), (FIXED,) * 3, (FREE,) * 3])
@pytest.mark.parametrize("scheme", list(PAIRS))
def test_the_inverse_undoes_a_homogeneous_medium(scheme, ends):
    """K of a homogeneous medium, then the inverse of its symbol, gives back any field without mean."""
    counts, spacing = (4, 5, 6), (1.0, 0.5, 2.0)
    kernels = PAIRS[scheme][1](counts, spacing, ends)
    medium = np.array([2.0, 3.0, 0.7])
    rows = VoxelTable(medium[None] * np.ones((1, 3)), np.zeros(counts, np.uint8))
    u = np.random.default_rng(1).normal(size=kernels.nodes)
    for axis, end in enumerate(ends):
        if kernels.nodal and end == FIXED:
            np.moveaxis(u, axis, 0)[[0, -1]] = 0.0
    out, found = np.empty(kernels.nodes), np.empty(kernels.nodes)
    kernels.product(rows, u, None, out)

    def keep(low, high, z):
        found[low:high] = z

    kernels.inverse(np.diag(medium), np.dtype(float)).sweep(out, None, lambda _: keep)
    off = found - u
    if ends == (FREE,) * 3:
        off -= off.flat[0]  # a constant is not determined
    assert float(np.max(np.abs(off))) < 1e-12


@given(st.integers(2, 9), st.integers(1, 9), st.integers(1, 6), st.booleans())
def test_the_sweep_returns_the_product_and_visits_every_plane_once(nx, nz, ny, single):
    kernels = HexahedraKernels((nx, ny, nz), (1.0,) * 3, (PERIODIC,) * 3)
    kind = np.dtype(np.float32 if single else np.float64)
    r = np.random.default_rng(nx).normal(size=kernels.nodes).astype(kind)
    r -= r.mean()
    found, seen = np.empty_like(r), []

    def keep(low, high, z):
        found[low:high] = z

    product = kernels.inverse(np.eye(3), kind).sweep(
        r, lambda low, high: seen.append((low, high)), lambda _: keep
    )
    assert sorted(plane for low, high in seen for plane in range(low, high)) == list(range(nx))
    tolerance = 1e-5 if single else 1e-12
    assert product == pytest.approx(float(np.vdot(r, found)), rel=tolerance)


def cell(labels, values, *, boundary="periodic", scheme="hexahedra", rtol=1e-6, residual=1e-6, double=False):
    table = np.asarray(values, float)
    tensors = table[:, None, None] * np.eye(labels.ndim)
    mean = np.tensordot(np.bincount(labels.reshape(-1), minlength=len(table)) / labels.size, tensors, 1)
    medium = Medium.of(tensors, mean, diagonal=boundary != "periodic")
    solver = ConjugateGradients(rtol, residual)
    return HostConduction(
        labels.shape,
        (1.0,) * labels.ndim,
        voxel_table(table, labels),
        scheme,
        medium,
        solver,
        boundary,
        double=double,
    )


@pytest.mark.parametrize("scheme", list(PAIRS))
@pytest.mark.parametrize("shape", [(5, 1), (1, 5), (4, 1, 1), (1, 4, 1), (1, 1, 4)])
def test_a_line_of_voxels_is_a_stack_of_layers(shape, scheme):
    """The box is one voxel wide along the other axes."""
    labels = (np.arange(math.prod(shape)) % 3 > 0).astype(np.uint8).reshape(shape)
    found = np.asarray(
        watched_tangent(cell(labels, [2.0, 8.0], scheme=scheme, rtol=1e-12, residual=1e-10)).value
    )
    along, values = np.argmax(shape), np.array([2.0, 8.0])[labels]
    wanted = np.where(np.arange(len(shape)) == along, 1 / np.mean(1 / values), np.mean(values))
    np.testing.assert_allclose(found, np.diag(wanted), atol=1e-9)


SPOTS = np.random.default_rng(0).integers(0, 2, (12, 10, 8)).astype(np.uint8)


@pytest.mark.parametrize("residual", [1e-4, 1e-6])
def test_single_precision_reaches_the_true_residual(residual):
    """The residual that is reported is recomputed in float64 from the iterate."""
    model = cell(SPOTS, [1.0, 50.0], rtol=math.inf, residual=residual)
    assert model.dtype == np.float32
    load = np.array([1.0, 0.0, 0.0])
    done = model.advance(model.begin(load), 500)
    kernels, out, start = model.kernels(load), np.empty(SPOTS.shape), np.empty(SPOTS.shape)
    kernels.product(model.table, done.x, load, out)
    kernels.product(model.table, np.zeros(SPOTS.shape), load, start)
    true = float(np.linalg.norm(out) / np.linalg.norm(start))
    assert done.code == Outcome.converged
    assert true <= residual
    assert done.residuals[-1] == pytest.approx(true, rel=1e-3)


def test_single_and_double_precision_give_one_tensor():
    single = watched_tangent(cell(SPOTS, [1.0, 50.0], rtol=1e-8))
    double = watched_tangent(cell(SPOTS, [1.0, 50.0], rtol=1e-8, double=True))
    np.testing.assert_allclose(single.value, double.value, rtol=0, atol=1e-8 * 50)
    steps = [[int(r.stats["steps"]) for r in one.responses] for one in (single, double)]
    assert max(abs(a - b) for a, b in zip(*steps, strict=True)) <= 2


def test_high_contrast_is_solved_in_double_precision():
    assert cell(SPOTS, [1e-6, 1.0]).dtype == np.float64
    assert cell(SPOTS, [1.0, 2.0], residual=1e-9).dtype == np.float64


def test_a_failed_check_of_the_residual_goes_on_in_double_precision():
    """Where the drift is larger than wanted the solve must not stop: here float32 is forced on it."""
    model = cell(SPOTS, [1.0, 50.0], rtol=math.inf, residual=1e-10)
    model.dtype = np.dtype(np.float32)
    load = np.array([0.0, 1.0, 0.0])
    done = model.advance(model.begin(load), 500)
    assert done.code == Outcome.converged
    assert done.residuals[-1] <= 1e-10


def test_too_few_steps_are_said():
    model = cell(SPOTS, [1.0, 50.0])
    model.solver = ConjugateGradients(1e-12, 1e-12, 3)
    done = model.advance(model.begin(np.array([1.0, 0.0, 0.0])), 500)
    assert (done.code, done.steps) == (Outcome.step_limit, 3)


def test_the_number_of_threads_changes_rounding_only(monkeypatch):
    labels = np.random.default_rng(5).integers(0, 2, (33, 32, 34)).astype(np.uint8)  # worth several threads
    found = []
    for count in ("1", "2", "3"):
        monkeypatch.setenv(threads.VARIABLE, count)
        found.append(np.asarray(watched_tangent(cell(labels, [1.0, 5.0], rtol=1e-8, double=True)).value))
    np.testing.assert_allclose(found[1], found[0], atol=1e-11)
    np.testing.assert_allclose(found[2], found[0], atol=1e-11)


@pytest.mark.parametrize("boundary", ["periodic", "mirrored", "uniform-gradient", "uniform-flux"])
@pytest.mark.parametrize("size", [1e-40, 1e-18, 1e90])
def test_the_unit_of_conductivities_only_scales_the_answer(boundary, size):
    plain = watched_tangent(cell(SPOTS, [1.0, 5.0], boundary=boundary))
    scaled = watched_tangent(cell(SPOTS, [size, 5.0 * size], boundary=boundary))
    factor = 1 / size if boundary == "uniform-flux" else size
    assert scaled.codes == plain.codes
    # squares of the fluxes are no numbers of float32; its rounding times the few steps remains
    np.testing.assert_allclose(np.asarray(scaled.value) / factor, plain.value, rtol=0, atol=1e-6)


LAYERS = np.repeat(np.array([0, 1, 1, 0, 1, 0], np.uint8), 24).reshape(6, 4, 6)
LAYERED = np.diag([2.0 / (1 / 2.0 + 1 / 8.0), 5.0, 5.0])  # series across, parallel along


@pytest.mark.parametrize("boundary", ["periodic", "mirrored"])
def test_layers_are_exact_with_and_without_copies(boundary):
    found = scalebridge.effective_conductivity(
        LAYERS, {0: 2.0, 1: 8.0}, boundary=boundary, rtol=1e-12, residual_rtol=1e-10, progress=False
    ).value
    np.testing.assert_allclose(found, LAYERED, atol=1e-10)


def test_a_homogeneous_sample_is_exact_with_every_boundary():
    whole, tensor = np.zeros((4, 5, 6), np.uint8), [[3.0, 0.5, 0.2], [0.5, 2.0, 0.1], [0.2, 0.1, 4.0]]
    for boundary in ("periodic", "uniform-gradient", "uniform-flux"):
        found = scalebridge.effective_conductivity(
            whole, {0: tensor}, boundary=boundary, rtol=1e-12, residual_rtol=1e-10, progress=False
        ).value
        np.testing.assert_allclose(found, tensor, atol=1e-9)


@pytest.mark.parametrize("scheme", list(PAIRS))
def test_a_mirrored_sample_is_its_doubled_image(scheme):
    """The traced path solves the image reflected along every axis; the kernels the image itself."""
    arguments = {"boundary": "mirrored", "scheme": scheme, "rtol": 1e-11, "residual_rtol": 1e-8}
    image = scalebridge.VoxelImage(SPOTS[:6, :5, :4], (1e-6, 2e-6, 1e-6), periodic=False)
    kernels, traced = (
        scalebridge.effective_conductivity(
            image, {0: 1.0, 1: [3.0, 2.0, 5.0]}, backend=backend, budget="none", progress=False, **arguments
        )
        for backend in ("kernels", "jax")
    )
    np.testing.assert_allclose(kernels.value, traced.value, atol=1e-9)
    for name, slope in traced.derivatives.items():
        np.testing.assert_allclose(kernels.derivatives[name], slope, atol=1e-7)


def test_uniform_flux_and_uniform_gradient_bracket_every_continuation():
    """Loewner's order, Huet 1990: flux <= mirrored, periodic <= gradient."""
    found = {
        boundary: scalebridge.effective_conductivity(
            SPOTS, {0: 1.0, 1: 20.0}, boundary=boundary, rtol=1e-9, budget="none", progress=False, throw=True
        ).value
        for boundary in ("uniform-flux", "mirrored", "periodic", "uniform-gradient")
    }
    for middle in ("mirrored", "periodic"):
        assert np.min(np.linalg.eigvalsh(found[middle] - found["uniform-flux"])) > 0
        assert np.min(np.linalg.eigvalsh(found["uniform-gradient"] - found[middle])) > 0


@pytest.mark.parametrize("boundary", ["mirrored", "uniform-gradient", "uniform-flux"])
def test_derivatives_hold_with_every_boundary(boundary):
    def solve(k):
        return scalebridge.effective_conductivity(
            SPOTS,
            {0: k, 1: 20.0},
            boundary=boundary,
            rtol=1e-13,
            residual_rtol=1e-10,
            budget="none",
            progress=False,
        )

    step = 1e-4
    difference = (solve(1 + step).value - solve(1 - step).value) / (2 * step)
    # the difference's own error is of second order in the step, 1e-8, and rounding over the step, 1e-9
    np.testing.assert_allclose(solve(1.0).derivatives["phase 0"], difference, atol=1e-6)


def test_gradients_average_to_what_was_asked():
    for boundary in ("mirrored", "uniform-gradient"):
        found = scalebridge.effective_conductivity(
            SPOTS,
            {0: 1.0, 1: 20.0},
            boundary=boundary,
            fields=True,
            budget="none",
            progress=False,
            rtol=1e-10,
        )
        means = [found.fields[f"gradient_{axis}"].reshape(3, -1).mean(axis=1) for axis in "xyz"]
        np.testing.assert_allclose(np.diag(means), 1.0, atol=1e-12)
        assert found.fields["flux_y"].shape == (3, *SPOTS.shape)
        assert found.fields["flux_y"][1].mean() == pytest.approx(found.value[1, 1], rel=1e-6)
