"""J2 plasticity at finite strain, on the Hencky strain.

    b = F Cp^-1 F',    h = ln(b) / 2,    tau = K tr(h) 1 + 2 G dev(h),    q(tau) <= sigma_y(p)

F is the deformation gradient, Cp^-1 the inverse of the plastic right Cauchy-Green tensor, tau Kirchhoff's
stress. In the trial's principal axes a step is that of small strains: h loses dp sqrt(3/2) n, isochoric by
the exponential map; then Cp^-1 = F^-1 exp(2 h) F^-T, and P = tau F^-T.
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
from scalebridge.laws.invariants import (
    deviator,
    direction,
    isotropic_energy,
    isotropic_stress,
    mandel,
    matrix,
    von_mises,
)
from scalebridge.laws.path_law import PathLaw, State
from scalebridge.laws.radial_return import plastic_step
from scalebridge.laws.spectral import determinant, inverse_transposed, matrix_exp, matrix_log

_SPECS = {
    "inverse plastic metric": Spec("inverse plastic right Cauchy-Green tensor", "1", (6,)),
    "accumulated plastic strain": Spec("accumulated plastic strain", "1"),
}


class FinitePlasticity(PathLaw):
    """Isotropic Hencky elasticity with the yield criterion of von Mises for Kirchhoff's stress.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        hardening: yield stress over the accumulated plastic strain.

    Limits: small elastic, large plastic strains; isotropic hardening. The tangent is symmetric. NaN where the
        element is inverted, J <= 0.

    Source: G. Weber, L. Anand (1990), Comput. Methods Appl. Mech. Eng. 79, 173; J. C. Simo (1992), Comput.
        Methods Appl. Mech. Eng. 99, 61; de Souza Neto, Peric, Owen (2008), ch. 14.

    Example:
        >>> from scalebridge.laws.hardening import LinearHardening
        >>> law = FinitePlasticity(4.0, 3.0, LinearHardening(0.3))
        >>> sheared = jnp.eye(3).at[0, 1].set(2.0)
        >>> stress, _ = law.respond(sheared, law.rest(), 0.0)
        >>> round(float(von_mises(mandel(stress @ sheared.T))), 12)
        0.3
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    hardening: Hardening

    finite: ClassVar[bool] = True

    def state_specs(self) -> dict[str, Spec]:
        """Inverse plastic metric Cp^-1 (Mandel notation) and accumulated plastic strain."""
        return _SPECS

    def rest(self) -> State:
        """Return Cp^-1 = 1."""
        return {
            "inverse plastic metric": mandel(jnp.eye(3)),
            "accumulated plastic strain": jnp.zeros(()),
        }

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Return radially in the Hencky strain; dt is not looked at."""
        trial, before = self._hencky(strain, state), state["accumulated plastic strain"]
        shear = self.shear_modulus
        relative = 2.0 * shear * deviator(trial)
        step = plastic_step(self.hardening, von_mises(relative), before, 3.0 * shear)
        elastic = trial - 1.5**0.5 * step * direction(relative)
        turned = jnp.where(determinant(strain) > 0.0, inverse_transposed(strain), jnp.nan)
        stress = matrix(isotropic_stress(self.bulk_modulus, shear, elastic)) @ turned
        metric = mandel(turned.T @ matrix_exp(2.0 * matrix(elastic)) @ turned)
        return stress, {
            "inverse plastic metric": jnp.where(step == 0.0, state["inverse plastic metric"], metric),
            "accumulated plastic strain": before + step,
        }

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return elastic energy of the Hencky strain, and what the hardening stores."""
        elastic = isotropic_energy(self.bulk_modulus, self.shear_modulus, self._hencky(strain, state))
        return elastic + self.hardening.energy(state["accumulated plastic strain"])

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return +infinity: it is not linear in F even where nothing flows."""
        return jnp.asarray(jnp.inf)

    def _hencky(self, strain: Array, state: State) -> Array:
        return 0.5 * mandel(matrix_log(strain @ matrix(state["inverse plastic metric"]) @ strain.T))
