"""The difference of descriptors of two images at mapped points, with its exact derivative."""

from copy import copy
from dataclasses import replace

import numpy as np
from scipy import ndimage

from scalebridge.core.slabs import in_slabs
from scalebridge.registration.descriptors import DESCRIPTORS
from scalebridge.registration.difference_kernels import compare_channels
from scalebridge.registration.frame import Frame
from scalebridge.registration.pyramid import Layer
from scalebridge.registration.similarity import Matched
from scalebridge.registration.spatial_map import SpatialMap

_FLOOR = 1e-4  # of a mean squared difference


class DescriptorPairing:
    """A fixed and a moving layer with the difference of their descriptors between them.

    value = -C/2 log(S / S_0),   S = sum w |M(y) - F(x)|^2 / (C sum w),  y = x + u(x)

    the likelihood of independent normal differences in C channels whose variance S is not known, nats a
    sample, against S_0, what the same channels differ by at random. M describes the moving image carried to
    the fixed grid by the map's linear part, which is kept while u is sought.

    Args:
        fixed: the fixed layer; samples without weight are left out.
        moving: the moving layer.
        found: a map, whose linear part carries.
        kind: a key of `DESCRIPTORS`.
    """

    def __init__(self, fixed: Layer, moving: Layer, found: SpatialMap, kind: str):
        self.fixed = fixed
        self.kept = np.flatnonzero(fixed.weights.ravel() > 1e-3)
        self.points = fixed.frame.grid()[self.kept]
        linear = found.linear
        self.inverse = np.linalg.inv(linear.matrix @ fixed.frame.matrix)
        self.origin = linear(np.array([fixed.frame.origin]))[0]
        self.moving = _carried(fixed, moving, linear)
        describe = DESCRIPTORS[kind]
        self.described = describe(fixed)
        there = describe(self.moving)
        self.channels = np.stack(
            [ndimage.spline_filter(part.astype(float), 3, mode="mirror") for part in there], axis=-1
        ).astype(np.float32)
        count = len(self.described)
        self.known = np.ascontiguousarray(self.described.reshape(count, -1).T[self.kept])
        self.fixed_weights = fixed.weights.ravel()[self.kept].astype(np.float32)
        self.total = float(self.fixed_weights.sum(dtype=float))
        self.chance = (_variance(self.described, fixed) + _variance(there, self.moving)) / count + 1e-12
        self._make_room()

    def only(self, chosen: np.ndarray) -> "DescriptorPairing":
        """The same pairing of chosen samples alone, (n,) of True and False."""
        part = copy(self)
        part.kept, part.points, part.known = self.kept[chosen], self.points[chosen], self.known[chosen]
        part.fixed_weights = self.fixed_weights[chosen]
        part.total = float(part.fixed_weights.sum(dtype=float))
        part._make_room()
        return part

    def _make_room(self) -> None:
        count = self.known.shape[1]
        shapes = ((count,), (count, 2), (), (2,))
        self._sampled = [np.zeros((len(self.points), *shape), np.float32) for shape in shapes]

    def evidence(self, mapped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood of each sample where it is mapped to, nats, and its weight, (n,) each."""
        matched, count = self(mapped, slope=False), self.known.shape[1]
        own = np.einsum("nc,nc->n", self._sampled[0], self._sampled[0]) / count + _FLOOR
        heavy = (self.fixed_weights * self._sampled[2]).astype(float)
        mean = float(heavy @ own) / max(matched.weight, 1e-9)
        return -0.5 * count * (own / max(mean, _FLOOR) - 1.0 + np.log(max(mean, _FLOOR) / self.chance)), heavy

    def __call__(self, mapped: np.ndarray, slope: bool = True) -> Matched:
        """Compare where the fixed samples are mapped to, (n, 2), mm."""
        places = (mapped - self.origin) @ self.inverse.T
        misses, slopes, weights, weight_slopes = self._sampled
        given = (places, self.known, self.channels, self.moving.weights)
        in_slabs(compare_channels, len(places), *given, *self._sampled)
        count = self.known.shape[1]
        own = np.einsum("nc,nc->n", misses, misses) / count
        heavy = (self.fixed_weights * weights).astype(float)
        weight = float(heavy.sum())
        if weight <= 1e-9:
            return Matched(-np.inf, np.zeros((len(places), 2)), 0.0, 0.0, heavy, slopes)
        mean = float(heavy @ own) / weight + _FLOOR
        value = -0.5 * count * np.log(mean / self.chance)
        curvatures = heavy / (mean * weight) / weight  # of the value by each channel, over the weight
        forces = np.zeros((len(places), 2))
        if slope:
            pull = np.einsum("nc,nck->nk", misses, slopes) * (2.0 / count)
            by_weight = self.fixed_weights * (own + _FLOOR - mean)
            forces = heavy[:, None] * pull + by_weight[:, None] * weight_slopes
            forces *= -0.5 * count / (mean * weight)
        return Matched(value, forces, weight / max(self.total, 1e-12), weight, curvatures, slopes)

    def expected_slopes(self, found: SpatialMap) -> np.ndarray:
        """Slopes of the fixed channels, by the displacement, (n, channels, 2), 1/mm."""
        smooth = [ndimage.gaussian_filter(part, 1.0) for part in self.described]
        return np.stack([slopes_of(part, self.fixed.frame)[self.kept] for part in smooth], axis=1)

    def forces(self, matched: Matched) -> np.ndarray:
        """Derivative of the value by the mapped points, (n, 2), 1/mm."""
        return matched.forces @ self.inverse


def _variance(channels: np.ndarray, layer: Layer) -> float:
    return float(sum(np.var(part[layer.weights > 0.5]) for part in channels))


def _carried(fixed: Layer, moving: Layer, linear: SpatialMap) -> Layer:
    """The moving layer on the fixed grid by a linear map, with its weights."""
    places = moving.frame.indices(linear(fixed.frame.grid())).T
    values = ndimage.map_coordinates(moving.values, places, order=3, mode="nearest").reshape(
        fixed.frame.shape
    )
    weights = ndimage.map_coordinates(moving.weights, places, order=1, mode="constant").reshape(
        fixed.frame.shape
    )
    return replace(fixed, values=np.clip(values, 0, 1).astype(np.float32), weights=weights.astype(np.float32))


def slopes_of(values: np.ndarray, frame: Frame) -> np.ndarray:
    """Slopes of an image in physical space, (samples, 2), 1/mm."""
    along = np.stack([np.gradient(values, h, axis=k) for k, h in enumerate(frame.spacing)], axis=-1)
    return (along @ np.array(frame.directions).T).reshape(-1, 2)
