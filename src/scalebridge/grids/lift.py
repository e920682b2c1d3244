"""The affine lift: a macroscopic vector down to a uniform field, a field up to its mean.

That the two are adjoint is Hill-Mandel's condition.
"""

import math

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.transfer import Transfer


class AffineLift(Transfer):
    """Between `components` macroscopic numbers and a field of as many components on a periodic grid.

    Prolong gives the uniform field (the gradient of an affine function); restrict gives the volume mean.
    With the mean inner product on the fine side, <f . prolong E> = (restrict f) . E: the power of a field
    against an affine lift is that of its mean.

    Args:
        shape: number of voxels along each axis.
        components: number of components of the field.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    components: int = eqx.field(static=True)

    @property
    def fine_shape(self) -> tuple[int, ...]:
        return (self.components, *self.shape)

    @property
    def coarse_shape(self) -> tuple[int, ...]:
        return (self.components,)

    def restrict(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.mean(fine.reshape(self.components, -1), axis=1)

    def prolong(self, coarse: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.broadcast_to(coarse.reshape((self.components,) + (1,) * len(self.shape)), self.fine_shape)

    def inner_fine(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        return jnp.vdot(first, second) / math.prod(self.shape)

    def inner_coarse(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        return jnp.vdot(first, second)
