"""Transfer: the walk between two levels, up by `restrict` and down by `prolong`."""

import abc

import equinox as eqx
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401


class Transfer(eqx.Module):
    """Restriction and prolongation between a fine and a coarse level.

    Contract, checked by `scalebridge.testing.check_transfer`: restrict after prolong is the identity;
    restrict is the adjoint of prolong in the weighted inner products of the two levels, <restrict f,
    c>_coarse = <f, prolong c>_fine; and the weighted mean is conserved both ways where the transfer says
    so. For the mean and the affine lift of a cell problem this adjointness is Hill-Mandel's condition.
    """

    @property
    @abc.abstractmethod
    def fine_shape(self) -> tuple[int, ...]:
        """Shape of a fine field."""

    @property
    @abc.abstractmethod
    def coarse_shape(self) -> tuple[int, ...]:
        """Shape of a coarse field."""

    @abc.abstractmethod
    def restrict(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        """Hand a fine field up."""

    @abc.abstractmethod
    def prolong(self, coarse: Float[Array, "..."]) -> Float[Array, "..."]:
        """Hand a coarse field down."""

    @abc.abstractmethod
    def inner_fine(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Weighted inner product of two fine fields."""

    @abc.abstractmethod
    def inner_coarse(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Weighted inner product of two coarse fields."""
