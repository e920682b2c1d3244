"""Linear elasticity and thermoelasticity at a point, isotropic or of any stiffness."""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.invariants import UNIT, isotropic_energy, isotropic_stress
from scalebridge.laws.path_law import Compact, CompactLaw, PathLaw, State


class IsotropicElastic(CompactLaw):
    """sigma = K tr(e - a dT 1) 1 + 2 G dev(e).

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        expansion: a, coefficient of linear thermal expansion, 1/K.
        temperature_change: dT, K, from where the material is free of stress.

    Limits: small strains. With a change of temperature it is not at rest without strain, and its margin is
        infinite, so that nobody takes C : E for its answer.

    Example:
        >>> law = IsotropicElastic(4.0, 3.0, expansion=1e-3, temperature_change=10.0)
        >>> law.respond(0.01 * UNIT, law.rest(), 0.0)[0].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    expansion: Array = eqx.field(converter=jnp.asarray, default=0.0)
    temperature_change: Array = eqx.field(converter=jnp.asarray, default=0.0)

    def state_specs(self) -> dict[str, Spec]:
        """Nothing is remembered."""
        return {}

    def rest(self) -> State:
        """Return the empty state."""
        return {}

    def bulk(self) -> Float[Array, ""]:
        """Return K, Pa."""
        return self.bulk_modulus

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return the stress of the strain that is not thermal."""
        return isotropic_stress(self.bulk_modulus, self.shear_modulus, self._elastic(strain)), state

    def compact_tangent(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> Compact:
        """Return s = 2 G."""
        return 2.0 * self.shear_modulus, jnp.zeros(()), jnp.zeros(6)

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the energy of the strain that is not thermal."""
        return isotropic_energy(self.bulk_modulus, self.shear_modulus, self._elastic(strain))

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return -1; +infinity with a change of temperature."""
        return _margin(self.expansion * self.temperature_change)

    def _elastic(self, strain: Array) -> Array:
        return strain - self.expansion * self.temperature_change * UNIT


class LinearElastic(PathLaw):
    """sigma = C : (e - a dT), of any symmetry.

    Args:
        moduli: C, (6, 6) in Mandel notation, Pa.
        expansion: a, (6,) in Mandel notation, 1/K.
        temperature_change: dT, K.

    Limits: as for `IsotropicElastic`.

    Example:
        >>> law = LinearElastic(2.0 * jnp.eye(6))
        >>> law.respond(jnp.arange(6.0), law.rest(), 0.0)[0].tolist()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """

    moduli: Float[Array, "6 6"] = eqx.field(converter=jnp.asarray)
    expansion: Float[Array, "6"] = eqx.field(converter=jnp.asarray, default_factory=lambda: jnp.zeros(6))
    temperature_change: Array = eqx.field(converter=jnp.asarray, default=0.0)

    def state_specs(self) -> dict[str, Spec]:
        """Nothing is remembered."""
        return {}

    def rest(self) -> State:
        """Return the empty state."""
        return {}

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return C."""
        return self.moduli

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return the stress of the strain that is not thermal."""
        return self.moduli @ (strain - self.expansion * self.temperature_change), state

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the energy of the strain that is not thermal."""
        elastic = strain - self.expansion * self.temperature_change
        return 0.5 * elastic @ self.moduli @ elastic

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return -1; +infinity with a change of temperature."""
        return _margin(self.expansion * self.temperature_change)


def _margin(thermal: Array) -> Array:
    return jnp.where(jnp.all(thermal == 0.0), -1.0, jnp.inf)
