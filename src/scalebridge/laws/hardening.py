"""How the yield stress grows with the accumulated plastic strain p, and the energy that this stores."""

import abc
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401

Number = Float[Array, ""]


class Hardening(eqx.Module):
    """A yield stress sigma_y(p) >= 0 that depends on the accumulated plastic strain p >= 0."""

    linear: ClassVar[bool] = False
    """Whether sigma_y is linear in p, so that a step has a closed form."""

    @abc.abstractmethod
    def stress(self, p: Number) -> Number:
        """Return the yield stress sigma_y(p), Pa."""

    @abc.abstractmethod
    def slope(self, p: Number) -> Number:
        """Return d sigma_y / dp, Pa."""

    @abc.abstractmethod
    def energy(self, p: Number) -> Number:
        """Return the stored energy, the integral of sigma_y - sigma_y(0) from 0 to p, J/m^3."""


class LinearHardening(Hardening):
    """sigma_y = Y + H p.

    Args:
        yield_stress: Y, Pa, > 0.
        modulus: H, Pa; 0 for perfect plasticity.

    Example:
        >>> float(LinearHardening(2.0, 10.0).stress(jnp.asarray(0.1)))
        3.0
    """

    yield_stress: Array = eqx.field(converter=jnp.asarray)
    modulus: Array = eqx.field(converter=jnp.asarray, default=0.0)

    linear: ClassVar[bool] = True

    def stress(self, p: Number) -> Number:
        """Return Y + H p."""
        return self.yield_stress + self.modulus * p

    def slope(self, p: Number) -> Number:
        """Return H."""
        return self.modulus * jnp.ones_like(p)

    def energy(self, p: Number) -> Number:
        """Return H p^2 / 2."""
        return 0.5 * self.modulus * p * p
