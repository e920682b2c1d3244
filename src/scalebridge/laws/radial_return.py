"""Radial return: what J2 laws of any hardening and rate have in common.

    q(s - a) <= sigma_y(p),    de_p = dp sqrt(3/2) n,    a = 2/3 H_k e_p (Prager),    n = (s - a) / |s - a|

q is von Mises' equivalent stress, s the deviator of the stress, a the back stress. A step is backward Euler:
the trial q falls by (3 G + H_k) dp until the law resists, which is one equation for the number dp.
"""

import abc

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

Number = Float[Array, ""]
PLASTIC_SPECS = {
    "plastic strain": Spec("plastic strain", "1", (6,)),
    "accumulated plastic strain": Spec("accumulated plastic strain", "1"),
}
"""Internal variables: plastic strain in Mandel notation, and its accumulation."""


class RadialReturn(CompactLaw):
    """Isotropic elasticity and flow along the deviator; how far it flows is left to the final law."""

    bulk_modulus: eqx.AbstractVar[Array]
    shear_modulus: eqx.AbstractVar[Array]
    hardening: eqx.AbstractVar[Hardening]
    kinematic: eqx.AbstractVar[Array]

    @abc.abstractmethod
    def flow(self, trial: Number, before: Number, dt: ArrayLike) -> tuple[Number, Number]:
        """Return dp, and by how much the resistance grows with it (without Prager's part), Pa.

        Args:
            trial: equivalent stress of the elastic trial, Pa.
            before: accumulated plastic strain before the step.
            dt: time of the step, s.
        """

    def state_specs(self) -> dict[str, Spec]:
        """Plastic strain (Mandel notation) and accumulated plastic strain."""
        return PLASTIC_SPECS

    def rest(self) -> State:
        """Return no plastic strain."""
        return at_zero(PLASTIC_SPECS)

    def bulk(self) -> Float[Array, ""]:
        """Return K, Pa."""
        return self.bulk_modulus

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return radially from the elastic trial."""
        relative, before = self._relative(strain, state), state["accumulated plastic strain"]
        step, _ = self.flow(von_mises(relative), before, dt)
        plastic = state["plastic strain"] + 1.5**0.5 * step * direction(relative)
        stress = isotropic_stress(self.bulk_modulus, self.shear_modulus, strain - plastic)
        return stress, {"plastic strain": plastic, "accumulated plastic strain": before + step}

    def compact_tangent(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> Compact:
        """Return s = 2 G (1 - 3 G dp / q), g = -2 G (3 G / (3 G + H_k + H) - 3 G dp / q), n.

        Here q is the trial's and H the growth of the resistance at the end of the step.
        """
        relative, before = self._relative(strain, state), state["accumulated plastic strain"]
        step, growth = self.flow(von_mises(relative), before, dt)
        flows = ~(step <= 0.0)
        shear = 3.0 * self.shear_modulus
        turned = shear * step / jnp.where(flows, von_mises(relative), 1.0)
        fallen = jnp.where(flows, shear / (shear + self.kinematic + growth), 0.0)
        double = 2.0 * self.shear_modulus
        return double * (1.0 - turned), double * (turned - fallen), direction(relative)

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return elastic energy, and what is stored in the hardening."""
        plastic = state["plastic strain"]
        elastic = isotropic_energy(self.bulk_modulus, self.shear_modulus, strain - plastic)
        back = self.kinematic * (plastic @ plastic) / 3.0
        return elastic + back + self.hardening.energy(state["accumulated plastic strain"])

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return q / sigma_y - 1 of the trial."""
        trial = von_mises(self._relative(strain, state))
        return trial / self.hardening.stress(state["accumulated plastic strain"]) - 1.0

    def _relative(self, strain: Array, state: State) -> Float[Array, "6"]:
        """Return the trial's deviator less the back stress."""
        plastic = state["plastic strain"]
        return 2.0 * self.shear_modulus * deviator(strain - plastic) - self.kinematic * plastic / 1.5


def plastic_step(hardening: Hardening, trial: Array, before: Array, falls: Array) -> Array:
    """Find dp >= 0 such that trial - falls dp = sigma_y(before + dp); zero where the trial is elastic.

    Args:
        hardening: the yield stress.
        trial: equivalent stress of the elastic trial, Pa.
        before: accumulated plastic strain before the step.
        falls: by how much the equivalent stress falls with dp, 3 G + H_k, Pa.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> float(plastic_step(LinearHardening(1.0, 2.0), *jnp.array([6.0, 0.0, 3.0])))
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
