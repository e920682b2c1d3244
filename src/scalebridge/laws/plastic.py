"""J2 plasticity with isotropic hardening of any kind and linear kinematic hardening."""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.laws.hardening import Hardening
from scalebridge.laws.radial_return import Number, RadialReturn, plastic_step


class J2Plasticity(RadialReturn):
    """Isotropic elasticity with the yield criterion of von Mises, independent of rate.

    q(s - a) <= sigma_y(p); the equations are those of `radial_return`.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        hardening: the yield stress as it grows with the accumulated plastic strain.
        kinematic: Prager's modulus H_k, Pa: the slope of the uniaxial stress over the plastic strain is the
            sum of H_k and the isotropic slope.

    Limits: small strains; incompressible plastic flow; 3 G + H_k + sigma_y' > 0.

    Source: J. C. Simo, T. J. R. Hughes, Computational Inelasticity (1998), box 3.1 and eq. 3.3.30 (tangent).

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> from scalebridge.laws.invariants import von_mises
        >>> law = J2Plasticity(4.0, 3.0, LinearHardening(0.3, 1.0))
        >>> shear = jnp.array([0, 0, 0, 0, 0, 0.2])
        >>> stress, state = law.respond(shear, law.rest(), 0.0)
        >>> bool(jnp.isclose(von_mises(stress), 0.3 + 1.0 * state["accumulated plastic strain"]))
        True
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    hardening: Hardening
    kinematic: Array = eqx.field(converter=jnp.asarray, default=0.0)

    def flow(self, trial: Number, before: Number, dt: ArrayLike) -> tuple[Number, Number]:
        """Flow until the yield stress is met; dt is not looked at."""
        step = plastic_step(self.hardening, trial, before, 3.0 * self.shear_modulus + self.kinematic)
        return step, self.hardening.slope(before + step)
