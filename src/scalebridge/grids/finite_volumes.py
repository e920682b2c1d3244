"""Staggered finite volumes: a value at each voxel's centre, a flux and a harmonic coefficient on each face.

The flux through the face between two voxels in series is  2 a b / (a + b) (u_b - u_a) / h.  It is the
lowest-order mixed method with its mass matrix lumped; a complementary energy that is only ever
overestimated: the tensor it gives is never above the exact one of the same voxels, and rises to it as
voxels are halved. Exact zeros close faces; contact is through faces only.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.coefficients import Coefficients
from scalebridge.grids.discretisation import Discretisation, angles


class FiniteVolumes(Discretisation):
    """The (2 dim + 1)-point staggered scheme: cheapest, a lower bound of the energy, diagonal tensors only.

    Args:
        shape: number of voxels along each axis.
        spacing: length of a voxel's edges.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    spacing: tuple[float, ...] = eqx.field(static=True)

    def forces(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"] | None
    ) -> Float[Array, "..."]:
        total = jnp.zeros_like(u)
        for axis, face_flux in enumerate(self._face_fluxes(coefficients, u, gradient)):
            total = total + (jnp.roll(face_flux, 1, axis) - face_flux) / self.spacing[axis]
        return total

    def energy(
        self,
        coefficients: Coefficients,
        first: tuple[Float[Array, "..."], Float[Array, " dim"]],
        second: tuple[Float[Array, "..."], Float[Array, " dim"]],
    ) -> Float[Array, ""]:
        fluxes = self._face_fluxes(coefficients, *second)
        return jnp.mean(sum(q * self._jump(first[0], axis, first[1]) for axis, q in enumerate(fluxes)))

    def flux_field(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"]
    ) -> Float[Array, "dim ..."]:
        faces = self._face_fluxes(coefficients, u, gradient)
        return jnp.stack([0.5 * (q + jnp.roll(q, 1, axis)) for axis, q in enumerate(faces)])

    def gradient_field(
        self, u: Float[Array, "..."], gradient: Float[Array, " dim"]
    ) -> Float[Array, "dim ..."]:
        jumps = [self._jump(u, axis, gradient) for axis in range(self.dim)]
        return jnp.stack([0.5 * (g + jnp.roll(g, 1, axis)) for axis, g in enumerate(jumps)])

    def symbol(self, reference: Float[Array, "dim dim"]) -> Float[Array, "..."]:
        return jnp.asarray(symbol_of(angles(self.shape), self.spacing, reference), reference.dtype)

    def refuses(self, rank: int) -> str | None:
        if rank < 2:
            return None
        return "a flux across a face between two voxels does not see off-diagonal components"

    def _jump(
        self, u: Float[Array, "..."], axis: int, gradient: Float[Array, " dim"] | None
    ) -> Float[Array, "..."]:
        """Gradient across the face between each voxel and the next one along an axis."""
        jump = (jnp.roll(u, -1, axis) - u) / self.spacing[axis]
        return jump if gradient is None else jump + gradient[axis]

    def _face_fluxes(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"] | None
    ) -> list[Float[Array, "..."]]:
        fluxes = []
        for axis in range(self.dim):
            here = jnp.asarray(coefficients.component(axis, axis))
            fluxes.append(harmonic(here, jnp.roll(here, -1, axis)) * self._jump(u, axis, gradient))
        return fluxes


def symbol_of(
    waves: list[np.ndarray], spacing: tuple[float, ...], reference: Float[Array, "dim dim"] | np.ndarray
) -> Any:
    """Return K of a homogeneous medium for waves whose angles from centre to centre are given by axis."""
    terms = [4 * np.sin(q / 2) ** 2 * (reference[i, i] / spacing[i] ** 2) for i, q in enumerate(waves)]
    return sum(terms[1:], terms[0])


def harmonic(first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return 2 a b / (a + b), and 0 where either is 0, with a derivative that is finite there too."""
    total = first + second
    safe = jnp.where(total > 0, total, 1.0)
    return jnp.where(total > 0, 2.0 * first * (second / safe), 0.0)
