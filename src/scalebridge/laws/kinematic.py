"""J2 plasticity with a back stress that saturates, of Armstrong and Frederick.

    q(s - a) <= sigma_y(p),    de_p = dp sqrt(3/2) n,    da = 2/3 C de_p - c a dp

A step is backward Euler. The back stress at its end is (a + 2/3 C de_p) / (1 + c dp), so that everything
follows from dp, for which one equation is left.
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
from scalebridge.laws.path_law import PathLaw, State, at_zero
from scalebridge.laws.radial_return import PLASTIC_SPECS

_SPECS = {**PLASTIC_SPECS, "back stress": Spec("back stress", "Pa", (6,))}


class ArmstrongFrederick(PathLaw):
    """Isotropic elasticity, isotropic hardening of any kind, and a saturating back stress.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        hardening: yield stress over the accumulated plastic strain.
        modulus: C, Pa, > 0: slope of the uniaxial back stress over the plastic strain at its beginning.
        recovery: c, >= 0, without dimension: the uniaxial back stress saturates at C / c.

    Limits: small strains. The consistent tangent is not symmetric where the load turns.

    Source: P. J. Armstrong, C. O. Frederick (1966), CEGB report RD/B/N731; J. L. Chaboche (1991), Int. J.
        Plasticity 7, 661.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> law = ArmstrongFrederick(4.0, 3.0, LinearHardening(0.3), modulus=10.0, recovery=50.0)
        >>> stress, state = law.respond(jnp.array([0, 0, 0, 0, 0, 2.0]), law.rest(), 0.0)
        >>> bool(abs(von_mises(state["back stress"]) - 10.0 / 50.0) < 0.01)
        True
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    hardening: Hardening
    modulus: Array = eqx.field(converter=jnp.asarray)
    recovery: Array = eqx.field(converter=jnp.asarray)

    symmetric: ClassVar[bool] = False

    def state_specs(self) -> dict[str, Spec]:
        """Plastic strain, its accumulation, and the back stress (a deviator)."""
        return _SPECS

    def rest(self) -> State:
        """Return no plastic strain and no back stress."""
        return at_zero(_SPECS)

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Solve for the step of accumulated plastic strain; dt is not looked at."""
        trial, back = self._trial(strain, state), state["back stress"]
        step = self._step(trial, back, state["accumulated plastic strain"])
        fading = 1.0 / (1.0 + self.recovery * step)
        change = 1.5**0.5 * step * direction(trial - fading * back)
        plastic = state["plastic strain"] + change
        stress = isotropic_stress(self.bulk_modulus, self.shear_modulus, strain - plastic)
        return stress, {
            "plastic strain": plastic,
            "accumulated plastic strain": state["accumulated plastic strain"] + step,
            "back stress": jnp.where(step == 0.0, back, fading * (back + self.modulus / 1.5 * change)),
        }

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return elastic energy, 3 a : a / (4 C), and what the isotropic hardening stores."""
        elastic = isotropic_energy(self.bulk_modulus, self.shear_modulus, strain - state["plastic strain"])
        back = 0.75 * (state["back stress"] @ state["back stress"]) / self.modulus
        return elastic + back + self.hardening.energy(state["accumulated plastic strain"])

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return q / sigma_y - 1 of the trial."""
        trial = von_mises(self._trial(strain, state) - state["back stress"])
        return trial / self.hardening.stress(state["accumulated plastic strain"]) - 1.0

    def _trial(self, strain: Array, state: State) -> Array:
        return 2.0 * self.shear_modulus * deviator(strain - state["plastic strain"])

    def _step(self, trial: Array, back: Array, before: Array) -> Array:
        limit = self.hardening.stress(before)
        flows = ~(von_mises(trial - back) <= limit)
        shear = 3.0 * self.shear_modulus

        def excess(step: Array) -> Array:
            fading = 1.0 / (1.0 + self.recovery * step)
            resists = (shear + self.modulus * fading) * step + self.hardening.stress(before + step)
            return jnp.where(flows, von_mises(trial - fading * back) - resists, -shear * step)

        high = jnp.where(flows, (von_mises(trial) + von_mises(back)) / shear, 0.0)
        first = (von_mises(trial - back) - limit) / (shear + self.modulus + self.hardening.slope(before))
        return decreasing_root(excess, high, jnp.where(flows, jnp.clip(first, 0.0, high), 0.0))
