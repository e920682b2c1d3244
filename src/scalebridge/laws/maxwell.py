"""Linear viscoelasticity: a spring beside Maxwell's arms, each a spring and a dashpot in series.

    s = 2 G e + sum_i h_i,    dh_i/dt = 2 G_i de/dt - h_i / tau_i,    mean stress = K tr(strain)

e and s are the deviators of strain and stress. A step is exact for a strain that changes at a constant rate:
h_i' = exp(-x) h_i + 2 G_i (1 - exp(-x)) / x de,  x = dt / tau_i.
"""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.invariants import deviator, isotropic_energy, isotropic_stress
from scalebridge.laws.path_law import Compact, CompactLaw, State, at_zero


class GeneralisedMaxwell(CompactLaw):
    """A relaxing shear modulus G(t) = G + sum_i G_i exp(-t / tau_i), and a bulk modulus that does not relax.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa: what is left after a long time; 0 for a fluid.
        arms: (n,) G_i, Pa.
        times: (n,) tau_i, s, > 0.

    Limits: small strains. `stiffness` is that of a sudden load. A step without time is elastic with it.

    Source: J. C. Simo, T. J. R. Hughes, Computational Inelasticity (1998), sec. 10.3; R. L. Taylor, K. S.
        Pister, G. L. Goudreau (1970), Int. J. Numer. Meth. Eng. 2, 45.

    Example:
        >>> law = GeneralisedMaxwell(4.0, 1.0, [2.0], [10.0])
        >>> shear = jnp.array([0, 0, 0, 0, 0, 1.0])
        >>> stress, state = law.respond(shear, law.rest(), 0.0)
        >>> later, _ = law.respond(shear, state, 10.0)
        >>> float(stress[5]), round(float(later[5]), 12) == round(2.0 + 4.0 * float(jnp.exp(-1.0)), 12)
        (6.0, True)
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    arms: Float[Array, " n"] = eqx.field(converter=jnp.asarray)
    times: Float[Array, " n"] = eqx.field(converter=jnp.asarray)

    def state_specs(self) -> dict[str, Spec]:
        """Deviator of the strain at the last step, and what of it each arm still feels."""
        return {
            "strain deviator": Spec("strain deviator", "1", (6,)),
            "arm strains": Spec("arm strains", "1", (self.arms.shape[0], 6)),
        }

    def rest(self) -> State:
        """Return relaxed arms."""
        return at_zero(self.state_specs())

    def bulk(self) -> Float[Array, ""]:
        """Return K, Pa."""
        return self.bulk_modulus

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return the stiffness of a sudden load, with the shear modulus G + sum_i G_i."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus + jnp.sum(self.arms))

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Let the arms relax while the strain goes straight to its end."""
        kept, taken = self._relaxation(dt)
        part = deviator(strain)
        change = part - state["strain deviator"]
        felt = kept[:, None] * state["arm strains"] + taken[:, None] * change
        stress = isotropic_stress(self.bulk_modulus, self.shear_modulus, strain) + 2.0 * self.arms @ felt
        return stress, {"strain deviator": part, "arm strains": felt}

    def compact_tangent(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> Compact:
        """Return s = 2 G + sum_i 2 G_i (1 - exp(-x)) / x."""
        s = 2.0 * (self.shear_modulus + self.arms @ self._relaxation(dt)[1])
        return s, jnp.zeros(()), jnp.zeros(6)

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the energy of all springs."""
        change = deviator(strain) - state["strain deviator"]
        felt = state["arm strains"] + change
        arms = self.arms @ jnp.sum(felt * felt, axis=1)
        return isotropic_energy(self.bulk_modulus, self.shear_modulus, strain) + arms

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return +infinity: it always remembers."""
        return jnp.asarray(jnp.inf)

    def _relaxation(self, dt: ArrayLike) -> tuple[Array, Array]:
        """Return exp(-x) and (1 - exp(-x)) / x, which is 1 without time."""
        x = jnp.asarray(dt) / self.times
        moves = x > 0.0
        return jnp.exp(-x), jnp.where(moves, -jnp.expm1(-x) / jnp.where(moves, x, 1.0), 1.0)
