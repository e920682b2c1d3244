"""Descriptors: what they do not depend on, their known values, the exact slope of their difference."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from scalebridge.registration.curvature import measure_curvature, multiply
from scalebridge.registration.descriptors import gradient_directions, self_similarity
from scalebridge.registration.difference import DescriptorPairing
from scalebridge.registration.frame import Frame
from scalebridge.registration.matching import SplineCost
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.spline import SplineGrid

FRAME = Frame((48, 40), (1.0, -2.0), (1.0, 1.5))
KINDS = ("mind", "gradients")


def blobs(seed: int = 0) -> np.ndarray:
    """Smooth noise in 0..1."""
    image = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(FRAME.shape), 2.5)
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def layer(values: np.ndarray) -> Layer:
    return Layer(values.astype(np.float32), np.ones(values.shape, np.float32), FRAME)


def start_map(size: float = 0.6) -> SpatialMap:
    """A turned, shrunk map with a spline."""
    grid = SplineGrid.covering((48.0, 60.0), 16.0, (-0.5, -0.75))
    field = size * np.random.default_rng(3).standard_normal((*grid.count, 2))
    return SpatialMap(np.array([[0.9, -0.3], [0.25, 0.95]]), np.array([2.0, -1.0]), FRAME, grid, field)


@pytest.mark.parametrize("describe", [self_similarity, gradient_directions])
def test_contrast_turned_over_and_scaled_describes_the_same(describe):
    image = blobs()
    one, other = describe(layer(image)), describe(layer(0.9 - 0.5 * image))
    # The constant against noise scales with the image; 32 bits and the smallest denominators are left.
    assert np.abs(one - other).max() < 2e-3


def test_gradient_directions_of_a_ramp():
    x, y = np.meshgrid(np.arange(48.0), np.arange(40.0), indexing="ij")
    found = gradient_directions(layer(0.01 * x + 0.01 * y))[:, 10:30, 10:30]
    # |g|^2 equals its mean but for the edges, where the Gaussian's mirror flattens the ramp: about a half of
    # n n' = (1/2, 1/2, sqrt(2)/2).
    assert np.allclose(found, np.array([0.25, 0.25, np.sqrt(2) / 4])[:, None, None], rtol=0.1)


def test_what_a_mask_hides_describes_nothing_outside():
    image, weights = blobs(), np.ones(FRAME.shape, np.float32)
    weights[20:26, 15:22] = 0.0
    broken = np.where(weights > 0, image, 5.0).astype(np.float32)
    found = self_similarity(Layer(broken, weights, FRAME))
    assert found.min() >= 0
    assert found.max() <= 1
    again = self_similarity(Layer(np.where(weights > 0, image, -3.0).astype(np.float32), weights, FRAME))
    outside = ndimage.binary_erosion(weights > 0, iterations=1)
    assert np.abs(found - again)[:, outside].max() < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_the_difference_s_slope_against_differences(kind):
    start, rng = start_map(), np.random.default_rng(4)
    fixed = replace(layer(blobs()), weights=rng.uniform(0.2, 1, FRAME.shape).astype(np.float32))
    moving = replace(
        layer(blobs(1) ** 2),
        weights=ndimage.gaussian_filter(np.pad(np.ones((38, 30)), 5), 1.5).astype(np.float32),
    )
    pairing = DescriptorPairing(fixed, moving, start, kind)
    mapped = start(pairing.points)
    slope = pairing.forces(pairing(mapped)).copy()
    way = slope / np.sqrt(np.mean(slope**2))
    h = 1e-3
    difference = (pairing(mapped + h * way, False).value - pairing(mapped - h * way, False).value) / (2 * h)
    # Values of 32 bits, and the mask's linear interpolation has kinks that some points cross.
    assert np.sum(slope * way) == pytest.approx(difference, rel=1e-2)


def test_the_same_image_differs_by_nothing_where_it_lies():
    image, found = blobs(), SpatialMap(np.eye(2), np.zeros(2), FRAME)
    pairing = DescriptorPairing(layer(image), layer(1 - image), found, "mind")
    there = pairing(found(pairing.points)).value
    aside = pairing(found(pairing.points) + np.array([2.0, 0.0])).value
    assert there > aside + 1.0  # nats a sample


def test_the_curvature_of_several_channels_is_the_sum_over_points():
    start = start_map()
    pairing = DescriptorPairing(layer(blobs()), layer(1 - blobs()), start, "mind")
    cost = SplineCost(pairing, start, 30.0)
    cost(start.coefficients)
    curvature, matched = measure_curvature(cost), cost.matched
    basis = (cost.first.toarray()[:, None, :, None] * cost.second.toarray()[None, :, None, :]).reshape(
        len(pairing.points), -1
    )
    slopes = (matched.slopes @ (pairing.inverse @ start.matrix)).astype(float)
    rows = (basis[:, None, :, None] * slopes[:, :, None, :]).reshape(len(basis), 4, -1)
    heavy = matched.curvatures * matched.weight
    probe = np.random.default_rng(9).standard_normal((curvature.size, 2))
    dense = np.einsum("nci,n,ncp->ip", rows, heavy, rows @ probe)
    assert np.allclose(multiply(curvature.information, probe), dense, rtol=1e-5, atol=1e-6 * dense.max())
