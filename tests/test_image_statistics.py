"""Two-point probabilities, chords, surface, curvature and integral range against exact answers."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.balls import sphere_lattice, spheres_image
from scalebridge.grids.chords import chord_lengths
from scalebridge.grids.correlation import two_point
from scalebridge.grids.ellipsoids import random_ellipsoids
from scalebridge.grids.generators import checkerboard, laminate_image, random_voxels
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.integral_range import block_variances, correlation_length, integral_range
from scalebridge.grids.packing import random_spheres
from scalebridge.grids.statistics import image_statistics
from scalebridge.grids.surface import (
    direction_weights,
    minkowski_functionals,
    neighbour_steps,
    specific_surface,
    surface_from_slope,
)

LABELS = st.one_of(
    arrays(np.uint8, st.tuples(st.integers(2, 7), st.integers(2, 6)), elements=st.integers(0, 2)),
    arrays(np.uint8, st.tuples(*[st.integers(2, 5)] * 3), elements=st.integers(0, 2)),
)


@pytest.fixture(scope="module")
def boolean():
    """Overlapping spheres at independent places in a periodic box: everything about them is known."""
    image = random_ellipsoids(100, volume_fraction=0.3, count=400, seed=1, aspect=(1, 1, 1), overlap=True)
    return image, image.source["semi_axes"][0][0]


def union_of_two(distance, radius):
    """Volume that two balls of a radius cover together."""
    ball = 4 / 3 * math.pi * radius**3
    near = ball * (1 + 3 / 4 * distance / radius - (distance / radius) ** 3 / 16)
    return np.where(distance < 2 * radius, near, 2 * ball)


def boolean_two_point(distance, radius, count):
    """S2 of the balls themselves: none of `count` balls covers one or both of two points."""
    ball = 4 / 3 * math.pi * radius**3
    return 1 - 2 * (1 - ball) ** count + (1 - union_of_two(distance, radius)) ** count


# --------------------------------------------------------------------------------------------- two points


def brute_two_point(labels, first, second, periodic):
    """Count all pairs one by one, as a dictionary from vectors to probabilities."""
    shape = labels.shape
    found = {}
    for lag in np.ndindex(*[2 * n - 1 for n in shape]):
        vector = tuple(int(k) - n + 1 for k, n in zip(lag, shape, strict=True))
        if periodic:
            there = np.roll(labels, [-v for v in vector], range(labels.ndim))
            found[vector] = np.mean((labels == first) & (there == second))
            continue
        here = labels[tuple(slice(max(0, -v), n - max(0, v)) for v, n in zip(vector, shape, strict=True))]
        there = labels[tuple(slice(max(0, v), n - max(0, -v)) for v, n in zip(vector, shape, strict=True))]
        found[vector] = np.mean((here == first) & (there == second))
    return found


@given(LABELS, st.booleans(), st.sampled_from(["float64", "float32"]))
def test_transforms_count_the_pairs_that_a_loop_counts(labels, periodic, dtype):
    image = VoxelImage(labels, periodic=periodic)
    first, second = image.phases[0], image.phases[-1]
    reach = None if periodic else [n - 1 for n in labels.shape]
    found = two_point(image, first, second, reach=reach, dtype=dtype)
    wanted = brute_two_point(labels, first, second, periodic)
    tolerance = 1e-15 if dtype == "float64" else 2e-6
    for place in np.ndindex(found.values.shape):
        vector = tuple(int(lag[k]) for lag, k in zip(found.lags, place, strict=True))
        assert found.values[place] == pytest.approx(wanted[vector], abs=tolerance)
    assert found.same == (first == second)
    assert found.fractions == (image.fractions[first], image.fractions[second])


@given(LABELS)
def test_sum_rules_and_symmetries(labels):
    image = VoxelImage(labels)
    one = image.phases[0]
    every = {other: two_point(image, one, other) for other in image.phases}
    assert np.allclose(sum(found.values for found in every.values()), image.fractions[one], atol=1e-14)
    own = every[one]
    middle = tuple(int(np.flatnonzero(lag == 0)[0]) for lag in own.lags)
    assert own.values[middle] == image.fractions[one] == own.values.max()
    # Every vector of a period occurs once, so the covariance adds up to nothing: the fraction does not vary.
    assert np.sum(own.values - image.fractions[one] ** 2) == pytest.approx(0, abs=1e-12 * labels.size)
    for other, found in every.items():
        back = two_point(image, other, one)
        for axis, n in enumerate(labels.shape):
            ahead, behind = found.along(axis).values, back.along(axis).values
            # S_ab(r) = S_ba(-r), and the period makes -r the vector n - r.
            for lag in range(1, ahead.size):
                if n - lag < behind.size:
                    assert ahead[lag] == pytest.approx(behind[n - lag], abs=1e-15)
    assert own.radial().values[0] == image.fractions[one]


@given(LABELS)
def test_several_labels_are_one_phase(labels):
    image = VoxelImage(labels)
    together = two_point(image, image.phases)
    assert np.allclose(together.values, 1, atol=1e-14)
    merged = VoxelImage((labels == image.phases[0]).astype(np.uint8) + 5)
    if len(image.phases) > 1:
        rest = two_point(image, image.phases[1:])
        assert np.array_equal(rest.values, two_point(merged, 5).values)


def test_layers_and_boards_have_triangle_waves():
    # Halves of a period: S2 falls from 1/2 to 0 at the half period and rises again, linearly.
    layers = two_point(laminate_image([0.5, 0.5], (32, 2, 2)), 0)
    assert np.allclose(layers.along("x").values, np.abs(np.arange(16) - 16) / 32, atol=1e-15)
    assert np.allclose(layers.along("y").values, 0.5)
    board = two_point(checkerboard(32), 1)
    x = np.abs(np.arange(16) / 16 - 0.5) * 2  # 1 at zero, 0 at a quarter
    triangle = np.where(np.arange(16) <= 8, x, -x)
    assert np.allclose(board.along("x").values, (1 + triangle) / 4, atol=1e-15)
    diagonal = board.values[range(16, 32), range(16, 32)]
    assert np.allclose(diagonal, (1 + triangle**2) / 4, atol=1e-15)


def test_a_phase_of_independent_voxels_has_no_correlation():
    image = random_voxels(64, volume_fraction=0.3, seed=3)
    curve = two_point(image, 1).radial()
    f = image.fractions[1]
    # A mean over w vectors of a product over N pairs has a spread of about f (1 - f) / sqrt(N w).
    spread = f * (1 - f) / np.sqrt(image.size * curve.weights)
    assert np.all(np.abs(curve.values - f**2)[1:] < 6 * spread[1:])
    assert curve.values[0] == f


def test_overlapping_spheres_have_the_known_two_point_probability(boolean):
    image, radius = boolean
    n = image.shape[0]
    curve = two_point(image, 1).radial()
    wanted = boolean_two_point(curve.distance / n, radius, 400)
    # The image's fraction is off by 0.004 from its mean, by luck; the curve follows it.
    assert image.fractions[1] == pytest.approx(0.3, abs=0.015)  # three deviations: f (1 - f) A / V
    short = curve.distance < 2 * radius * n
    own, exact = curve.values / curve.values[0], wanted / wanted[0]
    assert np.allclose(own[short], exact[short], atol=0.02)
    assert np.allclose(own[~short], image.fractions[1], atol=0.02)
    assert not np.allclose(own[short], image.fractions[1], atol=0.1)


def test_pairs_of_a_sample_are_those_with_both_ends_in_it():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (9, 8, 7)).astype(np.uint8)
    within = rng.random(labels.shape) < 0.7
    image = VoxelImage(labels, periodic=False)
    found = two_point(image, 1, reach=(4, 3, 2), within=within)
    for vector in [(0, 0, 0), (1, -2, 0), (4, 3, 2), (-4, 3, -2)]:
        here = tuple(slice(max(0, -v), n - max(0, v)) for v, n in zip(vector, labels.shape, strict=True))
        there = tuple(slice(max(0, v), n - max(0, -v)) for v, n in zip(vector, labels.shape, strict=True))
        both = within[here] & within[there]
        wanted = np.sum(both & (labels[here] == 1) & (labels[there] == 1)) / both.sum()
        place = tuple(v + m for v, m in zip(vector, (4, 3, 2), strict=True))
        assert found.values[place] == pytest.approx(wanted, abs=1e-15)
    assert found.fractions[0] == np.mean(labels[within])
    alone = np.zeros(labels.shape, dtype=bool)
    alone[3, 3, 3] = True
    single = two_point(image, int(labels[3, 3, 3]), reach=2, within=alone)
    assert np.isnan(single.values).sum() == 5**3 - 1  # no pair, no probability


def test_radial_shells_hold_every_vector_once_at_its_own_distance():
    image = VoxelImage(np.zeros((9, 9, 9), dtype=int), voxel=(1e-6, 1e-6, 2e-6))
    curve = two_point(image, 0).radial()
    steps = np.arange(-4, 5)
    distance = np.sqrt(sum(np.ix_((1e-6 * steps) ** 2, (1e-6 * steps) ** 2, (2e-6 * steps) ** 2)))
    for k, (r, weight) in enumerate(zip(curve.distance, curve.weights, strict=True)):
        inside = np.abs(distance / 1e-6 - k) <= 0.5
        inside[distance == 0.5e-6] = False
        assert weight == inside.sum()
        assert r == pytest.approx(distance[inside].mean(), rel=1e-12)
    assert curve.distance[-1] < 4.5e-6  # beyond, the box of vectors cuts shells off
    assert np.allclose(curve.values, 1)
    wide = two_point(image, 0).radial(step=2e-6)
    assert wide.distance[0] == 0
    assert wide.weights[0] == 1


@given(LABELS, st.booleans())
def test_two_phases_have_one_correlation_coefficient_also_at_the_faces(labels, periodic):
    image = VoxelImage((labels > 0).astype(int), periodic=periodic)
    if len(image.phases) == 2:
        one, other = (two_point(image, label).coefficient() for label in (0, 1))
        assert np.allclose(one.values, other.values, atol=1e-12)
        middle = tuple(int(np.flatnonzero(lag == 0)[0]) for lag in one.lags)
        assert one.values[middle] == pytest.approx(1, abs=1e-12)
        assert one.along(0).values[0] == pytest.approx(1, abs=1e-12)


def test_what_the_ends_have_on_average_is_not_taken_for_correlation():
    # Left half dense, right half thin, every voxel by itself: no correlation beyond that of the two halves.
    rng = np.random.default_rng(4)
    density = np.where(np.arange(64)[:, None, None] < 32, 0.6, 0.2)
    labels = (rng.random((64, 32, 32)) < density).astype(int)
    image = VoxelImage(labels, periodic=False)
    found = two_point(image, 1, reach=16)
    starts = [labels[: 64 - k].mean() * labels[k:].mean() for k in range(17)]
    middle = found.independent[16:, 16, 16]
    assert np.allclose(middle, starts, atol=1e-12)
    every = np.ones(labels.shape, dtype=bool)
    same = two_point(image, 1, reach=16, within=every)
    assert np.allclose(same.independent, found.independent, atol=1e-12)
    assert np.allclose(same.values, found.values, atol=1e-12)


def test_a_strip_of_one_voxel_is_measured_along_itself():
    strip = VoxelImage(np.array([[0], [0], [1], [1]]))
    assert two_point(strip, 0).radial().values.tolist() == [0.5, 0.25]


# ------------------------------------------------------------------------------------------------- chords


def brute_runs(line, periodic):
    """Return lengths of complete and of cut runs of a line, and whether it is full."""
    n = len(line)
    if all(line):
        return [], [], True
    if periodic:
        turn = list(line).index(False)
        line = [*line[turn:], *line[:turn]]
    complete, cut, start = [], [], None
    for k, value in enumerate([*line, None]):
        if value and start is None:
            start = k
        elif not value and start is not None:
            at_face = not periodic and (start == 0 or k == n)
            (cut if at_face else complete).append(k - start)
            start = None
    return complete, cut, False


@given(LABELS, st.booleans())
def test_runs_are_those_that_a_loop_finds(labels, periodic):
    image = VoxelImage(labels, periodic=periodic)
    for axis in range(labels.ndim):
        found = chord_lengths(image, image.phases[0], axis)
        lines = np.moveaxis(labels == image.phases[0], axis, -1).reshape(-1, labels.shape[axis])
        runs = [brute_runs(line.tolist(), periodic) for line in lines]
        complete = [n for run in runs for n in run[0]]
        cut = [n for run in runs for n in run[1]]
        assert found.complete.tolist() == np.bincount(complete, minlength=labels.shape[axis] + 1).tolist()
        assert found.cut.tolist() == np.bincount(cut, minlength=labels.shape[axis] + 1).tolist()
        assert found.endless == sum(run[2] for run in runs)
        assert found.lines == len(lines)


@given(LABELS, st.booleans())
def test_the_lineal_path_is_the_share_of_sticks_inside(labels, periodic):
    image = VoxelImage(labels, periodic=periodic)
    mask = labels == image.phases[0]
    for axis, n in enumerate(labels.shape):
        path = chord_lengths(image, image.phases[0], axis).lineal_path()
        inside = np.ones_like(mask)
        for k in range(n):
            inside = inside & np.roll(mask, -k, axis)
            fits = inside if periodic else inside.take(range(n - k), axis)
            assert path.values[k] == pytest.approx(fits.mean(), abs=1e-14)
            assert path.weights[k] == fits.size
        assert path.values[0] == image.fractions[image.phases[0]]


def test_layers_have_chords_of_their_thickness():
    image = laminate_image([0.25, 0.75], (32, 4, 2), voxel=1e-6)
    across = chord_lengths(image, 0, "x")
    assert across.mean == pytest.approx(8e-6, rel=1e-14)
    assert across.complete[8] == across.complete.sum() == 8
    assert across.distribution.values[7] == 1
    assert across.distribution.distance[7] == pytest.approx(8e-6)
    along = chord_lengths(image, 0, "y")
    assert along.mean == math.inf
    assert along.endless == along.lines // 4
    # The same layers without a period: the one at the face is cut, the mean is over what is left of lines.
    cut = chord_lengths(VoxelImage(image.labels, periodic=False), 0, "x")
    assert cut.complete.sum() == 0
    assert cut.cut[8] == 8


def test_chords_of_a_markov_chain_are_geometric_although_the_faces_cut_them():
    # Voxels that keep their phase with a probability: chords end at each voxel with the same chance, so that
    # P(length = k) = (1 - p) p^(k-1), of mean 1 / (1 - p), here longer than half of the image.
    rng = np.random.default_rng(7)
    stay, length, lines = 0.95, 32, 60_000
    state = rng.random(lines) < 0.5
    labels = np.empty((lines, length), dtype=np.uint8)
    for k in range(length):
        labels[:, k] = state
        state = np.where(rng.random(lines) < stay, state, ~state)
    found = chord_lengths(VoxelImage(labels, periodic=False), 1, "y")
    lengths = np.arange(1, found.survival.values.size + 1)
    exact = stay ** (lengths - 1.0)
    spread = np.sqrt((1 - exact) / found.survival.weights)
    assert np.all(np.abs(found.survival.values - exact) < 5 * spread + 1e-12)
    ends = 0.05 * lines * (length - 1)  # crossings on average; the mean is a ratio with their noise
    assert found.mean == pytest.approx(20.0, rel=5 / math.sqrt(ends))
    # What is seen whole is much shorter: that is why it alone must not be taken.
    seen = np.sum(np.arange(length + 1) * found.complete) / found.complete.sum()
    assert seen < 12
    assert found.distribution.values.sum() == pytest.approx(1 - exact[-1] * stay, abs=0.01)


def test_chords_of_a_ball_have_the_mean_of_cauchy():
    # Mean chord 4 V / S = 4 R / 3; density 2 l / (2 R)^2 of the length l.
    n, radius = 96, 40
    image = spheres_image([[0.5 + 0.1 / n, 0.5, 0.5]], radius / n, n)
    found = chord_lengths(image, 1, "z")
    assert found.mean == pytest.approx(4 / 3 * radius, rel=0.01)  # chords are cut at a circle of 80 voxels
    lengths = np.arange(found.survival.values.size) + 1
    exact = 1 - (lengths / (2 * radius)) ** 2
    assert np.allclose(found.survival.values, exact, atol=0.04)


def test_chords_between_overlapping_spheres_are_exponential(boolean):
    # The matrix of a Boolean model: chords of density exp(-l / m) / m with m = 4 R / (3 ln(1 / f_matrix)).
    image, radius = boolean
    mean = 4 * radius * 100 / (3 * math.log(1 / 0.7))
    for axis in "xyz":
        found = chord_lengths(image, 0, axis)
        # Short chords are missed by voxels, R = 5.6 voxels: some per cent; 12 % is the spread of one sample.
        assert found.mean == pytest.approx(mean, rel=0.1)
        path = found.lineal_path()
        exact = 0.7 * np.exp(-path.distance / mean)
        assert np.allclose(path.values[:40], exact[:40], atol=0.03)


# ------------------------------------------------------------------------------------------------ surface


def test_the_surface_of_a_ball_converges_with_the_voxels():
    errors = []
    for radius in (5, 10, 20, 40):
        n = 2 * radius + 8
        rng = np.random.default_rng(radius)
        found = []
        for _ in range(4):
            centre = 0.5 + (rng.random(3) - 0.5) / n
            ball = spheres_image([centre], radius / n, n)
            found.append(specific_surface(ball, 1) * n**3 / (4 * math.pi * radius**2) - 1)
        errors.append(abs(np.mean(found)))
    assert errors[1] < 0.01
    assert errors[-1] < 1e-3
    order = np.log2(errors[0] / errors[-1]) / 3
    assert order > 1.3
    big = spheres_image([[0.5, 0.5, 0.5]], 40 / 88, 88)
    area = 4 * math.pi * 40**2 / 88**3
    assert specific_surface(big, 1, method="faces") == pytest.approx(1.5 * area, rel=0.01)
    assert specific_surface(big, 1, reach=2) == pytest.approx(area, rel=1e-3)
    assert surface_from_slope(two_point(big, 1)) == pytest.approx(area, rel=2e-3)


def test_the_circumference_of_a_disc():
    n, radius = 200, 80
    disc = spheres_image([[0.5, 0.5]], radius / n, n, voxel=2e-6)
    exact = 2 * math.pi * radius / n**2 / 2e-6
    assert specific_surface(disc, 1) == pytest.approx(exact, rel=0.01)  # a row more or less of 160
    assert specific_surface(disc, 1, method="faces") == pytest.approx(4 / math.pi * exact, rel=0.01)
    assert surface_from_slope(two_point(disc, 1)) == pytest.approx(exact, rel=0.01)
    found = minkowski_functionals(disc, 1)
    assert found.mean_curvature is None
    assert found.euler * (n * 2e-6) ** 2 == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(("reach", "low", "high"), [(1, -0.073, 0.023), (2, -0.021, 0.014)])
def test_planes_of_any_direction_are_within_the_stated_band(reach, low, high):
    steps = np.array(neighbour_steps(3, reach), dtype=float)
    weights = direction_weights(steps)
    assert len(steps) == {1: 13, 2: 49}[reach]
    assert weights.sum() == pytest.approx(1, rel=1e-12)
    normals = np.random.default_rng(0).normal(size=(20_000, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    along = np.abs(normals @ (steps / np.linalg.norm(steps, axis=1)[:, None]).T)
    ratio = 2 * along @ weights
    assert low - 1e-3 < ratio.min() - 1 < low + 0.004
    assert high - 0.004 < ratio.max() - 1 < high + 1e-3
    assert ratio.mean() == pytest.approx(1, abs=2e-3)


def test_layers_have_the_faces_that_they_have():
    image = laminate_image([0.25, 0.75], (16, 4, 4), voxel=2e-6)
    exact = 2 / (16 * 2e-6)
    assert specific_surface(image, 0, method="faces") == pytest.approx(exact, rel=1e-14)
    steps = neighbour_steps(3, 1)
    vectors = np.array(steps, dtype=float)
    share = direction_weights(vectors) @ (np.abs(vectors[:, 0]) / np.linalg.norm(vectors, axis=1))
    assert specific_surface(image, 0) == pytest.approx(2 * share * exact, rel=1e-12)


def test_voxels_that_are_not_cubes_are_weighted_by_their_directions():
    flat = spheres_image([[0.5, 0.5, 0.5]], 0.4, (80, 80, 40), voxel=(1.0, 1.0, 2.0))
    area = 4 * math.pi * 32**2 / 80**3
    assert specific_surface(flat, 1) == pytest.approx(area, rel=0.01)
    assert direction_weights(np.array([[1.0, 0], [0, 1.0]])).tolist() == [0.5, 0.5]
    uneven = direction_weights(np.array(neighbour_steps(3, 1)) * [1.0, 1.0, 3.0])
    assert uneven.sum() == pytest.approx(1, rel=1e-12)
    assert uneven.min() > 0


def test_overlapping_spheres_have_the_known_surface(boolean):
    # S = 3 ln(1 / f_matrix) f_matrix / R (S. Torquato 2002, eq. 5.47); creases cost Crofton some per cent.
    image, radius = boolean
    exact = 3 * math.log(1 / 0.7) * 0.7 / (radius * 100)
    correlation = two_point(image, 1)
    assert surface_from_slope(correlation) == pytest.approx(exact, rel=0.04)  # the spread of one sample
    assert specific_surface(image, 1) == pytest.approx(exact, rel=0.08)
    assert specific_surface(image, 1) == pytest.approx(specific_surface(image, 0), rel=1e-12)


def test_faces_of_a_box_do_not_count():
    labels = np.zeros((8, 8, 8), dtype=int)
    labels[:4] = 1
    assert specific_surface(VoxelImage(labels, periodic=True), 1, method="faces") == pytest.approx(2 / 8)
    assert specific_surface(VoxelImage(labels, periodic=False), 1, method="faces") == pytest.approx(1 / 7)


# -------------------------------------------------------------------------------------- curvature, topology


@pytest.mark.parametrize("connectivity", [1, 3])
def test_euler_numbers_of_known_bodies(connectivity):
    def euler(labels):
        found = minkowski_functionals(VoxelImage(labels), 1, connectivity=connectivity)
        return found.euler * labels.size

    ball = spheres_image([[0.5, 0.5, 0.5]], 0.3, 24).labels
    assert euler(ball) == pytest.approx(1, abs=1e-8)
    hollow = ball.copy()
    hollow[spheres_image([[0.5, 0.5, 0.5]], 0.15, 24).labels == 1] = 0
    assert euler(hollow) == pytest.approx(2, abs=1e-8)  # one part and one cavity
    ring = np.zeros((12, 12, 12), dtype=np.uint8)
    ring[2:9, 2:9, 4:7] = 1
    ring[4:7, 4:7, :] = 0
    assert euler(ring) == pytest.approx(0, abs=1e-8)
    two = ring.copy()
    two[10, 10, 10] = 1
    assert euler(two) == pytest.approx(1, abs=1e-8)
    rod = np.zeros((8, 8, 8), dtype=np.uint8)
    rod[3:5, 3:5, :] = 1  # closes on itself around the box
    assert euler(rod) == pytest.approx(0, abs=1e-8)


def test_voxels_that_share_an_edge_are_one_part_or_two():
    labels = np.zeros((6, 6, 6), dtype=int)
    labels[2, 2, 2] = labels[3, 3, 2] = 1
    apart = minkowski_functionals(VoxelImage(labels), 1, connectivity=1).euler * labels.size
    joined = minkowski_functionals(VoxelImage(labels), 1, connectivity=3).euler * labels.size
    assert (round(apart, 9), round(joined, 9)) == (2, 1)


@given(LABELS)
def test_the_two_ways_to_count_agree_between_a_set_and_its_complement(labels):
    # In odd dimensions a surface bounds both sides alike: chi(X) of faces = chi(complement) of corners; in
    # even ones the sum is the Euler number of the torus, zero.
    binary = (labels > 0).astype(int)
    image = VoxelImage(binary)
    if len(image.phases) == 2:
        one = minkowski_functionals(image, 1, connectivity=1).euler
        other = minkowski_functionals(image, 0, connectivity=labels.ndim).euler
        sign = 1 if labels.ndim == 3 else -1
        assert one == pytest.approx(sign * other, abs=1e-12)


def test_the_mean_curvature_of_balls():
    # Integral of the mean curvature of a ball: 4 pi R (J. Ohser and F. Mücklich 2000).
    image = spheres_image([[0.3, 0.3, 0.3], [0.7, 0.7, 0.7]], [0.2, 0.15], 60, voxel=1e-6)
    found = minkowski_functionals(image, 1)
    exact = 4 * math.pi * (0.2 + 0.15) * 60e-6 / (60e-6) ** 3
    assert found.mean_curvature == pytest.approx(exact, rel=0.02)  # sections at whole voxels of 24 and 18
    assert found.euler == pytest.approx(2 / (60e-6) ** 3, rel=1e-9)
    assert found.fraction == image.fractions[1]


# ----------------------------------------------------------------------------------------- integral range


def boolean_integral_range(radius, count):
    r = np.linspace(0, 2 * radius, 4001)
    ball = 4 / 3 * math.pi * radius**3
    covariance = np.exp(-count * union_of_two(r, radius)) - np.exp(-2 * count * ball)
    share = 1 - math.exp(-count * ball)
    return np.trapezoid(4 * math.pi * r**2 * covariance, r) / (share * (1 - share))


def test_the_integral_range_of_overlapping_spheres():
    # Means over seeds, because one image of 300 integral ranges tells it to 10 to 15 % only.
    found, blocks = [], []
    for seed in range(6):
        image = random_ellipsoids(
            80, volume_fraction=0.3, count=400, seed=seed, aspect=(1, 1, 1), overlap=True
        )
        correlation = two_point(image, 1)
        found.append(integral_range(correlation) / image.size)
        reach = correlation_length(correlation)
        blocks.append(block_variances(image, 1, correlation_length=reach).integral_range / image.size)
    radius = image.source["semi_axes"][0][0]
    exact = boolean_integral_range(radius, 400)
    assert np.mean(found) == pytest.approx(exact, rel=0.15)
    assert np.mean(blocks) == pytest.approx(exact, rel=0.15)
    assert reach == pytest.approx(2 * radius * 80, rel=0.2)  # the balls' diameter


def test_blocks_see_that_spheres_keep_apart():
    # Fractions vary by the compressibility: A = v S(0) / (1 - f), with S(0) = (1 - f)^4 / (1 + 2 f)^2 of
    # Percus and Yevick (1958), v a sphere. The covariance up to its first zero says 2.6 times that.
    blocks, covariance = [], []
    for seed in range(5):
        image = random_spheres(64, volume_fraction=0.3, count=100, seed=seed)
        found = image_statistics(image, [1]).phases[1]
        blocks.append(found.integral_range_blocks / image.size)
        covariance.append(found.integral_range / image.size)
    exact = 0.3 / 100 * 0.7**3 / 1.6**2
    assert np.mean(blocks) == pytest.approx(exact, rel=0.25)  # 20 % of one image, and not quite equilibrium
    assert np.mean(covariance) > 2 * exact


def test_independent_voxels_have_the_integral_range_of_one():
    image = random_voxels(60, volume_fraction=0.4, seed=2, voxel=2e-6)
    found = block_variances(image, 1)
    assert found.integral_range == pytest.approx((2e-6) ** 3, rel=0.1)
    middle = (found.counts > 100) & (found.counts < 3000)
    spread = np.sqrt(2 / found.counts[middle])
    law = found.volumes * found.variances / (found.fraction * (1 - found.fraction)) / (2e-6) ** 3
    assert np.all(np.abs(law[middle] - 1) < 5 * spread)
    assert found.volumes[0] == pytest.approx((60e-6) ** 3 / 8)


def test_what_does_not_die_away_has_no_integral_range():
    assert math.isnan(integral_range(two_point(VoxelImage(np.eye(2, dtype=int)), 1, reach=0)))
    lattice = sphere_lattice("sc", 32, volume_fraction=0.3)
    assert math.isnan(integral_range(two_point(lattice, 1)))  # one ball is no sample of many
    assert math.isnan(image_statistics(lattice).phases[1].integral_range_blocks)


def test_the_spread_of_the_fraction_between_samples_is_predicted(boolean):
    image, _ = boolean
    found = image_statistics(image, [1], reach=30).phases[1]
    table = block_variances(image, 1)
    at = int(np.argmin(np.abs(table.edges - 33)))
    predicted = found.fraction_std(table.volumes[at])
    # 27 blocks tell a deviation to 14 %, and blocks of three ranges are off by some per cent.
    assert predicted == pytest.approx(math.sqrt(table.variances[at]), rel=0.45)


# ---------------------------------------------------------------------------------------------- gathered


def test_all_statistics_of_an_image_in_metres_and_in_voxels():
    labels = spheres_image([[0.3, 0.3, 0.3]], 0.2, 24).labels
    in_metres = image_statistics(VoxelImage(labels, voxel=(2e-6,) * 3, names={1: "grain"}))
    in_voxels = image_statistics(VoxelImage(labels))
    one, other = in_metres.phases[1], in_voxels.phases[1]
    assert (in_metres.unit, in_voxels.unit) == ("m", "voxel")
    assert one.name == "grain"
    assert one.fraction == other.fraction
    assert one.surface == pytest.approx(other.surface / 2e-6)
    assert one.euler == pytest.approx(other.euler / 8e-18)
    assert one.integral_range == pytest.approx(other.integral_range * 8e-18)
    assert one.chords["x"].mean == pytest.approx(other.chords["x"].mean * 2e-6)
    assert in_metres.volume == pytest.approx((48e-6) ** 3)
    text = json.dumps(in_metres.to_dict(), allow_nan=False)
    assert json.loads(text)["phases"][1]["specific_surface"]["crofton"] == one.surface
    assert "specific surface" in str(in_metres)
    assert "grain" in str(in_metres)


def test_only_the_largest_phases_are_measured_and_the_rest_is_named():
    labels = np.repeat(np.arange(9), 8).reshape(9, 8)
    labels[0, :4] = 1
    found = image_statistics(VoxelImage(labels, periodic=False))
    assert len(found.phases) == 6
    assert found.left_out == (0, 7, 8)
    assert found.to_dict()["left_out"] == [0, 7, 8]


@pytest.mark.parametrize(
    "labels", [np.zeros((8, 8), int), np.ones((1, 6), int), np.array([[0], [1]]), np.eye(2, dtype=int)]
)
def test_images_with_little_to_measure_are_measured(labels):
    for periodic in (True, False):
        found = image_statistics(VoxelImage(labels, periodic=periodic))
        json.dumps(found.to_dict(), allow_nan=False)
        assert sum(phase.fraction for phase in found.phases.values()) == pytest.approx(1)


@settings(max_examples=10)
@given(LABELS, st.booleans())
def test_statistics_do_not_depend_on_names_or_shifts(labels, periodic):
    image = VoxelImage(labels, periodic=periodic)
    found = image_statistics(image)
    renamed = image_statistics(VoxelImage(labels + 3, periodic=periodic))
    for label, phase in found.phases.items():
        assert renamed.phases[label + 3].to_dict()["two_point"] == phase.to_dict()["two_point"]
    if periodic:
        moved = image_statistics(VoxelImage(np.roll(labels, (1, 2), (0, 1))))
        for label, phase in found.phases.items():
            assert moved.phases[label].surface == pytest.approx(phase.surface, rel=1e-12, abs=1e-15)
            assert np.allclose(moved.phases[label].two_point.values, phase.two_point.values)
            assert moved.phases[label].chords["x"].complete.tolist() == phase.chords["x"].complete.tolist()


IMAGE = VoxelImage(np.eye(8, dtype=int), periodic=False)


@pytest.mark.parametrize(
    ("call", "error", "argument", "told"),
    [
        (lambda: two_point(IMAGE, 5), PhaseError, "labels", "occur"),
        (lambda: two_point(IMAGE, 1, reach=8), ImageError, "reach", "(7, 7)"),
        (lambda: two_point(VoxelImage(IMAGE.labels), 1, reach=5), ImageError, "reach", "(4, 4)"),
        (lambda: two_point(IMAGE, 1, reach=-1), ImageError, "reach", "whole"),
        (lambda: two_point(IMAGE, 1, reach=1.5), ImageError, "reach", "whole"),
        (lambda: two_point(IMAGE, 1, dtype="float16"), ImageError, "dtype", "float32"),
        (lambda: two_point(IMAGE, 1, within=IMAGE.labels), ImageError, "within", "booleans"),
        (lambda: two_point(IMAGE, 1, within=IMAGE.labels > 1), ImageError, "within", "true"),
        (lambda: integral_range(two_point(IMAGE, 0, 1)), ImageError, "phases", "one phase"),
        (lambda: correlation_length(two_point(IMAGE, (0, 1))), ImageError, "phases", "variance"),
        (lambda: block_variances(IMAGE, (0, 1)), ImageError, "phase", "fraction"),
        (lambda: chord_lengths(IMAGE, 0, "z"), ImageError, "axis", "x, y"),
        (lambda: specific_surface(IMAGE, 0, method="mesh"), ImageError, "method", "crofton"),
        (lambda: specific_surface(IMAGE, 0, reach=4), ImageError, "reach", "1, 2 or 3"),
        (lambda: surface_from_slope(two_point(IMAGE, 0, 1)), ImageError, "correlation", "one phase"),
        (lambda: surface_from_slope(two_point(IMAGE, 0, reach=2)), ImageError, "correlation", "shells"),
        (lambda: minkowski_functionals(IMAGE, 0, connectivity=3), ImageError, "connectivity", "corners"),
        (lambda: image_statistics(IMAGE, [0, 0]), PhaseError, "labels", "every one once"),
        (lambda: image_statistics(IMAGE, [7]), PhaseError, "labels", "occur"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, error, argument, told):
    with pytest.raises(error) as caught:
        call()
    assert caught.value.argument == argument
    assert told in str(caught.value)
