import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scalebridge.core.errors import ImageError
from scalebridge.grids.generators import checkerboard, laminate_image
from scalebridge.grids.percolation import isolated, percolating_fraction, percolation


def masks(sides=(1, 5)):
    shapes = hnp.array_shapes(min_dims=2, max_dims=3, min_side=sides[0], max_side=sides[1])
    density = st.sampled_from([0.2, 0.35, 0.5, 0.65])
    return st.builds(
        lambda shape, p, seed: np.random.default_rng(seed).random(shape) < p,
        shapes,
        density,
        st.integers(0, 2**32 - 1),
    )


def walked(mask, connectivity):
    """Walk through the periodic space; return each cluster's voxels and cycle displacements."""
    shape = np.array(mask.shape)
    steps = [
        np.array(step)
        for step in itertools.product((-1, 0, 1), repeat=mask.ndim)
        if 0 < np.count_nonzero(step) <= connectivity
    ]
    seen, clusters = {}, []
    for start in map(tuple, np.argwhere(mask)):
        if start in seen:
            continue
        seen[start] = np.array(start)
        queue, cycles = [start], set()
        for voxel in queue:
            for step in steps:
                there = seen[voxel] + step
                wrapped = tuple(int(i) for i in there % shape)
                if not mask[wrapped]:
                    continue
                if wrapped in seen:
                    cycles.add(tuple(((there - seen[wrapped]) // shape).tolist()))
                else:
                    seen[wrapped] = there
                    queue.append(wrapped)
        clusters.append((queue, [cycle for cycle in cycles if any(cycle)]))
    return clusters


def index_of(vectors, rank):
    """Greatest common divisor of all minors of the size of the rank: equal for bases of one lattice."""
    matrix = np.array(vectors)
    columns = itertools.combinations(range(matrix.shape[1]), rank)
    rows = list(itertools.combinations(range(len(matrix)), rank))
    minors = [round(abs(np.linalg.det(matrix[np.ix_(row, column)]))) for column in columns for row in rows]
    return math.gcd(*minors)


@given(masks(), st.data())
def test_winding_agrees_with_a_walk_voxel_by_voxel(mask, data):
    connectivity = data.draw(st.integers(1, mask.ndim))
    found = percolation(mask, connectivity=connectivity)
    clusters = walked(mask, connectivity)
    cycles = [cycle for _, loops in clusters for cycle in loops]
    assert found.clusters == len(clusters)
    assert found.directions == tuple(any(cycle[axis] for cycle in cycles) for axis in range(mask.ndim))
    rank = np.linalg.matrix_rank(np.array(cycles)) if cycles else 0
    assert found.winding.shape == (rank, mask.ndim)
    if cycles:
        assert index_of(found.winding, rank) == index_of(cycles, rank)
        coordinates = np.linalg.lstsq(found.winding.T, np.array(cycles).T, rcond=None)[0]
        np.testing.assert_allclose(coordinates, np.round(coordinates), atol=1e-9)
    live = {voxel for voxels, loops in clusters if loops for voxel in voxels}
    dead = {tuple(voxel) for voxel in np.argwhere(isolated(mask, connectivity=connectivity)).tolist()}
    assert dead == {tuple(voxel) for voxel in np.argwhere(mask).tolist()} - live
    assert found.connected_fraction == pytest.approx(len(live) / max(mask.sum(), 1), abs=1e-15)
    for axis, share in enumerate(found.connected_along):
        along = sum(len(voxels) for voxels, loops in clusters if any(loop[axis] for loop in loops))
        assert share == pytest.approx(along / max(mask.sum(), 1), abs=1e-15)


@given(masks(sides=(2, 6)), st.data())
def test_periodic_percolation_does_not_depend_on_the_origin(mask, data):
    shift = [data.draw(st.integers(0, n - 1)) for n in mask.shape]
    moved = np.roll(mask, shift, tuple(range(mask.ndim)))
    one, other = percolation(mask), percolation(moved)
    assert np.array_equal(one.winding, other.winding)
    assert (one.directions, one.clusters, one.connected_along) == (
        other.directions,
        other.clusters,
        other.connected_along,
    )
    assert np.array_equal(isolated(moved), np.roll(isolated(mask), shift, tuple(range(mask.ndim))))


@given(masks(sides=(2, 6)), st.booleans(), st.data())
def test_percolation_turns_with_the_axes(mask, periodic, data):
    order = data.draw(st.permutations(range(mask.ndim)))
    one = percolation(mask, periodic=periodic)
    other = percolation(np.ascontiguousarray(mask.transpose(order)), periodic=periodic)
    assert other.directions == tuple(one.directions[axis] for axis in order)
    assert other.connected_along == tuple(one.connected_along[axis] for axis in order)
    assert (one.clusters, len(one.winding)) == (other.clusters, len(other.winding))


@given(masks(sides=(2, 6)))
def test_percolation_of_a_mirrored_box_is_that_of_the_box_with_faces(mask):
    doubled = mask
    for axis in range(mask.ndim):
        doubled = np.concatenate([doubled, np.flip(doubled, axis)], axis)
    assert percolation(doubled).directions == percolation(mask, periodic=False).directions


def test_full_and_empty_sets():
    full = percolation(np.ones((3, 4, 5), dtype=bool))
    assert full.directions == (True, True, True)
    assert np.array_equal(full.winding, np.eye(3))
    assert (full.clusters, full.connected_fraction) == (1, 1.0)
    empty = percolation(np.zeros((3, 4, 5), dtype=bool))
    assert (empty.directions, empty.clusters, empty.connected_fraction) == ((False,) * 3, 0, 0.0)
    assert empty.winding.shape == (0, 3)
    assert not isolated(np.zeros((3, 4, 5), dtype=bool)).any()


def test_a_staircase_at_45_degrees_percolates_along_both_axes_but_winds_once():
    diagonal = np.eye(8, dtype=bool)
    stairs = diagonal | np.roll(diagonal, 1, axis=1)
    found = percolation(stairs)
    assert found.directions == (True, True)
    assert found.winding.tolist() == [[1, 1]]
    assert found.connected_fraction == 1.0
    corners = percolation(diagonal, connectivity=2)
    assert corners.winding.tolist() == [[1, 1]]
    assert percolation(diagonal).directions == (False, False)
    assert percolation(diagonal).clusters == 8


def test_stairs_in_an_oblong_cell_go_twice_around_one_axis_and_once_around_the_other():
    stairs = np.zeros((4, 8), dtype=bool)
    for step in range(8):
        stairs[step % 4, step] = stairs[(step + 1) % 4, step] = True
    assert percolation(stairs).winding.tolist() == [[2, 1]]


def test_a_helix_winds_along_its_axis_only():
    helix = np.zeros((6, 6, 8), dtype=bool)
    ring = [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (3, 2), (3, 1), (2, 1)]
    for height, (x, y) in enumerate(ring):
        helix[x, y, height] = True
        following = ring[(height + 1) % len(ring)]
        helix[following[0], following[1], height] = True
    found = percolation(helix)
    assert found.directions == (False, False, True)
    assert found.winding.tolist() == [[0, 0, 1]]
    assert (found.clusters, found.connected_fraction) == (1, 1.0)
    cut = helix.copy()
    cut[:, :, 4] = False
    assert percolation(cut).directions == (False, False, False)


def test_an_s_that_meets_faces_at_different_places_only_percolates_with_faces():
    shape_s = np.zeros((7, 7), dtype=bool)
    shape_s[:4, 1] = shape_s[3, 1:6] = shape_s[3:, 5] = True
    assert percolation(shape_s, periodic=False).directions == (True, False)
    assert percolation(shape_s).directions == (False, False)
    assert isolated(shape_s).sum() == shape_s.sum()
    assert not isolated(shape_s, periodic=False).any()


def test_a_cluster_across_faces_that_does_not_wind_is_one_cluster():
    corner = np.zeros((6, 6, 6), dtype=bool)
    corner[np.ix_([0, 5], [0, 5], [0, 5])] = True
    assert percolation(corner).clusters == 1
    assert percolation(corner).directions == (False, False, False)
    assert percolation(corner, periodic=False).clusters == 8


def test_different_clusters_span_together():
    mask = np.zeros((6, 6, 6), dtype=bool)
    mask[:, 0, 0] = mask[3, :, 3] = True
    mask[1, 1, 5] = True
    found = percolation(mask)
    assert found.directions == (True, True, False)
    assert found.winding.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert {tuple(map(tuple, basis.tolist())) for basis in found.cluster_windings} == {
        ((1, 0, 0),),
        ((0, 1, 0),),
    }
    assert found.clusters == 3
    assert percolating_fraction(mask) == pytest.approx((6 / 13, 6 / 13, 0.0), abs=1e-15)
    assert np.argwhere(isolated(mask)).tolist() == [[1, 1, 5]]


def test_layers_and_boards():
    layers = laminate_image([0.5, 0.5], 6)
    assert percolation(layers.mask(0)).directions == (False, True, True)
    board = checkerboard(6).mask(1)
    assert percolation(board).directions == (False, False)
    # Through corners one goes (1/2, 1/2) and on by (1/2, -1/2), which makes a whole cell along one axis.
    assert percolation(board, connectivity=2).winding.tolist() == [[1, 0], [0, 1]]


def test_random_sites_percolate_on_the_right_side_of_the_threshold():
    # Site percolation on the simple cubic lattice: p_c = 0.311608 (Wang et al. 2013, PRE 87, 052107).
    below = np.random.default_rng(5).random((48,) * 3) < 0.27
    above = np.random.default_rng(5).random((48,) * 3) < 0.35
    assert not any(percolation(below).directions)
    assert all(percolation(above).directions)
    assert percolation(above).connected_fraction > 0.7


@pytest.mark.parametrize(
    ("mask", "connectivity", "argument"),
    [
        (np.ones((3, 3), dtype=int), 1, "mask"),
        (np.ones(3, dtype=bool), 1, "mask"),
        (np.ones((0, 3), dtype=bool), 1, "mask"),
        (np.ones((3, 3), dtype=bool), 3, "connectivity"),
        (np.ones((3, 3), dtype=bool), 0, "connectivity"),
    ],
)
def test_bad_masks_are_refused(mask, connectivity, argument):
    for function in (percolation, percolating_fraction, isolated):
        with pytest.raises(ImageError) as caught:
            function(mask, connectivity=connectivity)
        assert caught.value.argument == argument
        assert caught.value.cure
