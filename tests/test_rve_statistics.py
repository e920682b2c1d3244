"""The statistics of subvolumes on processes whose answer is known, and on a law followed to the letter.

Fractions of independent voxels have an integral range of one voxel and an exponent of one; a moving average
over w voxels an axis has the integral range w^d: the weights' sum, squared, over the sum of their squares.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from scalebridge.core.errors import InputError
from scalebridge.upscaling.rve_statistics import (
    Sample,
    fit_drift,
    fit_variance_law,
    neighbour_correlation,
    spread_of,
)
from scalebridge.upscaling.subvolumes import (
    box_count,
    checked_sizes,
    choose_boxes,
    default_sizes,
    overlaps,
)

REPEATS = 200
# 95 % intervals in REPEATS trials: the binomial 99.9 % range about 0.95, rounded outwards.
COVERED = (0.89, 0.995)


def white(shape, seed):
    """Voxels of 1 with probability 0.3: mean 0.3, variance 0.21, integral range 1."""
    return (np.random.default_rng(seed).random(shape) < 0.3).astype(float)


def smooth(shape, seed, width=3):
    """A moving average of white noise, with mean 0 and variance 1; its integral range is width^dim."""
    rng = np.random.default_rng(seed)
    field = uniform_filter(rng.standard_normal([n + 2 * width for n in shape]), width)
    inside = tuple(slice(width, width + n) for n in shape)
    return field[inside] * width ** (len(shape) / 2)


def cut(field, sizes, most=64, seed=0):
    """Means over boxes of a field, as samples."""
    rng = np.random.default_rng(seed)
    found = []
    for size in sizes:
        origins = choose_boxes(field.shape, size, most, rng)
        means = [field[tuple(slice(a, a + n) for a, n in zip(o, size, strict=True))].mean() for o in origins]
        found.append(Sample(size, np.array(means), origins, box_count(field.shape, size)))
    return found


def law_of(samples, point_variance, **options):
    return fit_variance_law(samples, [s.values.var(ddof=1) for s in samples], point_variance, **options)


# ------------------------------------------------------------------------------------ on known processes


@pytest.mark.parametrize(
    ("make", "shape", "mean", "variance", "integral_range"),
    [
        (white, (64, 64), 0.3, 0.21, 1.0),
        (white, (40, 40, 40), 0.3, 0.21, 1.0),
        (smooth, (96, 96), 0.0, 1.0, 9.0),
    ],
    ids=["independent pixels", "independent voxels", "moving average"],
)
def test_intervals_cover_what_is_known(make, shape, mean, variance, integral_range):
    sizes = default_sizes(shape)
    means, exponents, ranges, images, drifts = np.zeros(len(sizes)), 0, 0, 0, 0
    for seed in range(REPEATS):
        field = make(shape, seed)
        samples = cut(field, sizes, seed=seed)
        spreads = [spread_of(s, s.values) for s in samples]
        means += [abs(s.mean - mean) <= s.half_width for s in spreads]
        law = law_of(samples, variance)
        exponents += abs(law.exponent - 1) <= 1.96 * law.exponent_std
        shift = abs(math.log(law.integral_range / integral_range))
        ranges += shift <= 1.96 * law.integral_range_uncertainty
        reach = 1.96 * math.sqrt(law.expected_variance(field.size))
        images += abs(field.mean() - mean) <= reach
        drifts += fit_drift(samples, [s.values for s in samples]).p_value >= 0.05
    for share in (*(means / REPEATS), images / REPEATS):
        assert COVERED[0] <= share <= COVERED[1], (means, images)
    # What is known beforehand makes the law's own intervals wider than they need be here.
    assert exponents >= COVERED[0] * REPEATS
    assert ranges >= COVERED[0] * REPEATS
    assert drifts >= COVERED[0] * REPEATS


def test_the_integral_range_of_pixels_is_found_to_the_accuracy_that_is_stated():
    fitted = [law_of(cut(white((256, 256), seed), default_sizes((256, 256))), 0.21) for seed in range(40)]
    mean = np.mean([math.log(law.integral_range) for law in fitted])
    stated = np.mean([law.integral_range_uncertainty for law in fitted])
    assert abs(mean) < 3 * stated / math.sqrt(40)
    assert abs(np.mean([law.exponent for law in fitted]) - 1) < 3 * 0.2 / math.sqrt(40)


def test_nothing_known_beforehand_leaves_the_exponent_to_the_boxes():
    samples = cut(white((64, 64), 1), default_sizes((64, 64)))
    free, drawn = law_of(samples, 0.21, belief=math.inf), law_of(samples, 0.21)
    assert free.exponent_std > drawn.exponent_std
    assert abs(drawn.exponent - 1) < abs(free.exponent - 1)


# ------------------------------------------------------------------------------------ the law, exactly


def expected(sizes, shape, scale, exponent):
    """Samples without answers, and the variances that n of N boxes of one image have on average."""
    samples, variances = [], []
    for size in sizes:
        count = box_count(shape, size)
        origins = choose_boxes(shape, size, count, np.random.default_rng(0))
        samples.append(Sample(size, np.zeros(count), origins, count))
        volume = math.prod(size)
        variances.append(scale * (volume**-exponent - (count * volume) ** -exponent) * count / (count - 1))
    return samples, variances


@pytest.mark.parametrize("exponent", [1 / 3, 2 / 3, 1.0])
def test_a_law_that_is_followed_is_found(exponent):
    # Many boxes, so that the logarithm of a sample variance is the logarithm of its expectation to 1 / n.
    samples, variances = expected([(4, 4), (8, 8), (16, 16)], (192, 192), 5.0, exponent)
    law = fit_variance_law(samples, variances, 5.0, belief=math.inf)
    assert law.exponent == pytest.approx(exponent, abs=5e-3)
    assert law.variance(100.0) == pytest.approx(5.0 * 100.0**-exponent, rel=0.02)
    # D_Z² is the variance at V = A by definition.
    assert law.variance(law.integral_range) == pytest.approx(5.0, rel=1e-12)
    assert law.volume_for(0.01) == pytest.approx((5.0 / 0.01) ** (1 / exponent), rel=0.1)
    assert law.variance(law.volume_for(0.01)) == pytest.approx(0.01, rel=1e-12)
    assert law.independent_volumes(64.0) == pytest.approx(5.0 / law.variance(64.0), rel=1e-12)


def test_uncertainty_grows_with_the_distance_from_the_sizes():
    samples, variances = expected([(8, 8), (16, 16), (32, 32)], (96, 96), 5.0, 1.0)
    law = fit_variance_law(samples, variances, 5.0)
    spread = law.uncertainty(np.array([256.0, 96.0**2, 1e6]))
    assert spread[0] < spread[1] < spread[2]
    assert law.expected_variance(1e6) > law.variance(1e6)


def test_a_law_that_is_broken_is_seen():
    samples, variances = expected([(4, 4), (8, 8), (16, 16)], (256, 256), 5.0, 1.0)
    good = fit_variance_law(samples, variances, 5.0)
    bad = fit_variance_law(samples, [variances[0], 3 * variances[1], variances[2]], 5.0)
    assert good.misfit > 0.5
    assert bad.misfit < 1e-3


def test_one_size_has_the_exponent_that_is_known_beforehand():
    samples, variances = expected([(8, 8)], (64, 64), 5.0, 1.0)
    law = fit_variance_law(samples, variances, 5.0)
    assert law.exponent == pytest.approx(1.0, abs=1e-4)
    assert law.exponent_std == pytest.approx(0.3, rel=1e-6)
    assert math.isnan(law.misfit)


def test_without_variation_there_is_no_law():
    samples, variances = expected([(8, 8), (16, 16)], (64, 64), 5.0, 1.0)
    assert fit_variance_law(samples, [0.0, 0.0], 5.0) is None
    assert fit_variance_law(samples, variances, 0.0) is None


# --------------------------------------------------------------------------------- spread, neighbours, drift


def test_independent_boxes_have_students_interval():
    origins = np.array([[0, 0], [100, 0], [0, 100], [100, 100]])  # no two share a face
    found = spread_of(Sample((8, 8), np.zeros(4), origins, 16), np.array([1.0, 2.0, 3.0, 6.0]))
    assert (found.mean, found.std) == (3.0, pytest.approx(math.sqrt(14 / 3)))
    assert math.isnan(found.neighbours)
    # Student's t with 3 degrees of freedom at 97.5 %: 3.1824 (any table).
    assert found.half_width == pytest.approx(3.1824 * math.sqrt(14 / 3) / 2, rel=1e-4)


def test_alike_neighbours_widen_the_interval_and_unlike_ones_do_not():
    origins = choose_boxes((64, 64), (8, 8), 64, np.random.default_rng(0))
    sample = Sample((8, 8), np.zeros(64), origins, 64)
    halves = (origins[:, 0] >= 32).astype(float)
    board = ((origins[:, 0] + origins[:, 1]) // 8 % 2).astype(float)
    alike, pairs = neighbour_correlation(sample, halves)
    unlike, _ = neighbour_correlation(sample, board)
    assert pairs == 2 * 7 * 8 / 64
    # 8 of the 112 pairs lie across the middle and disagree; 1/63 removes what the common mean brings in.
    assert alike == pytest.approx((104 - 8) / 112 + 1 / 63)
    assert unlike == pytest.approx(-1 + 1 / 63)
    assert spread_of(sample, halves).half_width > 1.5 * spread_of(sample, board).half_width


def test_a_drift_is_found_through_the_noise_that_all_sizes_share():
    field = smooth((96, 96), 5, width=7)
    samples = cut(field, [(8, 8), (16, 16), (32, 32)], most=200)
    numbers = [s.values + 0.5 + 3.0 / s.edge for s in samples]
    found = fit_drift(samples, numbers)
    assert found.slope == pytest.approx(3.0, rel=1e-6)  # nested boxes: means of means are exact
    assert found.p_value < 1e-6
    assert found.at(30.0) == pytest.approx(0.1, rel=1e-6)


def test_there_is_no_drift_to_see_in_one_size_or_in_sizes_that_agree():
    samples = cut(white((64, 64), 0), [(8, 8), (16, 16)], most=64)
    assert fit_drift(samples[:1], [samples[0].values]) is None
    assert fit_drift(samples, [np.ones(64), np.ones(16)]) is None


# --------------------------------------------------------------------------------------------- subvolumes


@given(
    st.lists(st.integers(2, 40), min_size=2, max_size=3).flatmap(
        lambda shape: st.tuples(st.just(tuple(shape)), st.tuples(*(st.integers(1, n) for n in shape)))
    ),
    st.integers(1, 30),
    st.integers(0, 5),
)
def test_boxes_lie_inside_and_apart(given_boxes, most, seed):
    shape, size = given_boxes
    origins = choose_boxes(shape, size, most, np.random.default_rng(seed))
    assert len(origins) == min(most, box_count(shape, size))
    assert np.all(origins >= 0)
    assert np.all(origins + size <= shape)
    shared = overlaps(origins, size, origins, size)
    np.testing.assert_array_equal(shared, math.prod(size) * np.eye(len(origins)))


def test_boxes_are_drawn_anew_by_another_seed_and_the_same_by_the_same():
    draws = [choose_boxes((64, 64), (4, 4), 20, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize(
    ("shape", "edges"),
    [
        ((128, 128, 128), [16, 25, 42, 64]),
        ((400, 400, 400), [50, 80, 128, 200]),
        ((64, 40), [8, 12, 20]),
        ((32, 32, 32), [10, 16]),
    ],
)
def test_default_sizes(shape, edges):
    assert default_sizes(shape) == [(edge,) * len(shape) for edge in edges]


def test_an_image_too_small_for_two_sizes_is_refused():
    with pytest.raises(InputError, match="two sizes of subvolumes"):
        default_sizes((15, 200))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (16, "a list of edges"),
        ("16", "a list of edges"),
        ([], "at least one size"),
        ([16.5], "a list of edges"),
        ([None], "a list of edges"),
        ([(8, 8)], "a list of edges"),
        ([0], "a list of edges"),
        ([-4], "a list of edges"),
        ([1], "a list of edges"),
        ([40], "at least twice"),
    ],
)
def test_sizes_that_are_none_are_refused(sizes, said):
    with pytest.raises(InputError, match=said):
        checked_sizes(sizes, (64, 64, 64))


def test_sizes_are_sorted_and_told_apart():
    found = checked_sizes([16, (8, 8, 4), 8, 16], (32, 32, 32))
    assert found == [(8, 8, 4), (8, 8, 8), (16, 16, 16)]
