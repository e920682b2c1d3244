"""Compressible neo-Hookean elasticity at finite strain."""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.path_law import PathLaw, State
from scalebridge.laws.spectral import determinant, inverse_transposed


class NeoHookean(PathLaw):
    """W = G/2 (F : F - 3 - 2 ln J) + L/2 (ln J)^2,    P = G (F - F^-T) + L ln J F^-T,    L = K - 2 G / 3.

    Args:
        bulk_modulus: K at rest, Pa.
        shear_modulus: G at rest, Pa.

    Limits: elastomers at moderate stretches. NaN where the element is inverted, J <= 0.

    Source: J. Bonet, R. D. Wood, Nonlinear Continuum Mechanics for Finite Element Analysis (2008), eq. 6.28.

    Example:
        >>> law = NeoHookean(4.0, 3.0)
        >>> law.respond(jnp.eye(3), law.rest(), 0.0)[0].tolist()
        [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)

    finite: ClassVar[bool] = True

    def state_specs(self) -> dict[str, Spec]:
        """Nothing is remembered."""
        return {}

    def rest(self) -> State:
        """Return the empty state."""
        return {}

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return P of the deformation gradient."""
        logarithm, turned = jnp.log(determinant(strain)), inverse_transposed(strain)
        lame = self.bulk_modulus - self.shear_modulus / 1.5
        return self.shear_modulus * (strain - turned) + lame * logarithm * turned, state

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return W."""
        logarithm, lame = jnp.log(determinant(strain)), self.bulk_modulus - self.shear_modulus / 1.5
        shape = jnp.sum(strain * strain) - 3.0 - 2.0 * logarithm
        return 0.5 * self.shear_modulus * shape + 0.5 * lame * logarithm**2

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return +infinity: it is not linear."""
        return jnp.asarray(jnp.inf)
