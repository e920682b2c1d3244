"""Fourier transforms along an axis of waves: those of NumPy, in place, of the asked part alone."""

import math

import numpy as np
import pytest

from scalebridge.grids.line_kernels import factors_of, stages_of
from scalebridge.grids.line_transforms import LineTransform

TYPES = (np.complex64, np.complex128)
# two to four stages of every radix, one stage, and a factor that has none
POINTS = (16, 45, 50, 64, 96, 100, 108, 8, 56)


def waves_of(shape, dtype):
    rng = np.random.default_rng(7)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)


def rounding(dtype, points):
    """Of the largest wave: a rounding or two a stage, of numbers that grow with the root of the points."""
    return 16 * np.finfo(dtype).eps * math.sqrt(points)


def reference(waves, axis, forward):
    wide = waves.astype(complex)
    return np.fft.fft(wide, axis=axis) if forward else np.fft.ifft(wide, axis=axis) * waves.shape[axis]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("points", POINTS)
def test_planes_are_transformed_along_the_last_axis_but_one(points, dtype, forward):
    waves = waves_of((3, 2, points, 33), dtype)
    before = waves.copy()
    LineTransform(waves, 2).planes(1, 3, forward=forward)
    expected = reference(before, 2, forward)
    np.testing.assert_array_equal(waves[:1], before[:1])
    np.testing.assert_allclose(waves[1:], expected[1:], rtol=0, atol=rounding(dtype, points))


@pytest.mark.parametrize("across", [2, 3])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("points", POINTS)
def test_columns_are_transformed_along_the_first_axis(points, dtype, across):
    waves = waves_of((points, 3, 5, 70), dtype)
    before = waves.copy()
    LineTransform(waves, 0).columns(1, 4 if across == 2 else 64, across, forward=True)
    where = (slice(None),) * across + (slice(1, 4 if across == 2 else 64),)
    expected = before.astype(complex)
    expected[where] = reference(before, 0, True)[where]
    np.testing.assert_allclose(waves, expected, rtol=0, atol=rounding(dtype, points))
    rest = np.ones(waves.shape, bool)
    rest[where] = False
    np.testing.assert_array_equal(waves[rest], before[rest])


def test_lines_that_do_not_fit_at_once_are_taken_in_turn():
    waves = waves_of((256, 1, 3, 300), np.complex64)  # of a tile: 64 lines of 256 points
    before = waves.copy()
    LineTransform(waves, 0).columns(0, 3, 2, forward=True)
    np.testing.assert_allclose(waves, reference(before, 0, True), rtol=0, atol=rounding(np.complex64, 256))


def test_stages_multiply_to_the_points_and_their_first_factors_are_one():
    for points in range(2, 500):
        stages = stages_of(points)
        left = points
        for prime in (2, 3, 5):
            while left % prime == 0:
                left //= prime
        assert (math.prod(stages) == points) if left == 1 else stages == []
    factors = factors_of([8, 8], np.dtype(float))
    np.testing.assert_array_equal(factors[:, :16], np.tile([1.0, 0.0], (2, 8)))
