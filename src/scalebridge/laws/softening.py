"""How a brittle material softens: the damage d that belongs to the largest equivalent strain k it has seen.

In uniaxial tension the stress is (1 - d(k)) E k. The area under the curve is the energy that a unit of volume
takes up until it is torn, g = G_f / length: fracture energy over the length on which the softening gathers.
"""

import abc
from collections.abc import Sequence

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401

Number = Float[Array, ""]
PETERSSON = (0.8, 3.6, 1.0 / 3.0)
"""Concrete's bilinear curve: openings of knee and end over G_f / strength, the knee's stress over strength.
P.-E. Petersson (1981), report TVBM-1006, Lund."""


class Softening(eqx.Module):
    """A stress ratio f(k) = stress / (E onset): k / onset up to the onset, then falling."""

    @abc.abstractmethod
    def limit(self) -> Number:
        """Return the equivalent strain at which damage begins."""

    @abc.abstractmethod
    def ratio(self, k: Number) -> Number:
        """Return the stress over the strength, at and beyond the onset."""

    def damage(self, k: Number) -> Number:
        """Return d = 1 - f(k) onset / k; zero before the onset."""
        onset = self.limit()
        beyond = jnp.maximum(k, onset)
        return 1.0 - self.ratio(beyond) * onset / beyond


class ExponentialSoftening(Softening):
    """f = exp(-(k - onset) / (scale - onset)).

    Args:
        onset: strain at the strength, > 0.
        scale: strain that sets the tail, > onset; see `exponential_of_energy`.

    Example:
        >>> round(float(ExponentialSoftening(1e-4, 1e-3).damage(jnp.asarray(1e-4))), 12)
        0.0
    """

    onset: Array = eqx.field(converter=jnp.asarray)
    scale: Array = eqx.field(converter=jnp.asarray)

    def limit(self) -> Number:
        """Return the onset."""
        return self.onset

    def ratio(self, k: Number) -> Number:
        """Return the exponential."""
        return jnp.exp(-(k - self.onset) / (self.scale - self.onset))


class LineSoftening(Softening):
    """Straight lines from the strength down to nothing: one (linear), two (bilinear), or more.

    Args:
        strains: (n,) strains of the corners, increasing, the first one the onset.
        ratios: (n,) stresses there over the strength, from 1 to 0.

    Example:
        >>> float(LineSoftening([1.0, 3.0], [1.0, 0.0]).damage(jnp.asarray(2.0)))
        0.75
    """

    strains: Float[Array, " n"] = eqx.field(converter=jnp.asarray)
    ratios: Float[Array, " n"] = eqx.field(converter=jnp.asarray)

    def limit(self) -> Number:
        """Return the first corner's strain."""
        return self.strains[0]

    def ratio(self, k: Number) -> Number:
        """Interpolate; zero beyond the last corner."""
        return jnp.interp(k, self.strains, self.ratios)


def exponential_of_energy(
    young: ArrayLike, strength: ArrayLike, energy: ArrayLike, length: ArrayLike
) -> ExponentialSoftening:
    """Exponential softening that dissipates a fracture energy on a length.

    scale = onset / 2 + G_f / (length strength),  onset = strength / E

    Args:
        young: E, Pa.
        strength: tensile strength, Pa.
        energy: fracture energy G_f, J/m^2.
        length: on which the softening gathers (the width of an element, or of a band), m. Less than
            2 G_f E / strength^2, else no curve that only falls has so little energy.

    Source: Z. P. Bazant, B. H. Oh (1983), Mater. Struct. 16, 155 (crack band).

    Example:
        >>> round(float(exponential_of_energy(30e9, 3e6, 100.0, 0.01).scale), 12)
        0.003383333333
    """
    onset = jnp.asarray(strength) / young
    return ExponentialSoftening(onset, onset / 2.0 + jnp.asarray(energy) / (length * jnp.asarray(strength)))


def lines_of_energy(
    young: ArrayLike,
    strength: ArrayLike,
    energy: ArrayLike,
    length: ArrayLike,
    knee: Sequence[float] | None = None,
) -> LineSoftening:
    """Linear or bilinear softening that dissipates a fracture energy on a length.

    A crack of opening w carries f(w); the strain is f strength / E + w / length.

    Args:
        young: E, Pa.
        strength: tensile strength, Pa.
        energy: fracture energy G_f, J/m^2.
        length: on which the softening gathers, m.
        knee: opening of the knee and of the end over G_f / strength, and the stress ratio at the knee, as in
            `PETERSSON`; linear (the end at 2) unless given. The area under it, (a + c b) / 2, must be 1.

    Example:
        >>> law = lines_of_energy(30e9, 3e6, 100.0, 0.01)
        >>> [round(float(strain), 12) for strain in law.strains]
        [0.0001, 0.006666666667]
    """
    onset = jnp.asarray(strength) / young
    opening = jnp.asarray(energy) / (length * jnp.asarray(strength))
    if knee is None:
        return LineSoftening(jnp.stack([onset, 2.0 * opening]), jnp.array([1.0, 0.0]))
    at, end, share = knee
    strains = jnp.stack([onset, share * onset + at * opening, end * opening])
    return LineSoftening(strains, jnp.array([1.0, share, 0.0]))
