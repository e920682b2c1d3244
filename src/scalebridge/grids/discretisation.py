"""What a cell problem needs of a discretisation of  div(A grad u)  on a periodic voxel grid."""

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.grids.coefficients import Coefficients


class Discretisation(eqx.Module):
    """A symmetric discretisation of the energy of a scalar field with a mean gradient.

    The unknown u is periodic with one value a voxel (at the voxel's low corner or at its centre); the
    local gradient is E + grad u. All sums are over voxels, so that the stiffness K has entries of the size
    of A / spacing².

    Args:
        shape: number of voxels along each axis.
        spacing: length of a voxel's edges, in any unit: the tensor depends on their ratios alone.
    """

    shape: eqx.AbstractVar[tuple[int, ...]]
    spacing: eqx.AbstractVar[tuple[float, ...]]

    @abc.abstractmethod
    def forces(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"] | None
    ) -> Float[Array, "..."]:
        """Return the derivative of half the energy in u: K u, plus the part of a mean gradient if given."""

    @abc.abstractmethod
    def energy(
        self,
        coefficients: Coefficients,
        first: tuple[Float[Array, "..."], Float[Array, " dim"]],
        second: tuple[Float[Array, "..."], Float[Array, " dim"]],
    ) -> Float[Array, ""]:
        """Return the mean of  (E1 + grad u1) . A (E2 + grad u2)  of two load cases (u, E)."""

    @abc.abstractmethod
    def flux_field(
        self, coefficients: Coefficients, u: Float[Array, "..."], gradient: Float[Array, " dim"]
    ) -> Float[Array, "dim ..."]:
        """Return A (E + grad u), averaged over each voxel; its mean is the macroscopic flux."""

    @abc.abstractmethod
    def gradient_field(
        self, u: Float[Array, "..."], gradient: Float[Array, " dim"]
    ) -> Float[Array, "dim ..."]:
        """Return E + grad u, averaged over each voxel; its mean is E."""

    @abc.abstractmethod
    def symbol(self, reference: Float[Array, "dim dim"]) -> Float[Array, "..."]:
        """Return K of a homogeneous medium in Fourier space, on the half grid of a real transform."""

    @abc.abstractmethod
    def refuses(self, rank: int) -> str | None:
        """Return why coefficients with `rank` tensor axes (0, 1 or 2) cannot be used, or None if they can."""

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self.shape)


def angles(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return 2 pi n / N along each axis of the half grid of a real transform, shaped to broadcast."""
    dim = len(shape)
    found = []
    for axis, count in enumerate(shape):
        turns = np.fft.rfftfreq(count) if axis == dim - 1 else np.fft.fftfreq(count)
        found.append(2 * np.pi * turns.reshape([-1 if a == axis else 1 for a in range(dim)]))
    return found


class GreenOperator(eqx.Module):
    """The inverse of a homogeneous medium's stiffness, by one forward and one inverse real transform.

    Source: as a preconditioner of conjugate gradients, Moulinec & Suquet 1998 read as Zeman et al. 2010;
        with the
    stencil's own symbol, Ladecky et al., Appl. Math. Comput. 446 (2023) 127835.

    Args:
        inverse: 1 / symbol on the half grid, 0 for the mean.
        shape: number of voxels along each axis.
    """

    inverse: Float[Array, "..."]
    shape: tuple[int, ...] = eqx.field(static=True)

    @classmethod
    def of(cls, discretisation: Discretisation, reference: Float[Array, "dim dim"]) -> "GreenOperator":
        """Make the operator of a discretisation for a reference tensor."""
        symbol = discretisation.symbol(reference)
        zero = (0,) * discretisation.dim
        return cls((1.0 / symbol.at[zero].set(1.0)).at[zero].set(0.0), discretisation.shape)

    def __call__(self, residual: Float[Array, "..."]) -> Float[Array, "..."]:
        """Apply the operator."""
        return jnp.fft.irfftn(jnp.fft.rfftn(residual) * self.inverse, s=self.shape)
