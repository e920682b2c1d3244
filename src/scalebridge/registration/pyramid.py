"""Pyramids: weighted averages over blocks, with the exact place of every sample."""

from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import ndimage

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import ImageError
from scalebridge.core.transfer import Transfer
from scalebridge.registration.frame import Frame


class WeightedAverage(Transfer):
    """Averages over blocks of 2 x 2 (or any) samples weighted by a mask upwards, constant fields downwards.

    restrict: c_B = sum_{x in B} w f / W_B with W_B = sum w;  prolong: f(x) = c_B.  In the inner products
    weighted by w and W one is the adjoint of the other, and the weighted sum is conserved. A block without
    weight gives zero and carries none.

    Args:
        weights: of the fine samples, not negative.
        factor: block size along each axis; it divides the shape.

    Raises:
        ImageError: a factor that does not divide the shape.

    Example:
        >>> average = WeightedAverage(jnp.array([[1.0, 3.0]]), (1, 2))
        >>> average.restrict(jnp.array([[4.0, 8.0]])).tolist()
        [[7.0]]
    """

    weights: Float[Array, "..."]
    factor: tuple[int, ...] = eqx.field(static=True)

    def __check_init__(self):
        shape = self.weights.shape
        if len(shape) != len(self.factor) or any(n % k for n, k in zip(shape, self.factor, strict=True)):
            raise ImageError(
                "factor",
                got=f"{self.factor} for {shape} samples",
                wanted="one factor for each axis that divides the shape",
                cure="pad the image with samples of no weight",
            )

    @property
    def fine_shape(self) -> tuple[int, ...]:
        """Samples along each axis."""
        return self.weights.shape

    @property
    def coarse_shape(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(n // k for n, k in zip(self.weights.shape, self.factor, strict=True))

    @property
    def coarse_weights(self) -> Float[Array, "..."]:
        """Sum of weights of each block."""
        return self._sum(self.weights)

    def restrict(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        """Average over each block."""
        total = self.coarse_weights
        return self._sum(self.weights * fine) / jnp.where(total > 0, total, 1.0)

    def prolong(self, coarse: Float[Array, "..."]) -> Float[Array, "..."]:
        """Give every sample the value of its block."""
        fine = coarse
        for axis, block in enumerate(self.factor):
            fine = jnp.repeat(fine, block, axis)
        return fine

    def inner_fine(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Weighted sum of the product over the samples."""
        return jnp.sum(self.weights * first * second)

    def inner_coarse(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Weighted sum of the product over the blocks."""
        return jnp.sum(self.coarse_weights * first * second)

    def _sum(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        split = [n for pair in zip(self.coarse_shape, self.factor, strict=True) for n in pair]
        return jnp.sum(jnp.reshape(fine, split), axis=tuple(range(1, 2 * len(self.factor), 2)))


@dataclass(frozen=True)
class Layer:
    """An image at one level of a pyramid.

    Args:
        values: samples.
        weights: share of each sample's area that counts, in 0..1.
        frame: where the samples are.
    """

    values: np.ndarray
    weights: np.ndarray
    frame: Frame

    @property
    def spacing(self) -> float:
        """Largest distance of samples, mm."""
        return max(self.frame.spacing)

    def coarser(self, factor: tuple[int, ...]) -> "Layer":
        """Average over blocks as `WeightedAverage` does, on the host; edges are padded without weight.

        Where nothing has weight the plain average stands, so that interpolation has something to go on with.
        """
        values, weights = self.values, self.weights
        pads = [(0, -n % k) for n, k in zip(values.shape, factor, strict=True)]
        if any(right for _, right in pads):
            values, weights = np.pad(values, pads, mode="edge"), np.pad(weights, pads)
        shape = tuple(n // k for n, k in zip(values.shape, factor, strict=True))
        total = _block_sum(weights, shape, factor)
        heavy = _block_sum(values * weights, shape, factor)
        size = float(np.prod(factor))
        plain = _block_sum(values, shape, factor) / size
        mean = np.where(total > 1e-6, heavy / np.maximum(total, 1e-6), plain)
        return Layer(mean.astype(np.float32), (total / size).astype(np.float32), self.frame.coarser(factor))


def _block_sum(values: np.ndarray, shape: tuple[int, ...], factor: tuple[int, ...]) -> np.ndarray:
    split = [n for pair in zip(shape, factor, strict=True) for n in pair]
    return values.reshape(split).sum(axis=tuple(range(1, 2 * len(factor), 2)), dtype=float)


def build_pyramid(layer: Layer, coarsest: float) -> list[Layer]:
    """Halve an image until its samples are `coarsest` mm apart or it has fewer than 32; finest first.

    An axis whose samples are much closer than another's is halved alone until they are alike.
    """
    layers = [layer]
    while True:
        last = layers[-1]
        spacing = np.array(last.frame.spacing)
        close = spacing < 1.5 * spacing.min()
        if spacing[close].max() * 1.41 > coarsest or min(last.frame.shape) < 32:
            return layers
        layers.append(last.coarser(tuple(2 if near else 1 for near in close)))


def blurred(layer: Layer, width: float) -> Layer:
    """The layer with a Gaussian of `width` samples over its values."""
    if width <= 0:
        return layer
    return replace(layer, values=ndimage.gaussian_filter(layer.values, width, mode="nearest"))


def nearest_layer(layers: list[Layer], spacing: float) -> Layer:
    """The layer whose samples are about `spacing` mm apart."""
    return min(layers, key=lambda layer: abs(np.log(layer.spacing / spacing)))


def carried(layer: Layer, other: Layer) -> np.ndarray:
    """Values of a layer at the samples of another along the same axes, nearest."""
    first = layer.frame.indices(np.array([other.frame.origin]))[0]
    values = layer.values
    for axis, count in enumerate(other.frame.shape):
        ratio = other.frame.spacing[axis] / layer.frame.spacing[axis]
        place = np.clip(np.round(first[axis] + np.arange(count) * ratio), 0, values.shape[axis] - 1)
        values = np.take(values, place.astype(int), axis)
    return values
