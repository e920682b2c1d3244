"""Perzyna's viscoplasticity: J2 plasticity whose flow takes time.

    dp/dt = <(q - sigma_y(p)) / D>^m / tau,    de_p = dp sqrt(3/2) n

A step is backward Euler in the overstress y = q - sigma_y, for which one equation is left:
q_trial - (3 G + H_k) dp(y) - sigma_y(p + dp(y)) = y,  dp(y) = dt / tau (y / D)^m.
"""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.laws.hardening import Hardening
from scalebridge.laws.local_root import decreasing_root
from scalebridge.laws.radial_return import Number, RadialReturn


class Viscoplastic(RadialReturn):
    """Isotropic elasticity with overstress flow; the hardening is that of `J2Plasticity`.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        hardening: the yield stress below which nothing flows.
        time: tau, s, > 0.
        drag: D, Pa, > 0: the overstress at which the plastic strain grows by 1 / tau.
        exponent: m, >= 1.
        kinematic: Prager's modulus H_k, Pa.

    Limits: small strains. A step without time (dt = 0) is elastic.

    Source: P. Perzyna (1966), Adv. Appl. Mech. 9, 243; de Souza Neto, Peric, Owen, Computational Methods for
        Plasticity (2008), ch. 11.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> from scalebridge.laws.invariants import von_mises
        >>> law = Viscoplastic(4.0, 3.0, LinearHardening(0.3), time=1.0, drag=0.1, exponent=1.0)
        >>> shear = jnp.array([0, 0, 0, 0, 0, 0.2])
        >>> stress, _ = law.respond(shear, law.rest(), 1e9)
        >>> round(float(von_mises(stress)), 6)
        0.3
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    hardening: Hardening
    time: Array = eqx.field(converter=jnp.asarray)
    drag: Array = eqx.field(converter=jnp.asarray)
    exponent: Array = eqx.field(converter=jnp.asarray, default=1.0)
    kinematic: Array = eqx.field(converter=jnp.asarray, default=0.0)

    def flow(self, trial: Number, before: Number, dt: ArrayLike) -> tuple[Number, Number]:
        """Flow towards the yield stress as far as the time allows; the resistance grows by y / (m dp) too."""
        limit = self.hardening.stress(before)
        flows = ~(trial <= limit)  # a NaN flows, and is found in the answer
        given = jnp.where(flows, trial, limit)
        falls = 3.0 * self.shear_modulus + self.kinematic

        def flowed(overstress: Array) -> Array:
            above = overstress > 0.0
            power = jnp.where(above, overstress / self.drag, 1.0) ** self.exponent
            return jnp.where(above, jnp.asarray(dt) / self.time * power, 0.0)

        def gap(overstress: Array) -> Array:
            step = flowed(overstress)
            return given - falls * step - self.hardening.stress(before + step) - overstress

        overstress = decreasing_root(gap, given - limit, given - limit)
        step = flowed(overstress)
        rate = jnp.where(step > 0.0, overstress / (self.exponent * jnp.where(step > 0.0, step, 1.0)), 0.0)
        return step, self.hardening.slope(before + step) + rate
