"""Drucker and Prager's plasticity of soils, rock and concrete: a cone, its apex, and dilation of its own.

    t + eta p <= k(c),    t = sqrt(s : s / 2),  p = tr(stress) / 3 (tension is positive)
    de_p = dc (s / (2 t) + etabar / 3 1)

eta is the slope of the cone, etabar <= eta that of the flow, c the accumulated plastic shear. At the apex the
deviator vanishes, c grows by t_trial / G, all the shear that was left, and p = k / eta.
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
from scalebridge.laws.invariants import UNIT, deviator, direction, isotropic_energy, magnitude, trace
from scalebridge.laws.path_law import PathLaw, State, at_zero
from scalebridge.laws.radial_return import plastic_step

_SPECS = {
    "plastic strain": Spec("plastic strain", "1", (6,)),
    "accumulated plastic shear": Spec("accumulated plastic shear", "1"),
}


class DruckerPrager(PathLaw):
    """Isotropic elasticity with a yield stress in shear that pressure raises.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        friction: eta, > 0; see `cone_of_friction`.
        dilation: etabar, 0 <= etabar <= eta; the flow is associated where they are equal.
        cohesion: k(c), the yield stress in pure shear, Pa, over the accumulated plastic shear.

    Limits: small strains. The free energy is the elastic one: hardening stores nothing. The tangent is not
        symmetric unless the flow is associated.

    Source: D. C. Drucker, W. Prager (1952), Q. Appl. Math. 10, 157; de Souza Neto, Peric, Owen, Computational
        Methods for Plasticity (2008), sec. 8.3 (there the apex hardens by the volume).

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> law = DruckerPrager(4.0, 3.0, friction=0.5, dilation=0.2, cohesion=LinearHardening(0.1))
        >>> stress, _ = law.respond(UNIT * 1.0, law.rest(), 0.0)  # torn apart: the apex, p = k / eta
        >>> [round(float(part), 12) for part in stress[:4]]
        [0.2, 0.2, 0.2, 0.0]
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    friction: Array = eqx.field(converter=jnp.asarray)
    dilation: Array = eqx.field(converter=jnp.asarray)
    cohesion: Hardening

    symmetric: ClassVar[bool] = False

    def state_specs(self) -> dict[str, Spec]:
        """Plastic strain (Mandel notation) and accumulated plastic shear."""
        return _SPECS

    def rest(self) -> State:
        """Return no plastic strain."""
        return at_zero(_SPECS)

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return to the cone, or to its apex where the cone's flow would turn the shear around."""
        bulk, shear, before = self.bulk_modulus, self.shear_modulus, state["accumulated plastic shear"]
        part, mean, size = self._trial(strain, state)
        falls = shear + bulk * self.friction * self.dilation
        step = plastic_step(self.cohesion, size + self.friction * mean, before, falls)
        torn = size < shear * step
        step = jnp.where(torn, size / shear, step)
        apex = self.cohesion.stress(before + step) / jnp.where(self.friction > 0.0, self.friction, 1.0)
        mean = jnp.where(torn, apex, mean - bulk * self.dilation * step)
        left = jnp.where(torn, 0.0, size - shear * step) * 2.0**0.5 * direction(part)
        left = jnp.where(step == 0.0, part, left)
        plastic = strain - left / (2.0 * shear) - mean / (3.0 * bulk) * UNIT
        changed = (step != 0.0) | torn
        return left + mean * UNIT, {
            "plastic strain": jnp.where(changed, plastic, state["plastic strain"]),
            "accumulated plastic shear": before + step,
        }

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the elastic energy."""
        return isotropic_energy(self.bulk_modulus, self.shear_modulus, strain - state["plastic strain"])

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return (t + eta p) / k - 1 of the trial."""
        _, mean, size = self._trial(strain, state)
        limit = self.cohesion.stress(state["accumulated plastic shear"])
        return (size + self.friction * mean) / limit - 1.0

    def _trial(self, strain: Array, state: State) -> tuple[Array, Array, Array]:
        elastic = strain - state["plastic strain"]
        part = 2.0 * self.shear_modulus * deviator(elastic)
        return part, self.bulk_modulus * trace(elastic), magnitude(part) / 2.0**0.5


def cone_of_friction(angle: ArrayLike, cohesion: ArrayLike, *, outer: bool = True) -> tuple[Array, Array]:
    """Cone through the edges of Mohr and Coulomb's pyramid.

    eta = 6 sin(phi) / (sqrt(3) (3 -+ sin(phi))),  k = 6 c cos(phi) / (sqrt(3) (3 -+ sin(phi)))

    Args:
        angle: angle of friction phi, rad, 0 <= phi < pi/2.
        cohesion: cohesion c of Mohr and Coulomb, Pa.
        outer: through the outer edges (triaxial compression, the upper sign), or the inner ones (extension).

    Returns:
        eta, and k in Pa.

    Source: de Souza Neto, Peric, Owen (2008), eq. 6.121 to 6.124.

    Example:
        >>> eta, k = cone_of_friction(jnp.pi / 6, 1.0)
        >>> round(float(eta), 6), round(float(k), 6)
        (0.69282, 1.2)
    """
    sine = jnp.sin(angle)
    scale = 6.0 / (3.0**0.5 * (3.0 - sine if outer else 3.0 + sine))
    return scale * sine, scale * jnp.cos(angle) * jnp.asarray(cohesion)
