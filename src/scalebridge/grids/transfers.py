"""Transfers between a grid and a coarser one."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import ImageError
from scalebridge.core.transfer import Transfer


class BlockAverage(Transfer):
    """Averages over blocks of voxels upwards, piecewise constant fields downwards.

    restrict: c_B = (1/|B|) sum_{x in B} f(x);  prolong: f(x) = c_B for x in B.  With inner products weighted
    by voxel volume one is the adjoint of the other, restrict after prolong is the identity, and both conserve
    the volume integral of each component.

    Args:
        shape: number of fine voxels along each axis.
        factor: block size in voxels along each axis; it divides the shape.
        components: shape of what a voxel carries, such as () for a temperature, (3,) for a flux.
        voxel: edge lengths of a fine voxel, ones when lengths do not matter.

    Raises:
        ImageError: a factor that does not divide the shape, or lists of different lengths.

    Cost: one pass over the fine field.

    Example:
        >>> average = BlockAverage((4, 2), (2, 2))
        >>> average.restrict(jnp.arange(8.0).reshape(4, 2)).tolist()
        [[1.5], [5.5]]
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    factor: tuple[int, ...] = eqx.field(static=True)
    components: tuple[int, ...] = eqx.field(static=True, default=())
    voxel: tuple[float, ...] | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        fits = len(self.shape) == len(self.factor) and min(self.factor) >= 1
        if not fits or any(n % block for n, block in zip(self.shape, self.factor, strict=True)):
            raise ImageError(
                "factor",
                got=f"{self.factor} for {self.shape} voxels",
                wanted="one factor for each axis that divides the shape",
                cure="crop the field to a multiple of the factor",
            )
        if self.voxel is not None and (len(self.voxel) != len(self.shape) or min(self.voxel) <= 0):
            cure = "leave voxel out when lengths do not matter"
            raise ImageError("voxel", got=self.voxel, wanted="one positive length for each axis", cure=cure)

    @property
    def fine_shape(self) -> tuple[int, ...]:
        """Components first, then voxels."""
        return self.components + self.shape

    @property
    def coarse_shape(self) -> tuple[int, ...]:
        """Components first, then blocks."""
        return self.components + tuple(n // block for n, block in zip(self.shape, self.factor, strict=True))

    def restrict(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        """Average each component over each block."""
        coarse = self.coarse_shape[len(self.components) :]
        split = [n for pair in zip(coarse, self.factor, strict=True) for n in pair]
        within = tuple(len(self.components) + 2 * axis + 1 for axis in range(len(self.shape)))
        return jnp.mean(jnp.reshape(fine, (*self.components, *split)), axis=within)

    def prolong(self, coarse: Float[Array, "..."]) -> Float[Array, "..."]:
        """Give every voxel the value of its block."""
        fine = coarse
        for axis, block in enumerate(self.factor, start=len(self.components)):
            fine = jnp.repeat(fine, block, axis)
        return fine

    def inner_fine(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Volume integral of the product over the fine grid."""
        return jnp.sum(first * second) * self._volume

    def inner_coarse(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Volume integral of the product over the coarse grid."""
        return jnp.sum(first * second) * self._volume * float(np.prod(self.factor))

    @property
    def _volume(self) -> float:
        return 1.0 if self.voxel is None else float(np.prod(self.voxel))
