"""Scalar damage: an isotropic elastic material that loses its stiffness.

    sigma = (1 - d(k)) C : e,    k = the largest equivalent strain seen so far

By itself such a law localises in a band one element wide, whose energy depends on the mesh. Two cures: give
the softening the energy G_f / width of the element (crack band), or let the damage follow an average of the
equivalent strain (`driving`, `respond_driven`), which whoever knows the neighbourhood computes.
"""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.spec import Spec
from scalebridge.laws.elasticity import isotropic_stiffness
from scalebridge.laws.invariants import (
    deviator,
    isotropic_energy,
    isotropic_stress,
    magnitude,
    mandel,
    matrix,
    trace,
)
from scalebridge.laws.path_law import PathLaw, State, at_zero
from scalebridge.laws.softening import Softening
from scalebridge.laws.spectral import positive_part

_SPECS = {"largest equivalent strain": Spec("largest equivalent strain", "1")}


class EquivalentStrain(eqx.Module):
    """A number that says how hard a strain is on the material; in uniaxial tension it is the strain."""

    @abc.abstractmethod
    def measure(self, strain: Array, bulk: Array, shear: Array) -> Float[Array, ""]:
        """Return the equivalent strain of a strain (6,) in a material of bulk and shear modulus."""


class EnergyStrain(EquivalentStrain):
    """sqrt(e : C : e / E): as hard in compression as in tension.

    Source: J. W. Ju (1989), Int. J. Solids Struct. 25, 803.
    """

    def measure(self, strain: Array, bulk: Array, shear: Array) -> Float[Array, ""]:
        """Return the norm by the energy."""
        young = 9.0 * bulk * shear / (3.0 * bulk + shear)
        volume = (bulk / young) ** 0.5 * trace(strain)
        return magnitude(jnp.append((2.0 * shear / young) ** 0.5 * deviator(strain), volume))


class MazarsStrain(EquivalentStrain):
    """sqrt(sum <e_i>^2) of the principal strains: only tension harms.

    Source: J. Mazars, G. Pijaudier-Cabot (1989), J. Eng. Mech. 115, 345.
    """

    def measure(self, strain: Array, bulk: Array, shear: Array) -> Float[Array, ""]:
        """Return the norm of the tensile part."""
        return magnitude(mandel(positive_part(matrix(strain))))


class VonMisesStrain(EquivalentStrain):
    """Modified von Mises, by which compression is `ratio` times less hard than tension.

    e = (k - 1) I1 / (2 k (1 - 2 v)) + sqrt(((k - 1) I1 / (1 - 2 v))^2 + 12 k J2 / (1 + v)^2) / (2 k)

    Args:
        ratio: k, strength in compression over that in tension, >= 1.

    Source: J. H. P. de Vree, W. A. M. Brekelmans, M. A. J. van Gils (1995), Comput. Struct. 55, 581.
    """

    ratio: Array = eqx.field(converter=jnp.asarray, default=10.0)

    def measure(self, strain: Array, bulk: Array, shear: Array) -> Float[Array, ""]:
        """Return the modified norm."""
        poisson = (3.0 * bulk - 2.0 * shear) / (6.0 * bulk + 2.0 * shear)
        first = (self.ratio - 1.0) * trace(strain) / (1.0 - 2.0 * poisson)
        second = (6.0 * self.ratio) ** 0.5 / (1.0 + poisson) * deviator(strain)
        return (first + magnitude(jnp.append(second, first))) / (2.0 * self.ratio)


class Damage(PathLaw):
    """Isotropic elasticity that softens with the largest equivalent strain seen.

    Args:
        bulk_modulus: K, Pa.
        shear_modulus: G, Pa.
        softening: the damage over the equivalent strain.
        equivalent: the measure of strain.
        averaging: length of an average of the equivalent strain, m, for whoever computes it; 0 is local.
        secant: whether `tangent` is the secant (1 - d) C, which stays positive definite: slower, hard to
            upset. Derivatives by parameters through an equilibrium want the true one.
        band: width that the softening's energy was given to, m; 0 where none was. Nothing follows from it but
            what is said of a mesh whose elements are of another width.

    Limits: small strains; the stiffness is lost alike in tension and compression. The tangent is symmetric
        for `EnergyStrain` only, and loses its definiteness where the material softens.

    Source: J. Lemaitre, J.-L. Chaboche, Mechanics of Solid Materials (1990), ch. 7; R. H. J. Peerlings et al.
        (1996), Int. J. Numer. Meth. Eng. 39, 3391 (implicit gradient).

    Example:
        >>> from scalebridge.laws.softening import LineSoftening
        >>> law = Damage(4.0, 3.0, LineSoftening([0.1, 0.3], [1.0, 0.0]), MazarsStrain())
        >>> stress, state = law.respond(jnp.array([0.2, 0, 0, 0, 0, 0]), law.rest(), 0.0)
        >>> round(float(stress[0]), 12)  # a quarter of 8 * 0.2 is left
        0.4
    """

    bulk_modulus: Array = eqx.field(converter=jnp.asarray)
    shear_modulus: Array = eqx.field(converter=jnp.asarray)
    softening: Softening
    equivalent: EquivalentStrain
    averaging: Array = eqx.field(converter=jnp.asarray, default=0.0)
    secant: bool = eqx.field(static=True, default=False)
    band: float = eqx.field(static=True, default=0.0)

    symmetric: ClassVar[bool] = False

    def state_specs(self) -> dict[str, Spec]:
        """Largest equivalent strain seen."""
        return _SPECS

    def rest(self) -> State:
        """Return a state without history."""
        return at_zero(_SPECS)

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return 3 K J + 2 G (1 - J)."""
        return isotropic_stiffness(self.bulk_modulus, self.shear_modulus)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Let the damage follow the strain of the point itself; dt is not looked at."""
        return self.respond_driven(strain, self.driving(strain), state, dt)

    def driving(self, strain: Array) -> Float[Array, ""]:
        """Return the equivalent strain of a strain, which is to be averaged."""
        return self.equivalent.measure(strain, self.bulk_modulus, self.shear_modulus)

    def respond_driven(
        self, strain: Array, driving: Array, state: State, dt: ArrayLike = 0.0
    ) -> tuple[Array, State]:
        """Let the damage follow a given (averaged) equivalent strain."""
        driving = jax.lax.stop_gradient(driving) if self.secant else driving
        before = state["largest equivalent strain"]
        # A comparison that fails for a NaN, so that it is found in the answer.
        stays = driving <= jnp.maximum(before, self.softening.limit())
        largest = jnp.where(stays, before, driving)
        elastic = isotropic_stress(self.bulk_modulus, self.shear_modulus, strain)
        return (1.0 - self.softening.damage(largest)) * elastic, {"largest equivalent strain": largest}

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return (1 - d) e : C : e / 2."""
        left = 1.0 - self.softening.damage(state["largest equivalent strain"])
        return left * isotropic_energy(self.bulk_modulus, self.shear_modulus, strain)

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the equivalent strain over the one that damages further, less 1."""
        seen = jnp.maximum(state["largest equivalent strain"], self.softening.limit())
        return self.driving(strain) / seen - 1.0
