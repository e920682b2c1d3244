"""Real transforms of fields along y, turned over: those of NumPy, of the asked planes alone."""

import math

import numpy as np
import pytest

from scalebridge.grids.real_transforms import RealTransform

TYPES = (np.float32, np.float64)
# y and z: every radix, one and several stages, an odd and an even number of pairs, last squares that overlap,
# several cuts of z; then what ducc0 does: an odd number, another factor, planes below a square
PLANES = ((64, 64), (60, 16), (50, 33), (18, 18), (96, 200), (16, 16), (15, 20), (14, 20), (64, 3))


def rounding(dtype, points):
    """Some roundings of numbers that grow with the root of the points."""
    return 16 * np.finfo(dtype).eps * math.sqrt(points)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("y", "z"), PLANES)
def test_waves_are_those_along_y_with_z_first_and_back_again(y, z, dtype):
    field = np.random.default_rng(3).standard_normal((3, 3, y, z)).astype(dtype)
    transform = RealTransform(field.shape, dtype)
    waves = np.zeros((3, *transform.waves), np.result_type(dtype, np.complex64))
    transform.forward(field, 1, 3, waves)
    expected = np.fft.rfft(field.astype(float), axis=2).transpose(0, 3, 1, 2)
    assert waves.shape == expected.shape
    np.testing.assert_array_equal(waves[0], 0)
    np.testing.assert_allclose(waves[1:], expected[1:], rtol=0, atol=rounding(dtype, y))
    back = np.empty((1, 3, y, z), dtype)
    transform.backward(waves, 2, 3, back)
    np.testing.assert_allclose(back / y, field[2:], rtol=0, atol=16 * np.finfo(dtype).eps * 4)


def test_the_way_back_takes_first_and_last_waves_as_real():
    """As a real transform does: imaginary parts there belong to no real field."""
    transform = RealTransform((1, 3, 16, 16), np.dtype(float))
    waves = np.random.default_rng(4).standard_normal((1, *transform.waves, 2)) @ [1, 1j]
    back, real = np.empty((1, 3, 16, 16)), waves.copy()
    real[..., [0, -1]] = real[..., [0, -1]].real
    transform.backward(waves, 0, 1, back)
    np.testing.assert_allclose(back / 16, np.fft.irfft(real, axis=3).transpose(0, 2, 3, 1), atol=1e-14)
