"""A model of one's own: a periodic network of pores and throats, upscaled by the library's tangent upscaler.

The upscalers know `LinearModel`, never a physics. Whoever answers a mean gradient with a mean flux, has an
energy, and can be solved in pieces gets the effective tensor and its derivatives by every conductance. What
an implementor has to keep is in `scalebridge.testing`, and this program runs it.
"""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from scalebridge import LinearModel, Outcome, Response, Spec
from scalebridge.core.model import Outlook
from scalebridge.testing import check_linear_model
from scalebridge.upscaling.tangent import sensitivity, watched_tangent

Fields = tuple[Float[Array, " pores"], Float[Array, " dim"]]


class PoreNetwork(LinearModel):
    """Pores joined by throats, repeated periodically; a throat of conductance g carries g times its drop.

    Args:
        conductance: of each throat, positive.
        ends: the two pores of each throat.
        span: vector from the first pore of each throat to the second, across the period where it crosses it.
        volume: of the period.
        pores: how many there are.
    """

    conductance: Float[Array, " throats"]
    ends: Int[Array, "throats 2"]
    span: Float[Array, "throats dim"]
    volume: float = eqx.field(static=True)
    pores: int = eqx.field(static=True)

    @property
    def asks(self) -> Spec:
        return Spec("mean gradient", shape=(self.span.shape[1],))

    @property
    def answers(self) -> Spec:
        return Spec("mean flux", shape=(self.span.shape[1],))

    def rest(self) -> tuple[()]:
        return ()

    def respond(self, load: Float[Array, " dim"], state: tuple[()] = ()) -> Response:
        return self.finish(load, self.advance(self.begin(load), 1))

    def energy(self, first: Fields, second: Fields) -> Float[Array, ""]:
        return jnp.sum(self.conductance * self._drop(*first) * self._drop(*second)) / self.volume

    def begin(self, load: Float[Array, " dim"]) -> dict[str, Array]:
        """Return the work: the net flow out of each pore under the uniform gradient, and no solution yet."""
        return {"u": self._net(self.span @ load), "solved": jnp.asarray(0)}

    def advance(self, work: dict[str, Array], steps: int | Array) -> dict[str, Array]:
        """Solve at once, by a direct method; the first pore's potential is the zero of the scale."""
        matrix = jax.vmap(lambda unit: self._net(unit[self.ends[:, 0]] - unit[self.ends[:, 1]]))
        laplacian = matrix(jnp.eye(self.pores))
        grounded = laplacian.at[0].set(0.0).at[:, 0].set(0.0).at[0, 0].set(1.0)
        solved = jnp.linalg.solve(grounded, work["u"].at[0].set(0.0))
        return {"u": jnp.where(work["solved"] > 0, work["u"], solved), "solved": jnp.asarray(1)}

    def finish(self, load: Float[Array, " dim"], work: dict[str, Array]) -> Response:
        flow = self.conductance * self._drop(work["u"], load)
        history = jnp.zeros(2)
        stats = {"steps": work["solved"], "residuals": history, "errors": history}
        code = jnp.asarray(Outcome.converged)
        return Response(flow @ self.span / self.volume, (), (work["u"], load), code, stats)

    def outlook(self, work: dict[str, Array]) -> Outlook:
        return Outlook(bool(work["solved"]), int(work["solved"]), 0.0, 1e-12)

    def _drop(self, u: Float[Array, " pores"], load: Float[Array, " dim"]) -> Float[Array, " throats"]:
        return self.span @ load + u[self.ends[:, 1]] - u[self.ends[:, 0]]

    def _net(self, drop: Float[Array, " throats"]) -> Float[Array, " pores"]:
        flow = self.conductance * drop
        return jnp.zeros(self.pores).at[self.ends[:, 0]].add(flow).at[self.ends[:, 1]].add(-flow)


def square_network(cells: int, conductance_of: dict[str, list[float]]) -> PoreNetwork:
    """Return a square lattice of spacing 1 whose throats along x and y repeat a list along x."""
    ends, span, conductance = [], [], []
    for x, y in itertools.product(range(cells), repeat=2):
        for axis, (dx, dy) in {"x": (1, 0), "y": (0, 1)}.items():
            ends.append((x * cells + y, (x + dx) % cells * cells + (y + dy) % cells))
            span.append((float(dx), float(dy)))
            conductance.append(conductance_of[axis][x % len(conductance_of[axis])])
    arrays = jnp.asarray(conductance), jnp.asarray(ends), jnp.asarray(span)
    return PoreNetwork(*arrays, volume=float(cells**2), pores=cells**2)


def main() -> None:
    """Check the contract, then ask for the tensor and its derivatives."""
    network = square_network(6, {"x": [1.0, 3.0], "y": [2.0]})
    check_linear_model(network, jnp.asarray([1.0, -0.5]), rtol=1e-12)  # a direct solve: some roundings
    tangent = watched_tangent(network)
    print(np.round(np.asarray(tangent.value), 12))
    # Throats of 1 and 3 follow each other along x: their harmonic mean. Along y all are 2.
    np.testing.assert_allclose(tangent.value, np.diag([1.5, 2.0]), atol=1e-12)

    slopes = np.asarray(sensitivity(network, tangent).conductance)
    # The tensor is of the first degree in the conductances (Euler), so that they add up to it.
    total = np.einsum("ijt,t->ij", slopes, np.asarray(network.conductance))
    np.testing.assert_allclose(total, tangent.value, atol=1e-12)
    print(f"one throat's share of dKxx/dg: {slopes[0, 0, 0]:.6f}")


if __name__ == "__main__":
    main()
