"""Trilinear hexahedra (bilinear quadrilaterals in 2-D), one a voxel, integrated exactly.

On each axis a linear function is its mean s and its difference d:  u(x) = s + (x - 1/2) d,  with <(x -
1/2)²> = 1/12. In this basis of 2^dim corner modes the element stiffness of an isotropic material is
diagonal: the mode with differences along the axes B has the energy  k |u_B|² sum_{i in B} h_i^-2
(1/12)^(|B| - 1).  An off-diagonal A_ij couples each mode with a difference along i to its twin with a
difference along j. So a product with the stiffness is a walk to corner modes, a scaling, and the walk
back; no gradient is stored.

A conforming method of a minimum principle: the tensor it gives is never below (in Loewner's order) the
exact one of the same voxels, and falls to it as voxels are halved.
"""

import functools
import itertools
import operator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.coefficients import Coefficients
from scalebridge.grids.discretisation import Discretisation, angles

_VARIANCE = 1.0 / 12.0  # of a coordinate that is uniform on a unit interval

Bits = tuple[int, ...]
Modes = dict[Bits, Array]


class Hexahedra(Discretisation):
    """Trilinear elements with full integration: robust with exact zeros, an upper bound of the energy.

    Args:
        shape: number of voxels along each axis.
        spacing: length of a voxel's edges.
    """

    shape: tuple[int, ...] = eqx.field(static=True)
    spacing: tuple[float, ...] = eqx.field(static=True)

    def forces(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"] | None
    ) -> Float[Array, "..."]:
        return nodal_forces(self._dual(coefficients, self._modes(u, gradient)))

    def energy(
        self,
        coefficients: Coefficients,
        first: tuple[Float[Array, "..."], Float[Array, " dim"]],
        second: tuple[Float[Array, "..."], Float[Array, " dim"]],
    ) -> Float[Array, ""]:
        one, dual = self._modes(*first), self._dual(coefficients, self._modes(*second))
        return jnp.mean(sum(one[bits] * dual[bits] for bits in dual))

    def flux_field(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"]
    ) -> Float[Array, "dim ..."]:
        local = self.gradient_field(u, gradient)
        return jnp.stack(
            [
                sum(a * local[j] for j in range(self.dim) if (a := coefficients.component(i, j)) is not None)
                for i in range(self.dim)
            ]
        )

    def gradient_field(
        self, u: Float[Array, "..."], gradient: Float[Array, " dim"]
    ) -> Float[Array, "dim ..."]:
        modes = self._modes(u, gradient)
        return jnp.stack([modes[_unit(axis, self.dim)] / self.spacing[axis] for axis in range(self.dim)])

    def symbol(self, reference: Float[Array, "dim dim"]) -> Float[Array, "..."]:
        return jnp.asarray(symbol_of(angles(self.shape), self.spacing, reference), reference.dtype)

    def refuses(self, rank: int) -> str | None:
        return None

    def _modes(self, u: Float[Array, "..."], gradient: Float[Array, " dim"] | None) -> Modes:
        """Corner modes of u in every voxel, without the mean, plus those of the mean gradient."""
        modes = corner_modes_of(u, self.dim)
        if gradient is not None:
            for axis in range(self.dim):
                bits = _unit(axis, self.dim)
                modes[bits] = modes[bits] + gradient[axis] * self.spacing[axis]
        return modes

    def _dual(self, coefficients: Coefficients, modes: Modes) -> Modes:
        """Multiply corner modes by the element stiffness."""
        dual: Modes = {}
        for i in range(self.dim):
            value = jnp.asarray(coefficients.component(i, i))
            for bits in (b for b in modes if b[i]):
                term = value * modes[bits] * (_VARIANCE ** (sum(bits) - 1) / self.spacing[i] ** 2)
                dual[bits] = dual[bits] + term if bits in dual else term
        for i, j in itertools.permutations(range(self.dim), 2):
            value = coefficients.component(i, j)
            if value is None:
                continue
            for bits in (b for b in modes if b[i] and not b[j]):
                twin = tuple(int(a == j) if a in (i, j) else b for a, b in enumerate(bits))
                scale = _VARIANCE ** (sum(bits) - 1) / (self.spacing[i] * self.spacing[j])
                dual[bits] = dual[bits] + value * modes[twin] * scale
        return dual


def _unit(axis: int, dim: int) -> Bits:
    return tuple(int(a == axis) for a in range(dim))


def corner_modes_of(u: Float[Array, "..."], dim: int) -> Modes:
    """Return the corner modes of a periodic nodal field in every voxel, all but the mean.

    Args:
        u: the field; its last `dim` axes are the grid's, components come before.
        dim: number of space dimensions.
    """
    lead = u.ndim - dim
    modes: Modes = {(): jnp.pad(u, ((0, 0),) * lead + ((0, 1),) * dim, mode="wrap")}
    for axis in range(lead, u.ndim):
        count = u.shape[axis]
        walked = {}
        for bits, field in modes.items():
            low = jax.lax.slice_in_dim(field, 0, count, axis=axis)
            high = jax.lax.slice_in_dim(field, 1, count + 1, axis=axis)
            walked[(*bits, 0)] = 0.5 * (low + high)
            walked[(*bits, 1)] = high - low
        modes = walked
    del modes[(0,) * dim]
    return modes


def nodal_forces(dual: Modes) -> Float[Array, "..."]:
    """Return the transpose of the walk to corner modes: the forces on the nodes, components first."""
    dim = len(next(iter(dual)))
    zeros = jnp.zeros_like(next(iter(dual.values())))
    fields = {bits: dual.get(bits, zeros) for bits in itertools.product((0, 1), repeat=dim)}
    lead, still = zeros.ndim - dim, (0, 0, 0)
    for axis in reversed(range(dim)):
        before, after = [still] * (lead + axis), [still] * (dim - axis - 1)
        low_only, high_only = [*before, (0, 1, 0), *after], [*before, (1, 0, 0), *after]
        walked = {}
        for bits in {b[:-1] for b in fields}:
            half, full = 0.5 * fields[(*bits, 0)], fields[(*bits, 1)]
            zero = jnp.zeros((), half.dtype)
            walked[bits] = jax.lax.pad(half - full, zero, low_only) + jax.lax.pad(
                half + full, zero, high_only
            )
        fields = walked
    return _fold(fields[()], lead)


def _fold(nodal: Float[Array, "..."], lead: int) -> Float[Array, "..."]:
    """Add the last node of every axis to the first, of which it is the periodic image."""
    for axis in range(lead, nodal.ndim):
        nodes = nodal.shape[axis]
        body = jax.lax.slice_in_dim(nodal, 0, nodes - 1, axis=axis)
        image = jax.lax.slice_in_dim(nodal, nodes - 1, nodes, axis=axis)
        first = tuple(slice(0, 1) if a == axis else slice(None) for a in range(nodal.ndim))
        nodal = body.at[first].add(image)
    return nodal


def symbol_of(
    waves: list[np.ndarray], spacing: tuple[float, ...], reference: Float[Array, "dim dim"] | np.ndarray
) -> Any:
    """Return K of a homogeneous medium for waves whose angles from node to node are given, axis by axis."""
    dim = len(waves)
    square = [4 * np.sin(q / 2) ** 2 for q in waves]
    mass = [(2 + np.cos(q)) / 3 for q in waves]
    total: Any = 0.0
    for i, j in itertools.product(range(dim), repeat=2):
        if isinstance(reference, np.ndarray) and reference[i, j] == 0:
            continue
        factors = [square[i]] if i == j else [np.sin(waves[i]), np.sin(waves[j])]
        factors += [mass[o] for o in range(dim) if o not in (i, j)]
        # From the left, so that a traced reference meets vectors, not fields made of them.
        total = total + functools.reduce(operator.mul, factors, reference[i, j] / (spacing[i] * spacing[j]))
    return total


def corner_modes(dim: int) -> list[Bits]:
    """Return the labels of the corner modes that carry energy: all but the mean."""
    return [bits for bits in itertools.product((0, 1), repeat=dim) if any(bits)]
