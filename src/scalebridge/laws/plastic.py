"""J2 plasticity with isotropic hardening of any kind and linear kinematic hardening, returned radially.

    q(s - a) <= sigma_y(p),    de_p = dp sqrt(3/2) n,    a = 2/3 H_k e_p (Prager),    n = (s - a) / |s - a|

q is von Mises' equivalent stress, s the deviator of the stress, a the back stress. A step is backward Euler:
the trial q is reduced by (3 G + H_k) dp until it meets sigma_y(p + dp), one equation for one number.
"""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.hardening import Hardening
from scalebridge.laws.invariants import deviator, direction, isotropic_energy, isotropic_stress, von_mises
from scalebridge.laws.local_root import decreasing_root
from scalebridge.laws.path_law import Compact, CompactLaw, State, at_zero

_ROOT = 1.5**0.5


class J2Plasticity(CompactLaw):
    """Isotropic elasticity with the yield criterion of von Mises, independent of rate.

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

    symmetric: ClassVar[bool] = True

    def state_specs(self) -> dict[str, Spec]:
        """Plastic strain (Mandel notation) and accumulated plastic strain."""
        return PLASTIC_SPECS

    def rest(self) -> State:
        """No plastic strain."""
        return at_zero(PLASTIC_SPECS)

    def bulk(self) -> Float[Array, ""]:
        """K, Pa."""
        return self.bulk_modulus

    def stiffness(self) -> Float[Array, "6 6"]:
        """3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return radially from the elastic trial; dt is not looked at."""
        relative, step = self._return(strain, state)
        plastic = state["plastic strain"] + _ROOT * step * direction(relative)
        stress = isotropic_stress(self.bulk_modulus, self.shear_modulus, strain - plastic)
        accumulated = state["accumulated plastic strain"] + step
        return stress, {"plastic strain": plastic, "accumulated plastic strain": accumulated}

    def compact_tangent(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> Compact:
        """Return s = 2 G (1 - 3 G dp / q), g = -2 G (3 G / (3 G + H_k + sigma_y') - 3 G dp / q), n."""
        relative, step = self._return(strain, state)
        slope = self.hardening.slope(state["accumulated plastic strain"] + step)
        return radial_tangent(self.shear_modulus, relative, step, self.kinematic + slope)

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Elastic energy, and what is stored in the hardening."""
        plastic = state["plastic strain"]
        elastic = isotropic_energy(self.bulk_modulus, self.shear_modulus, strain - plastic)
        back = self.kinematic * (plastic @ plastic) / 3.0
        return elastic + back + self.hardening.energy(state["accumulated plastic strain"])

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return q / sigma_y - 1 of the trial."""
        trial = von_mises(self._relative(strain, state))
        return trial / self.hardening.stress(state["accumulated plastic strain"]) - 1.0

    def _relative(self, strain: Array, state: State) -> Float[Array, "6"]:
        plastic = state["plastic strain"]
        return 2.0 * self.shear_modulus * deviator(strain - plastic) - self.kinematic * plastic / 1.5

    def _return(self, strain: Array, state: State) -> tuple[Array, Array]:
        """Return the trial's deviator less the back stress, and the step of accumulated plastic strain."""
        relative, before = self._relative(strain, state), state["accumulated plastic strain"]
        falls = 3.0 * self.shear_modulus + self.kinematic
        return relative, plastic_step(self.hardening, von_mises(relative), before, falls)


PLASTIC_SPECS = {
    "plastic strain": Spec("plastic strain", "1", (6,)),
    "accumulated plastic strain": Spec("accumulated plastic strain", "1"),
}
"""Internal variables of laws that return radially."""


def plastic_step(hardening: Hardening, trial: ArrayLike, before: ArrayLike, falls: ArrayLike) -> Array:
    """Find dp >= 0 such that trial - falls dp = sigma_y(before + dp); zero where the trial is elastic.

    Args:
        hardening: the yield stress.
        trial: equivalent stress of the elastic trial, Pa.
        before: accumulated plastic strain before the step.
        falls: by how much the equivalent stress falls with dp, 3 G + H_k, Pa.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> float(plastic_step(LinearHardening(1.0, 2.0), jnp.asarray(6.0), jnp.asarray(0.0), 3.0))
        1.0
    """
    limit, slope = hardening.stress(before), hardening.slope(before)
    flows = ~(trial <= limit)  # a NaN flows, and is found in the answer
    first = jnp.where(flows, (trial - limit) / (falls + slope), 0.0)
    if hardening.linear:
        return first
    given = jnp.where(flows, trial, limit)

    def excess(step: Array) -> Array:
        return given - falls * step - hardening.stress(before + step)

    high = given / falls
    root = decreasing_root(excess, high, jnp.clip(first, 0.0, high))
    return jnp.where(flows, root, 0.0)


def radial_tangent(shear: ArrayLike, relative: Array, step: Array, slopes: ArrayLike) -> Compact:
    """Return s, g, n of the consistent tangent of a radial return.

    Args:
        shear: G, Pa.
        relative: deviator of the elastic trial less the back stress, Pa.
        step: dp.
        slopes: how much the resistance grows with dp, H_k + sigma_y' (+ that of a rate), Pa.
    """
    flows = step > 0.0
    trial = jnp.where(flows, von_mises(relative), 1.0)
    turned = 3.0 * shear * step / trial
    fallen = jnp.where(flows, 3.0 * shear / (3.0 * shear + slopes), 0.0)
    return 2.0 * shear * (1.0 - turned), -2.0 * shear * (fallen - turned), direction(relative)
