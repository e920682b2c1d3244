"""The path without matrices against the assembled one, and its derivative by a porous filling."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cells.permeability_matrix_free import matrix_free_permeability
from scalebridge.core.errors import ImageError, InputError, SolverError
from scalebridge.grids.staggered import assemble_staggered
from scalebridge.grids.staggered_masks import masked_flow


def lumps(shape, share=0.35, seed=3):
    rng = np.random.default_rng(seed)
    return np.kron(rng.random([n // 4 for n in shape]) > share, np.ones((4,) * len(shape), bool))


@pytest.mark.parametrize("shape", [(12, 16), pytest.param((12, 16, 12), marks=pytest.mark.slow)])
def test_both_paths_give_one_permeability(shape):
    pores, spacing = np.ones(shape, bool), (1.0, 1.5, 0.8)[: len(shape)]
    pores[2:6, 3:9], pores[6:8, 3:5] = False, False
    found = np.asarray(matrix_free_permeability(pores, spacing, rtol=1e-10))
    image = sb.VoxelImage(pores.astype(np.uint8), spacing)
    assembled = sb.permeability(image, pore=1, rtol=1e-10, budget="none").value
    assert assembled.diagonal().min() > 0  # or nothing would be shown
    np.testing.assert_allclose(found, assembled, atol=1e-8 * assembled.max())  # of both solvers, 1e-10


@pytest.mark.parametrize("shape", [(8, 12), (4, 8, 8)])
def test_shifts_do_what_the_matrices_do(shape):
    pores, spacing = lumps(shape, 0.3, 1), (1.0, 1.5, 0.8)[: len(shape)]
    system, flow = assemble_staggered(pores, spacing), masked_flow(pores, spacing)
    rng = np.random.default_rng(0)
    x, p = rng.normal(size=system.loads.shape[1]), rng.normal(size=len(system.cells))
    u, head = np.zeros((len(shape), pores.size)), np.zeros(pores.size)
    for axis, part in enumerate(system.parts):
        u[axis, system.faces[axis]] = x[part]
    head[system.cells] = p
    field, pressure = jnp.asarray(u.reshape(-1, *shape)), jnp.asarray(head.reshape(shape))

    def sides(fields):
        flat = np.asarray(fields).reshape(len(shape), -1)
        return np.concatenate([flat[axis, found] for axis, found in enumerate(system.faces)])

    np.testing.assert_allclose(sides(flow.viscous(field)), system.viscous @ x, atol=1e-12)
    np.testing.assert_allclose(sides(flow.push(pressure)), system.divergence.T @ p, atol=1e-12)
    outflow = np.asarray(flow.outflow(field)).ravel()[system.cells]
    np.testing.assert_allclose(outflow, system.divergence @ x, atol=1e-12)


def test_the_derivative_by_a_porous_filling():
    pores = np.ones((12, 16), bool)
    pores[2:6, 3:9] = False
    at = jnp.asarray(np.random.default_rng(5).random(pores.shape))

    def along(drag):
        return matrix_free_permeability(pores, drag=drag, rtol=1e-13)[0, 0]

    slope = np.asarray(jax.grad(along)(at))
    way = np.random.default_rng(6).normal(size=pores.shape)
    central = (along(at + 1e-4 * way) - along(at - 1e-4 * way)) / 2e-4
    assert float((slope * way).sum()) == pytest.approx(float(central), rel=1e-5)  # 1e-13 ** 0.5, step squared
    assert np.all(slope[pores] < 0)
    assert np.all(slope[~pores] == 0)  # a face lends half of its drag to either voxel, solids have no faces


@pytest.mark.slow
def test_a_full_channel_of_filling_obeys_brinkman():
    """u = k (1 - cosh(y/sqrt k) / cosh(h/(2 sqrt k))) between plates, k = 1/drag; to the grid's (1/h)^2."""
    pores, width, k = np.zeros((2, 34), bool), 32, 16.0
    pores[:, 1:-1] = True
    half = width / 2 / k**0.5
    exact = k * (width - 2 * k**0.5 * np.tanh(half)) / 34
    found = matrix_free_permeability(pores, drag=1 / k, rtol=1e-10)[0, 0]
    assert float(found) == pytest.approx(exact, rel=5e-3)  # 1.6e-3 seen; (1/4)^2/12 of the layer's curvature


def test_the_plain_question_without_matrices():
    pores = np.ones((12, 16), bool)
    pores[2:6, 3:9] = False
    options = {"voxel": ("2 um", "3 um"), "rtol": 1e-10, "fields": True}  # compiled for the test above
    plain = sb.permeability(pores, **options)
    found = sb.permeability(pores, solver="matrix-free", max_steps=5000, **options)
    scale = plain.value.max()
    np.testing.assert_allclose(found.value, plain.value, atol=1e-8 * scale)
    assert found.passed, str(found)
    assert found.spec == plain.spec
    assert found.provenance.settings["solver"] == "matrix-free"
    np.testing.assert_allclose(found.std, plain.std, rtol=1e-3)  # the voxels' part, of the same coarse images
    for name, field in plain.fields.items():  # of first order: 1e-10 ** 0.5
        np.testing.assert_allclose(found.fields[name], field, atol=1e-4 * np.abs(field).max())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"boundary": "sealed"}, "sealed"),
        ({"boundary": "mirrored"}, "numpy.pad"),
        ({"walls": "smooth"}, "smooth"),
        ({"slip_length": "1 um"}, "slip"),
        ({"slip_curve": ["1 um"]}, "slip"),
    ],
)
def test_what_needs_the_assembled_system_is_said(options, words):
    slit = np.zeros((4, 6), bool)
    slit[:, 2:4] = True
    with pytest.raises(InputError, match=words) as caught:
        sb.permeability(slit, voxel="1 um", solver="matrix-free", **options)
    assert caught.value.argument == "solver"


@pytest.mark.parametrize(
    ("pores", "options", "error"),
    [
        (np.ones((4, 4), bool), {}, ImageError),
        (np.zeros((4, 4), bool), {}, ImageError),
        (np.eye(4), {}, ImageError),
        (np.eye(4, dtype=bool), {"spacing": (1.0,)}, InputError),
        (np.eye(4, dtype=bool), {"drag": -1.0}, InputError),
        (np.eye(4, dtype=bool), {"drag": np.ones(3)}, InputError),
        (np.eye(4, dtype=bool), {"rtol": 0.0}, InputError),
        (lumps((12, 16)), {"max_steps": 10, "rtol": 1e-12}, SolverError),
    ],
)
def test_what_cannot_be_is_refused(pores, options, error):
    with pytest.raises(error):
        matrix_free_permeability(pores, **options)


def test_nothing_flows_where_nothing_percolates():
    pores = np.zeros((4, 6), bool)
    pores[1:3, 2:4] = True
    assert not np.asarray(matrix_free_permeability(pores)).any()
