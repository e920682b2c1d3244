"""The staggered grid's Stokes system without matrices: shifts of whole arrays under masks, in JAX.

The same equations as `assemble_staggered` writes in a periodic cell, for velocities (dim, *shape) on the
upper faces of all voxels and pressures (*shape); what is closed or solid holds zeros. Nothing but shifts,
products and transforms: the same source runs wherever JAX does.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from scalebridge.core import precision as _precision  # noqa: F401

_LARGEST = 2.05  # of eigenvalues of a diagonally dominant matrix over its diagonal, with a margin
_SPREAD = 40.0  # ratio of the eigenvalues that a polynomial serves
_DEGREES = (6, 6)  # of the polynomials of velocities and pressures


class MaskedFlow(NamedTuple):
    """The system of a periodic image; a tree of arrays for JAX.

    Attributes:
        open_faces: (dim, *shape), one on faces between two pore voxels.
        flowing: (*shape), one in pore voxels with an open face.
        diagonal: (dim, *shape) of A; one on closed faces.
        spacing: (dim,) edges of a voxel.
    """

    open_faces: Array
    flowing: Array
    diagonal: Array
    spacing: Array

    def viscous(self, u: Array) -> Array:
        """Return A u."""
        volume, found = jnp.prod(self.spacing), self.diagonal * u
        for axis in range(len(u)):
            around = jnp.roll(u, 1, 1 + axis) + jnp.roll(u, -1, 1 + axis)
            found = found - volume / self.spacing[axis] ** 2 * around
        return self.open_faces * found

    def outflow(self, u: Array) -> Array:
        """Return D u, the flux out of each voxel."""
        volume = jnp.prod(self.spacing)
        return self.flowing * sum(
            volume / self.spacing[axis] * (u[axis] - jnp.roll(u[axis], 1, axis)) for axis in range(len(u))
        )

    def push(self, p: Array) -> Array:
        """Return D' p."""
        volume = jnp.prod(self.spacing)
        return self.open_faces * jnp.stack(
            [volume / self.spacing[axis] * (p - jnp.roll(p, -1, axis)) for axis in range(p.ndim)]
        )

    def load(self, axis: int) -> Array:
        """Return b: a unit force along an axis."""
        return jnp.zeros_like(self.open_faces).at[axis].set(self.open_faces[axis] * jnp.prod(self.spacing))


def masked_flow(pores: np.ndarray, spacing: tuple[float, ...], drag: Any = 0.0) -> MaskedFlow:
    """Return the system of a periodic image's pores.

    Args:
        pores: booleans, (*shape).
        spacing: edges of a voxel, (dim,).
        drag: what a porous filling adds to the force on the fluid, Brinkman's -drag u: a number or (*shape),
            1/length^2; may be traced.

    Example:
        >>> flow = masked_flow(np.array([[False, True, True, False]] * 2), (1.0, 1.0))
        >>> flow.diagonal[0, 0].tolist()  # between plates two voxels apart: 1 + 1 along, 1 + 2 across
        [1.0, 5.0, 5.0, 1.0]
    """
    dim, volume = pores.ndim, math.prod(spacing)
    faces, diagonals = [], []
    for axis in range(dim):
        upper = np.roll(pores, -1, axis)
        links = np.full(pores.shape, 2.0 / spacing[axis] ** 2)
        for other in set(range(dim)) - {axis}:
            for side in (1, -1):
                walls = ~(np.roll(pores, side, other) | np.roll(upper, side, other))
                links += np.where(walls, 2.0, 1.0) / spacing[other] ** 2
        faces.append(pores & upper)
        diagonals.append(links * volume)
    open_faces = jnp.asarray(np.stack(faces), float)
    hold = jnp.broadcast_to(jnp.asarray(drag, float), pores.shape)
    filled = jnp.stack([(hold + jnp.roll(hold, -1, axis)) / 2 for axis in range(dim)]) * volume
    diagonal = jnp.where(open_faces > 0, jnp.asarray(np.stack(diagonals)) + filled, 1.0)
    touched = np.any([face | np.roll(face, 1, axis) for axis, face in enumerate(faces)], axis=0)
    return MaskedFlow(open_faces, jnp.asarray(pores & touched, float), diagonal, jnp.asarray(spacing, float))


def block_preconditioner(flow: MaskedFlow) -> Callable[[Array, Array], tuple[Array, Array]]:
    """Return a positive definite preconditioner of [[A, -D'], [-D, 0]], made of shifts and transforms.

    Velocities: a Chebyshev polynomial in A over its diagonal. Pressures, after Cahouet and Chabard: their
    mass, and of the Darcy flow D m D' with the mobility m that the walls leave a polynomial too, for what
    changes from voxel to voxel, and the inverse of the cell's Laplacian, by transforms, for what is long.
    """
    volume = jnp.prod(flow.spacing)

    def velocities(r: Array) -> Array:
        return _polynomial(flow.viscous, flow.diagonal, r, _DEGREES[0])

    forces = volume * flow.open_faces
    found = velocities(forces)
    for _ in range(2):
        found = found + velocities(forces - flow.viscous(found))
    mobility = flow.open_faces * jnp.maximum(found / volume, 1 / flow.diagonal)
    weight = mobility * (volume / flow.spacing.reshape(-1, *[1] * flow.flowing.ndim)) ** 2
    darcy_diagonal = sum(weight[axis] + jnp.roll(weight[axis], 1, axis) for axis in range(len(weight)))
    darcy_diagonal = jnp.where(flow.flowing > 0, darcy_diagonal, 1.0)
    mean = mobility.sum() / jnp.maximum(flow.open_faces.sum(), 1.0)
    symbol = _laplacian(flow) * mean * volume

    def darcy(p: Array) -> Array:
        return flow.outflow(mobility * flow.push(p))

    def apply(r: Array, s: Array) -> tuple[Array, Array]:
        long = jnp.fft.irfftn(jnp.fft.rfftn(s) * symbol_inverse, s=s.shape)
        short = _polynomial(darcy, darcy_diagonal, s, _DEGREES[1])
        return velocities(r), flow.flowing * (s / volume + short + long)

    symbol_inverse = jnp.where(symbol > 0, 1 / jnp.where(symbol > 0, symbol, 1.0), 0.0)
    return apply


def _laplacian(flow: MaskedFlow) -> Array:
    """Return the symbol of minus the Laplacian's differences on the transform's half of the frequencies."""
    shape = flow.flowing.shape
    found = jnp.zeros(())
    for axis, count in enumerate(shape):
        kept = count // 2 + 1 if axis == len(shape) - 1 else count
        waves = (2 * jnp.sin(jnp.pi * jnp.arange(kept) / count) / flow.spacing[axis]) ** 2
        found = found[..., None] + waves
    return found


def _polynomial(apply: Callable[[Array], Array], diagonal: Array, r: Array, degree: int) -> Array:
    """Return a Chebyshev polynomial in (apply over diagonal), near its inverse on the large eigenvalues."""
    high, low = _LARGEST, _LARGEST / _SPREAD
    middle, half = (high + low) / 2, (high - low) / 2
    ratio = middle / half
    old = 1 / ratio
    change = r / diagonal / middle
    found = change
    for _ in range(degree - 1):
        new = 1 / (2 * ratio - old)
        change = new * old * change + 2 * new / half * (r - apply(found)) / diagonal
        found, old = found + change, new
    return found
