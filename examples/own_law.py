"""A law of one's own: ice that creeps, a spring and a dashpot in series, in one file.

    s = 2 G (e - c),    dc/dt = s / (2 eta),    mean stress = K tr(strain)

e and s are the deviators of strain and stress, c the creep strain. Whoever answers a strain and a state with
a stress and a new state has a law; the tangent is found by differentiation. What a law has to keep is in
`scalebridge.testing`, and this program runs it.
"""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from scalebridge import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.invariants import deviator, isotropic_energy, isotropic_stress
from scalebridge.laws.path_law import PathLaw, State, at_zero
from scalebridge.testing import check_path_law


class CreepingIce(PathLaw):
    """Linear creep.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        viscosity: eta, Pa s.
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    viscosity: Array = eqx.field(converter=jnp.asarray)

    def state_specs(self):
        """One internal variable, a symmetric tensor in Mandel notation."""
        return {"creep strain": Spec("creep strain", "1", (6,))}

    def rest(self) -> State:
        """Return no creep."""
        return at_zero(self.state_specs())

    def respond(self, strain, state, dt):
        """Backward Euler: c' = c + x (e - c'), x = G dt / eta."""
        x = self.shear_modulus * dt / self.viscosity
        creep = (state["creep strain"] + x * deviator(strain)) / (1.0 + x)
        stress = isotropic_stress(self.bulk_modulus, self.shear_modulus, strain - creep)
        return stress, {"creep strain": creep}

    def stiffness(self):
        """Return the stiffness of a sudden load."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def free_energy(self, strain, state):
        """Return the spring's energy."""
        return isotropic_energy(self.bulk_modulus, self.shear_modulus, strain - state["creep strain"])

    def margin(self, strain, state):
        """Return +infinity: it always creeps."""
        return jnp.asarray(jnp.inf)


if __name__ == "__main__":
    ice = CreepingIce(8.9e9, 3.5e9, 1e13)
    check_path_law(ice, 1e-3, dt=1000.0)
    shear, state = jnp.zeros(6).at[5].set(1e-3), ice.rest()
    stress, state = ice.respond(shear, state, 0.0)
    first = float(stress[5])
    for _ in range(100):
        stress, state = ice.respond(shear, state, 28.57)
    # The stress relaxes with exp(-t G / eta), to the first order of the step.
    np.testing.assert_allclose(float(stress[5]) / first, np.exp(-1.0), rtol=0.01)
    print(f"after {2857:d} s, {float(stress[5]) / first:.3f} of the stress is left")
