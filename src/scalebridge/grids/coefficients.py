"""Coefficient fields on a voxel grid: a symmetric tensor in every voxel, stored as sparingly as it allows."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from scalebridge.core import precision as _precision  # noqa: F401


class Coefficients(eqx.Module):
    """A positive semidefinite second-order tensor in every voxel.

    `component(i, j)` is a field, or None where the component vanishes everywhere by the tensors' symmetry, so
    that isotropic coefficients cost one field and no coupling.
    """

    @abc.abstractmethod
    def component(self, i: int, j: int) -> Float[Array, "..."] | None:
        """Return component (i, j) in every voxel."""

    @abc.abstractmethod
    def mean(self, dim: int) -> Float[Array, "dim dim"]:
        """Return the volume average of the tensor."""


class PhaseCoefficients(Coefficients):
    """One tensor a phase.

    Args:
        table: values by phase: (phases,) isotropic, (phases, dim) orthotropic in the grid's axes, or
            (phases, dim, dim) anisotropic.
        index: row of the table for every voxel.
    """

    table: Float[Array, "phases ..."]
    index: Integer[Array, "..."]

    def component(self, i: int, j: int) -> Float[Array, "..."] | None:
        column = _column(self.table, i, j)
        return None if column is None else column[self.index]

    @eqx.filter_jit
    def mean(self, dim: int) -> Float[Array, "dim dim"]:
        counts = jnp.bincount(self.index.ravel(), length=self.table.shape[0])
        fractions = counts / self.index.size
        return jnp.tensordot(fractions.astype(self.table.dtype), as_tensors(self.table, dim), 1)


class VoxelCoefficients(Coefficients):
    """A tensor of its own in every voxel.

    Args:
        values: (voxels...) isotropic; (dim, voxels...) orthotropic; (dim, dim, voxels...) anisotropic.
        dim: number of space dimensions.
    """

    values: Float[Array, "..."]
    dim: int = eqx.field(static=True)

    def component(self, i: int, j: int) -> Float[Array, "..."] | None:
        rank = self.values.ndim - self.dim
        if rank == 2:
            return self.values[i, j]
        if i != j:
            return None
        return self.values[i] if rank == 1 else self.values

    def mean(self, dim: int) -> Float[Array, "dim dim"]:
        axes = tuple(range(self.values.ndim - self.dim, self.values.ndim))
        return as_tensors(jnp.mean(self.values, axis=axes)[None], dim)[0]


def as_tensors(table: Float[Array, "phases ..."], dim: int) -> Float[Array, "phases dim dim"]:
    """Expand a table of numbers, diagonals or tensors to full tensors."""
    if table.ndim == 1:
        return table[:, None, None] * jnp.eye(dim, dtype=table.dtype)
    if table.ndim == 2:
        return table[:, :, None] * jnp.eye(dim, dtype=table.dtype)
    return table


def _column(table: Float[Array, "phases ..."], i: int, j: int) -> Float[Array, " phases"] | None:
    if table.ndim == 3:
        return table[:, i, j]
    if i != j:
        return None
    return table[:, i] if table.ndim == 2 else table
