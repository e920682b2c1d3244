"""PathLaw: what stress follows from a strain and from what happened before, at one point.

    (stress, new state) = respond(strain, state, dt)

A final law is one small file. Its fields are its parameters: SI numbers, or traced arrays, so that everything
can be differentiated by them. `respond` is pure: a trial is computed from a committed state and never changes
it. A law that finds no answer gives NaN, in stress and state, and never raises: the caller cuts its step.
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
from scalebridge.laws.invariants import DEVIATORIC, VOLUMETRIC

State = dict[str, Array]
"""One point's internal variables, by name; empty where there are none."""
Compact = tuple[Float[Array, ""], Float[Array, ""], Float[Array, "6"]]


class PathLaw(eqx.Module):
    """A law at a point, with or without memory.

    Small strain: asked with a strain (6,) in Mandel notation, answers with the stress (6,), Pa. Finite strain
    (`finite`): asked with the deformation gradient F (3, 3), answers with the nominal stress P (3, 3), Pa,
    the derivative of the free energy of a unit of reference volume by F.
    """

    finite: ClassVar[bool] = False
    """Whether it is asked with a deformation gradient."""
    symmetric: ClassVar[bool] = True
    """Whether the consistent tangent is symmetric."""
    compact: ClassVar[bool] = False
    """Whether it is a `CompactLaw`."""

    @abc.abstractmethod
    def state_specs(self) -> dict[str, Spec]:
        """Names, units and shapes of the internal variables."""

    @abc.abstractmethod
    def rest(self) -> State:
        """Return the internal variables before any load."""

    @abc.abstractmethod
    def respond(self, strain: Array, state: State, dt: ArrayLike) -> tuple[Array, State]:
        """Return stress and internal variables at the end of a step of time dt (s) that ends at a strain."""

    @abc.abstractmethod
    def stiffness(self) -> Float[Array, "6 6"]:
        """Return the elastic stiffness at rest, Mandel notation, Pa."""

    @abc.abstractmethod
    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the stored energy, J/m^3, whose derivative by the strain at a fixed state is the stress."""

    @abc.abstractmethod
    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return a number that is <= 0 exactly while `respond` is linear elastic and changes no state.

        Without dimension; +infinity for laws that are never linear elastic.
        """

    def tangent(self, strain: Array, state: State, dt: ArrayLike) -> Float[Array, "n n"]:
        """Return the derivative of the stress at the end of a step by the strain there.

        (6, 6) in Mandel notation, or (9, 9) with F and P row by row. By the closed form of compact laws, else
        by the forward derivative of `respond`.
        """
        if isinstance(self, CompactLaw):
            return expand(self.bulk(), *self.compact_tangent(strain, state, dt))
        given = jnp.asarray(strain)
        return jax.jacfwd(lambda e: self.respond(e.reshape(given.shape), state, dt)[0].ravel())(given.ravel())


class CompactLaw(PathLaw):
    """A law whose consistent tangent is K 1 x 1 + s Idev + g n x n: eight numbers at a point besides K."""

    compact: ClassVar[bool] = True

    @abc.abstractmethod
    def bulk(self) -> Float[Array, ""]:
        """Return the bulk modulus K, Pa."""

    @abc.abstractmethod
    def compact_tangent(self, strain: Float[Array, "6"], state: State, dt: ArrayLike) -> Compact:
        """Return s (Pa), g (Pa) and the deviator n (6,) of the consistent tangent."""


def expand(bulk: ArrayLike, s: ArrayLike, g: ArrayLike, n: Float[Array, "6"]) -> Float[Array, "6 6"]:
    """Write out a compact tangent: K 1 x 1 + s Idev + g n x n.

    Example:
        >>> expand(4.0, 6.0, 0.0, jnp.zeros(6))[:2, :2].tolist()
        [[8.0, 2.0], [2.0, 8.0]]
    """
    deviatoric = jnp.asarray(s) * DEVIATORIC + jnp.asarray(g) * jnp.outer(n, n)
    return jnp.asarray(bulk) * VOLUMETRIC + deviatoric


def at_zero(specs: dict[str, Spec]) -> State:
    """Return a state whose every variable is zero, as most are before any load."""
    return {name: jnp.zeros(spec.shape) for name, spec in specs.items()}
