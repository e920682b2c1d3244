"""The periodic cell problem of conduction.

div k (E + grad u) = 0,  u periodic;  the effective law is  <k (E + grad u)> = K E.

The gradient E + grad u and the flux k (E + grad u) are named for heat; charge (Ohm) and solute (Fick) obey
the same equations. The flux here is along the gradient; the physical flux density is its negative.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.model import LinearModel, Outlook, Response
from scalebridge.core.spec import Spec
from scalebridge.grids.coefficients import Coefficients
from scalebridge.grids.discretisation import Discretisation, GreenOperator
from scalebridge.grids.lift import AffineLift
from scalebridge.solvers.conjugate_gradients import CGState, ConjugateGradients

Fields = tuple[Float[Array, "..."], Float[Array, " dim"]]
_SMALLEST_EIGENVALUE = 1e-3  # of the reference tensor, relative to its largest


class Work(eqx.Module):
    """A load case under way: where the iteration stands, and its preconditioner."""

    state: CGState
    green: GreenOperator


class ConductionCell(LinearModel):
    """A voxel cell of a conducting composite: asked with a mean gradient, it answers with the mean flux.

    Args:
        discretisation: how the energy is discretised on the voxels.
        coefficients: the conductivity in every voxel.
        reference: tensor of the homogeneous medium whose inverse is the preconditioner.
        spectrum_floor: lower bound of the spectrum of the preconditioned stiffness, 0 if none is known:
            the smallest eigenvalue of any phase in the metric of the reference.
        solver: the conjugate gradients and their tolerances.

    Cost: one product with the stiffness and one real transform pair an iteration; about 10 fields of the
    image's size in memory.
    """

    discretisation: Discretisation
    coefficients: Coefficients
    reference: Float[Array, "dim dim"]
    spectrum_floor: Float[Array, ""]
    solver: ConjugateGradients

    @property
    def asks(self) -> Spec:
        return Spec("mean gradient", "1", (self.discretisation.dim,))

    @property
    def answers(self) -> Spec:
        return Spec("mean flux", "1", (self.discretisation.dim,))

    def rest(self) -> tuple[()]:
        """Return the empty state: conduction has no memory."""
        return ()

    def respond(self, load: Float[Array, " dim"], state: tuple[()] = ()) -> Response:
        """Solve the cell problem for a mean gradient; differentiable by implicit differentiation.

        The derivative of u follows from the linearised problem, solved by the same method: no iteration is
        traced, and forward and reverse mode both work, to any order.
        """
        load = self._cast(load)
        green = self._green()

        def solve(_, b: Array) -> tuple[Array, CGState]:
            begun = self._begin_from(b, load, green)
            done = self.solver.advance(begun, self._stiffness, green, self.solver.max_steps)
            return done.x, jax.lax.stop_gradient(done)

        b = -self.discretisation.forces(self.coefficients, self._still(), load)
        u, done = jax.lax.custom_linear_solve(self._stiffness, b, solve, symmetric=True, has_aux=True)
        return self._response(load, u, done, state)

    def energy(self, first: Fields, second: Fields) -> Float[Array, ""]:
        return self.discretisation.energy(self.coefficients, first, second)

    def begin(self, load: Float[Array, " dim"]) -> Work:
        load, green = self._cast(load), self._green()
        b = -self.discretisation.forces(self.coefficients, self._still(), load)
        return Work(self._begin_from(b, load, green), green)

    def advance(self, work: Work, steps: int | Array) -> Work:
        return Work(self.solver.advance(work.state, self._stiffness, work.green, steps), work.green)

    def finish(self, load: Float[Array, " dim"], work: Work) -> Response:
        return self._response(self._cast(load), work.state.x, work.state, ())

    def outlook(self, work: Work) -> Outlook:
        now = work.state
        error = max(float(now.errors[now.step]), float(now.residuals[now.step]) ** 2)
        return Outlook(int(now.code) >= 0, int(now.step), error, self.solver.rtol)

    def _cast(self, load: Float[Array, " dim"]) -> Float[Array, " dim"]:
        return load.astype(self.reference.dtype)

    def _still(self) -> Float[Array, "..."]:
        return jnp.zeros(self.discretisation.shape, self.reference.dtype)

    def _stiffness(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.discretisation.forces(self.coefficients, u, None)

    def _green(self) -> GreenOperator:
        # The preconditioner decides how fast, not what: nothing is to be differentiated through it.
        return GreenOperator.of(self.discretisation, jax.lax.stop_gradient(self.reference))

    def _begin_from(
        self, b: Float[Array, "..."], load: Float[Array, " dim"], green: GreenOperator
    ) -> CGState:
        start = self.discretisation.energy(
            self.coefficients, (jnp.zeros_like(b), load), (jnp.zeros_like(b), load)
        )
        return self.solver.init(b, green, start * math.prod(self.discretisation.shape), self.spectrum_floor)

    def _response(self, load: Array, u: Array, done: CGState, state: tuple[()]) -> Response:
        flux = self.discretisation.flux_field(self.coefficients, u, load)
        stats = {"steps": done.step, "residuals": done.residuals, "errors": done.errors, "falls": done.falls}
        mean = AffineLift(self.discretisation.shape, self.discretisation.dim).restrict(flux)
        return Response(mean, state, (u, load), done.code, stats)


@jax.jit
def reference_for(
    tensors: Float[Array, "phases dim dim"], mean: Float[Array, "dim dim"]
) -> tuple[Array, Array]:
    """Choose the medium of the preconditioner, and bound the spectrum from below; see `medium_for`.

    Args:
        tensors: the phases' conductivity tensors.
        mean: their volume average.

    Returns:
        the reference tensor, and the spectrum's lower bound; nothing is differentiated through them.
    """
    reference, floor = medium_for(jax.lax.stop_gradient(tensors), jax.lax.stop_gradient(mean), jnp)
    return jax.lax.stop_gradient(reference), jax.lax.stop_gradient(floor)


def medium_for(tensors: Any, mean: Any, numpy: Any) -> tuple[Any, Any]:
    """Choose the homogeneous medium of the preconditioner, and bound the spectrum from below.

    The reference is the volume average, made definite where every phase insulates along some axis. With
    reference A0 the spectrum of the preconditioned stiffness lies between the extreme eigenvalues of
    A0^-1/2 A A0^-1/2 over the phases, because every voxel's energy does.

    Args:
        tensors: (phases, dim, dim) the phases' conductivity tensors.
        mean: (dim, dim) their volume average.
        numpy: the library to compute with, NumPy or JAX's.

    Returns:
        the reference tensor, and the spectrum's lower bound (0 where a phase does not conduct in some
        direction).
    """
    values, vectors = numpy.linalg.eigh(mean)
    largest = numpy.maximum(values[-1], numpy.finfo(mean.dtype).tiny)
    values = numpy.maximum(values, _SMALLEST_EIGENVALUE * largest)
    reference = (vectors * values) @ vectors.T
    whitening = vectors / numpy.sqrt(values)
    lowest = numpy.min(numpy.linalg.eigvalsh(numpy.einsum("ia,pij,jb->pab", whitening, tensors, whitening)))
    return reference, numpy.where(lowest > 1e-12, lowest * (1 - 1e-9), 0.0)
