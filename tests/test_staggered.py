"""The staggered grid: exact channels, reflections, slip, and what the matrices have to be."""

import itertools

import numpy as np
import pytest
from scipy.sparse import bmat

from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.staggered import assemble_staggered, walls_are_planes

ROUNDING = 1e-10  # relative; dense least squares of some hundred unknowns in float64


def dense(system):
    """The permeability tensor and the velocities of every load, by a dense solve."""
    size, cells = system.viscous.shape[0], system.divergence.shape[0]
    matrix = bmat([[system.viscous, -system.divergence.T], [-system.divergence, None]]).toarray()
    right = np.zeros((size + cells, system.dim))
    right[:size] = system.loads.T
    x = np.linalg.lstsq(matrix, right, rcond=1e-12)[0][:size]
    return system.loads @ x / system.volume, x


def channel(height, length=2):
    pores = np.zeros((length, height + 2), bool)
    pores[:, 1:-1] = True
    return pores


def drawn(shape, share=0.75):
    return np.random.default_rng(0).random(shape) < share


@pytest.mark.parametrize("height", [1, 2, 5, 8])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_channel_of_h_voxels_has_h_squared_plus_two_over_twelve(height, length):
    pores = channel(height, length)
    found = dense(assemble_staggered(pores, (1.0, 1.0)))[0][0, 0] * pores.size / pores.sum()
    assert found == pytest.approx((height**2 + 2) / 12, rel=ROUNDING)


@pytest.mark.parametrize("slip", [0.3, 2.0])
def test_slip_in_a_channel_adds_height_times_slip_over_two(slip):
    pores = channel(4)
    system = assemble_staggered(pores, (1.0, 1.0), slip_length=slip)
    found, x = dense(system)
    open_part = pores.size / pores.sum()
    assert found[0, 0] * open_part == pytest.approx((4**2 + 2) / 12 + 4 * slip / 2, rel=ROUNDING)
    slope = x[:, 0] @ (system.slip_slope @ x[:, 0]) / system.volume
    assert slope * open_part == pytest.approx(4 / 2, rel=ROUNDING)


def test_the_slope_by_the_slip_length_is_that_of_the_matrices():
    pores = np.zeros((2, 6, 5), bool)
    pores[:, 1:-1, 1:-1] = True  # a duct
    spacing, slip, step = (1.0, 0.7, 1.3), 0.2, 1e-4
    system = assemble_staggered(pores, spacing, slip_length=slip)
    _, x = dense(system)
    ends = [dense(assemble_staggered(pores, spacing, slip_length=slip + s))[0][0, 0] for s in (step, -step)]
    central = (ends[0] - ends[1]) / (2 * step)
    # The central difference is off by step^2 / 6 times the third derivative, some 1e-8.
    assert x[:, 0] @ (system.slip_slope @ x[:, 0]) / system.volume == pytest.approx(central, rel=1e-6)


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 3), (2, 3, 1)])
def test_the_matrices_are_symmetric_positive_definite_and_conserve_volume(shape):
    system = assemble_staggered(drawn(shape), (1.0, 1.3, 0.7)[: len(shape)])
    full = system.viscous.toarray()
    np.testing.assert_allclose(full, full.T, atol=0)
    assert np.linalg.eigvalsh(full)[0] > 0
    # What flows out of all cells together is nothing: each face has a cell on both sides.
    np.testing.assert_allclose(np.asarray(system.divergence.sum(axis=0)), 0.0, atol=1e-15)
    assert system.viscous.indices.dtype == np.int32
    assert all(np.all(np.diff(faces) > 0) for faces in system.faces)


def test_numbers_of_faces_are_those_between_two_pores():
    pores = drawn((4, 5, 3))
    system = assemble_staggered(pores, (1.0, 1.0, 1.0))
    for axis, faces in enumerate(system.faces):
        np.testing.assert_array_equal(faces, np.flatnonzero(pores & np.roll(pores, -1, axis)))
        np.testing.assert_array_equal(system.loads[axis, system.parts[axis]], 1.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_sample_is_the_periodic_cell_of_its_reflections(axis):
    pores, spacing = drawn((3, 2, 3), 0.8), (1.0, 1.3, 0.7)
    reflected = pores
    for across in range(3):
        reflected = np.concatenate([reflected, np.flip(reflected, across)], across)
    ends = tuple("open" if other == axis else "symmetric" for other in range(3))
    found = dense(assemble_staggered(pores, spacing, ends))[0][axis, axis]
    whole = dense(assemble_staggered(reflected, spacing))[0]
    assert found == pytest.approx(whole[axis, axis], rel=ROUNDING)


def test_sealed_sides_are_walls():
    system = assemble_staggered(np.ones((3, 5), bool), (1.0, 1.0), ("open", "wall"))
    assert dense(system)[0][0, 0] == pytest.approx((5**2 + 2) / 12, rel=ROUNDING)


def test_the_permeability_does_not_depend_on_where_the_cell_begins_or_how_axes_are_named():
    pores, spacing = drawn((4, 3, 3), 0.8), (1.0, 1.3, 0.7)
    first = dense(assemble_staggered(pores, spacing))[0]
    moved = dense(assemble_staggered(np.roll(pores, (1, 2), (0, 2)), spacing))[0]
    np.testing.assert_allclose(moved, first, rtol=1e-9, atol=1e-12)
    turned = dense(assemble_staggered(pores.transpose(2, 0, 1), (0.7, 1.0, 1.3)))[0]
    np.testing.assert_allclose(turned, first[np.ix_([2, 0, 1], [2, 0, 1])], rtol=1e-9, atol=1e-12)


def test_walls_are_planes_where_no_edge_of_the_solid_juts_into_a_pore():
    duct = np.zeros((3, 5, 6), bool)
    duct[:, 1:4, 2:5] = True
    assert walls_are_planes(duct)
    for corner in itertools.product((1, 3), (2, 4)):
        notched = duct.copy()
        notched[(slice(None), *corner)] = False
        assert not walls_are_planes(notched)
    assert not walls_are_planes(np.eye(5, dtype=bool) | np.roll(np.eye(5, dtype=bool), 1, 1))
    across = np.ones((2, 4), bool)
    across[0, :2] = False  # the edge jutting in lies between the last voxel and the first
    assert not walls_are_planes(across)


@pytest.mark.parametrize(
    ("pores", "spacing", "slip", "error", "argument"),
    [
        (np.zeros((3, 3), bool), (1.0, 1.0), 0.0, ImageError, "pores"),
        (np.ones((3, 3)), (1.0, 1.0), 0.0, ImageError, "pores"),
        (channel(3), (1.0, -1.0), 0.0, InputError, "spacing"),
        (channel(3), (1.0,), 0.0, InputError, "spacing"),
        (channel(3), (1.0, 1.0), -1.0, InputError, "slip_length"),
        (channel(3), (1.0, 1.0), float("inf"), InputError, "slip_length"),
        (drawn((6, 6)), (1.0, 1.0), 0.5, InputError, "slip_length"),
    ],
)
def test_what_cannot_be_assembled_is_refused(pores, spacing, slip, error, argument):
    with pytest.raises(error) as caught:
        assemble_staggered(pores, spacing, slip_length=slip)
    assert caught.value.argument == argument
