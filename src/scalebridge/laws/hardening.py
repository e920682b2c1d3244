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


class VoceHardening(Hardening):
    """sigma_y = Y + Q (1 - exp(-b p)) + H p.

    Args:
        yield_stress: Y, Pa, > 0.
        saturation: Q, Pa: what the exponential adds in the end.
        rate: b, > 0, without dimension: it has added 63 % at p = 1/b.
        modulus: H, Pa.

    Source: E. Voce (1948), J. Inst. Metals 74, 537.

    Example:
        >>> round(float(VoceHardening(2.0, 1.0, 10.0).stress(jnp.asarray(100.0))), 12)
        3.0
    """

    yield_stress: Array = eqx.field(converter=jnp.asarray)
    saturation: Array = eqx.field(converter=jnp.asarray)
    rate: Array = eqx.field(converter=jnp.asarray)
    modulus: Array = eqx.field(converter=jnp.asarray, default=0.0)

    def stress(self, p: Number) -> Number:
        """Return Y + Q (1 - exp(-b p)) + H p."""
        return self.yield_stress - self.saturation * jnp.expm1(-self.rate * p) + self.modulus * p

    def slope(self, p: Number) -> Number:
        """Return Q b exp(-b p) + H."""
        return self.saturation * self.rate * jnp.exp(-self.rate * p) + self.modulus

    def energy(self, p: Number) -> Number:
        """Return Q (p + (exp(-b p) - 1) / b) + H p^2 / 2."""
        exponential = self.saturation * (p + jnp.expm1(-self.rate * p) / self.rate)
        return exponential + 0.5 * self.modulus * p * p


class SwiftHardening(Hardening):
    """sigma_y = Y (1 + p / p0)^n.

    Args:
        yield_stress: Y, Pa, > 0.
        reference: p0, > 0, the plastic strain at which the power sets in.
        exponent: n, 0 <= n <= 1.

    Source: H. W. Swift (1952), J. Mech. Phys. Solids 1, 1.

    Example:
        >>> float(SwiftHardening(2.0, 0.01, 0.5).stress(jnp.asarray(0.03)))
        4.0
    """

    yield_stress: Array = eqx.field(converter=jnp.asarray)
    reference: Array = eqx.field(converter=jnp.asarray)
    exponent: Array = eqx.field(converter=jnp.asarray)

    def stress(self, p: Number) -> Number:
        """Return Y (1 + p / p0)^n."""
        return self.yield_stress * (1.0 + p / self.reference) ** self.exponent

    def slope(self, p: Number) -> Number:
        """Return n Y / p0 (1 + p / p0)^(n - 1)."""
        scale = self.exponent * self.yield_stress / self.reference
        return scale * (1.0 + p / self.reference) ** (self.exponent - 1.0)

    def energy(self, p: Number) -> Number:
        """Return Y p0 / (n + 1) ((1 + p / p0)^(n + 1) - 1) - Y p."""
        power = (1.0 + p / self.reference) ** (self.exponent + 1.0)
        scale = self.yield_stress * self.reference / (self.exponent + 1.0)
        return scale * (power - 1.0) - self.yield_stress * p


class TableHardening(Hardening):
    """A measured curve: straight lines between points, the last stress kept beyond them.

    Args:
        strains: (n,) accumulated plastic strains, increasing from 0.
        stresses: (n,) yield stresses there, Pa, > 0.

    Limits: the tangent jumps at the points.

    Example:
        >>> float(TableHardening([0.0, 0.1], [2.0, 3.0]).stress(jnp.asarray(0.05)))
        2.5
    """

    strains: Float[Array, " n"] = eqx.field(converter=jnp.asarray)
    stresses: Float[Array, " n"] = eqx.field(converter=jnp.asarray)

    def stress(self, p: Number) -> Number:
        """Interpolate."""
        return jnp.interp(p, self.strains, self.stresses)

    def slope(self, p: Number) -> Number:
        """Return the slope of the line that begins at or before p; 0 beyond the last point."""
        slopes = jnp.append(jnp.diff(self.stresses) / jnp.diff(self.strains), 0.0)
        return slopes[self._line(p)]

    def energy(self, p: Number) -> Number:
        """Integrate the lines."""
        above = self.stresses - self.stresses[0]
        areas = 0.5 * (above[1:] + above[:-1]) * jnp.diff(self.strains)
        before = jnp.append(0.0, jnp.cumsum(areas))
        line, slope = self._line(p), self.slope(p)
        beyond = p - self.strains[line]
        return before[line] + (above[line] + 0.5 * slope * beyond) * beyond

    def _line(self, p: Number) -> Array:
        return jnp.searchsorted(self.strains, p, side="right") - 1
