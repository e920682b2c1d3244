"""The periodic cell problem of thermoelasticity, traced by JAX.

    div s = 0,   s = C : (E + sym grad u - a t),   u periodic,

asked with a mean strain E and, where the medium has an expansion, a change of temperature t. The same
questions and answers as those of `cells/elasticity_host.py`, which is faster on a processor; this one runs on
accelerators too, and its tangent has derivatives of any order by all entries of the stiffnesses and
expansions.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from scalebridge.cells.conduction import reference_for
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.model import LinearModel, Outlook, Response
from scalebridge.core.spec import Spec
from scalebridge.grids.elastic_hexahedra import Integration
from scalebridge.grids.elastic_stencil import Case, ElasticGreen, ElasticHexahedra, ElasticMedium
from scalebridge.grids.lift import AffineLift
from scalebridge.solvers.conjugate_gradients import CGState, ConjugateGradients

_VANISHING = 1e-9  # share of the energy at rest below which what is left counts as zero


class Work(eqx.Module):
    """A load case under way: where the iteration stands, and its preconditioner."""

    state: CGState
    green: ElasticGreen


class ElasticCell(LinearModel):
    """A periodic voxel cell of a thermoelastic composite, traced by JAX.

    It answers with the mean stress (6, Mandel) and, seventh where the medium has an expansion, with half the
    derivative of the energy by the temperature. So its tangent is

        [ C*        -C* : a* ]     C* effective stiffness, a* effective expansion,
        [ sym.       q       ]     q = mean of (e - a) : C : (e - a) at E = 0, t = 1.

    Args:
        grid: the elements.
        medium: the voxels' stiffness and expansion.
        reference: (6, 6) stiffness of the homogeneous medium whose inverse is the preconditioner.
        spectrum_floor: lower bound of the spectrum of the preconditioned stiffness, 0 if none is known.
        solver: the conjugate gradients and their tolerances.

    Cost: one product with the stiffness and three real transform pairs an iteration; about 80 numbers a voxel
    in memory.

    Source: H. Moulinec and P. Suquet (1998), Comput. Methods Appl. Mech. Eng. 157, 69,
        doi:10.1016/S0045-7825(97)00218-1; for finite elements on voxels F. Willot (2015), C. R. Mec. 343,
        232, doi:10.1016/j.crme.2014.12.005, and M. Ladecky et al. (2023), Appl. Math. Comput. 446, 127835,
        doi:10.1016/j.amc.2023.127835.
    """

    grid: ElasticHexahedra
    medium: ElasticMedium
    reference: Float[Array, "6 6"]
    spectrum_floor: Float[Array, ""]
    solver: ConjugateGradients

    @classmethod
    def of(
        cls,
        stiffness: Float[Array, "rows 6 6"],
        index: Integer[Array, "x y z"],
        spacing: tuple[float, ...] = (1.0, 1.0, 1.0),
        *,
        expansion: Float[Array, "rows 6"] | None = None,
        rule: Integration = "full",
        solver: ConjugateGradients | None = None,
    ) -> "ElasticCell":
        """Make the cell of a table of stiffnesses, which may be traced.

        Args:
            stiffness: (rows, 6, 6) Mandel, Pa, along the grid's axes.
            index: row of every voxel, three axes; see `grids/elastic_hexahedra.py` for planar images.
            spacing: length of a voxel's edges.
            expansion: (rows, 6) Mandel, 1/K, for the thermal case.
            rule: integration; "reduced" only without voids, beside which nothing holds the hourglass modes.
            solver: the tolerances.

        Example:
            >>> table = jnp.eye(6) * jnp.asarray([1.0, 3.0])[:, None, None]
            >>> cell = ElasticCell.of(table, jnp.asarray([[[0]], [[1]]]))
            >>> cell.asks.size, cell.thermal
            (6, False)
        """
        grid = ElasticHexahedra(tuple(index.shape), tuple(spacing), rule)
        medium = ElasticMedium(stiffness, expansion, index)
        reference, floor = reference_for(stiffness, medium.mean())
        return cls(grid, medium, reference, floor, solver or ConjugateGradients())

    @property
    def thermal(self) -> bool:
        """Whether a change of temperature is the seventh load."""
        return self.medium.expansion is not None

    @property
    def asks(self) -> Spec:
        return Spec(
            "mean strain and temperature" if self.thermal else "mean strain", "1", (6 + self.thermal,)
        )

    @property
    def answers(self) -> Spec:
        return Spec(
            "mean stress and temperature" if self.thermal else "mean stress", "1", (6 + self.thermal,)
        )

    def rest(self) -> tuple[()]:
        """Return the empty state: elasticity has no memory."""
        return ()

    def respond(self, load: Float[Array, " load"], state: tuple[()] = ()) -> Response:
        """Solve the cell problem for a load; differentiable by implicit differentiation, to any order."""
        load = self._cast(load)
        green = self._green()

        def solve(_, b: Array) -> tuple[Array, CGState]:
            begun = self._begin_from(b, load, green)
            done = self.solver.advance(begun, self._stiffness, green, self.solver.max_steps)
            return done.x, jax.lax.stop_gradient(done)

        b = -self.grid.forces(self.medium, self._still(), load)
        u, done = jax.lax.custom_linear_solve(self._stiffness, b, solve, symmetric=True, has_aux=True)
        return self._response(load, u, done, state)

    def energy(self, first: Case, second: Case) -> Float[Array, ""]:
        return self.grid.energy(self.medium, first, second)

    def begin(self, load: Float[Array, " load"]) -> Work:
        load, green = self._cast(load), self._green()
        b = -self.grid.forces(self.medium, self._still(), load)
        return Work(self._begin_from(b, load, green), green)

    def advance(self, work: Work, steps: int | Array) -> Work:
        return Work(self.solver.advance(work.state, self._stiffness, work.green, steps), work.green)

    def finish(self, load: Float[Array, " load"], work: Work) -> Response:
        return self._response(self._cast(load), work.state.x, work.state, ())

    def outlook(self, work: Work) -> Outlook:
        now = work.state
        error = max(float(now.errors[now.step]), float(now.residuals[now.step]) ** 2)
        return Outlook(int(now.code) >= 0, int(now.step), error, self.solver.rtol)

    def _cast(self, load: Float[Array, " load"]) -> Float[Array, " load"]:
        return load.astype(self.reference.dtype)

    def _still(self) -> Float[Array, "3 x y z"]:
        return jnp.zeros((3, *self.grid.shape), self.reference.dtype)

    def _stiffness(self, u: Float[Array, "3 x y z"]) -> Float[Array, "3 x y z"]:
        return self.grid.forces(self.medium, u, None)

    def _green(self) -> ElasticGreen:
        # The preconditioner decides how fast, not what: nothing is to be differentiated through it.
        return ElasticGreen.of(self.grid, jax.lax.stop_gradient(self.reference))

    def _begin_from(self, b: Array, load: Array, green: ElasticGreen) -> CGState:
        still = (jnp.zeros_like(b), load)
        energy = self.grid.energy(self.medium, still, still) * math.prod(self.grid.shape)
        return self.solver.init(b, green, energy, self.spectrum_floor, _VANISHING * energy)

    def _response(self, load: Array, u: Array, done: CGState, state: tuple[()]) -> Response:
        stress = self.grid.stress_field(self.medium, u, load)
        answer = AffineLift(self.grid.shape, 6).restrict(stress)
        if self.medium.expansion is not None:
            local = jnp.moveaxis(self.medium.expansion[self.medium.index], -1, 0)
            answer = jnp.append(answer, -jnp.sum(local * stress) / math.prod(self.grid.shape))
        stats: dict[str, Any] = {
            "steps": done.step,
            "residuals": done.residuals,
            "errors": done.errors,
            "falls": done.falls,
        }
        return Response(answer, state, (u, load), done.code, stats)
