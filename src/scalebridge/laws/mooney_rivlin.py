"""Compressible Mooney-Rivlin elasticity at finite strain."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.path_law import PathLaw, State
from scalebridge.laws.spectral import cofactor, determinant


class MooneyRivlin(PathLaw):
    """W = c1 (J^-2/3 I1 - 3) + c2 (J^-4/3 I2 - 3) + K/2 (J - 1)^2.

    I1 = F : F and I2 = cof F : cof F are the invariants of F'F; the shear modulus at rest is 2 (c1 + c2).

    Args:
        bulk_modulus: K, Pa.
        first: c1, Pa.
        second: c2, Pa; 0 for a neo-Hookean law with a decoupled volume.

    Limits: elastomers at moderate stretches. NaN where the element is inverted, J <= 0.

    Source: M. Mooney (1940), J. Appl. Phys. 11, 582; R. S. Rivlin (1948), Phil. Trans. R. Soc. A 241, 379.

    Example:
        >>> law = MooneyRivlin(100.0, 1.0, 0.5)
        >>> float(law.stiffness()[5, 5])
        6.0
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    first: Array = eqx.field(converter=jnp.asarray)
    second: Array = eqx.field(converter=jnp.asarray)

    finite: ClassVar[bool] = True

    def state_specs(self) -> dict[str, Spec]:
        """Nothing is remembered."""
        return {}

    def rest(self) -> State:
        """Return the empty state."""
        return {}

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J), G = 2 (c1 + c2)."""
        return isotropic_stiffness(self.bulk_modulus, 2.0 * (self.first + self.second))

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return the derivative of W by the deformation gradient F.

        d I1 / dF = 2 F,  d I2 / dF = 2 (I1 F - F F' F),  dJ / dF = cof F.
        """
        turned = cofactor(strain)
        volume, first = determinant(strain), jnp.sum(strain * strain)
        second, cube = jnp.sum(turned * turned), _cube(volume)
        turned = turned / volume
        shape = 2.0 * self.first * cube * (strain - first / 3.0 * turned)
        areas = first * strain - strain @ strain.T @ strain - second / 1.5 * turned
        pressure = self.bulk_modulus * (volume - 1.0) * volume
        return shape + 2.0 * self.second * cube * cube * areas + pressure * turned, state

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return W."""
        volume, turned = determinant(strain), cofactor(strain)
        cube = _cube(volume)
        shape = self.first * (cube * jnp.sum(strain * strain) - 3.0)
        areas = self.second * (cube * cube * jnp.sum(turned * turned) - 3.0)
        return shape + areas + 0.5 * self.bulk_modulus * (volume - 1.0) ** 2

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return +infinity: it is not linear."""
        return jnp.asarray(jnp.inf)


def _cube(volume: Array) -> Array:
    """Return J^(-2/3), NaN for an inverted element."""
    return jnp.exp(jnp.log(volume) / -1.5)
