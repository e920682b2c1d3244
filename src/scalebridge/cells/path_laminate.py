"""Layers of any laws with memory, exactly: strain is constant in each, and the traction passes through.

    e_i = E + sym(a_i x n),    sum_i f_i a_i = 0,    stress_i . n the same in all layers

The jumps a_i are found by Newton's method with line search; the consistent tangent is the derivative of the
answer through the implicit function that they are. A laminate is itself a law at a point.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from scalebridge.cells.laminate import check_normal
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec
from scalebridge.laws.path_law import PathLaw, State
from scalebridge.upscaling.mixture import check_fractions
from scalebridge.upscaling.rotations import mandel_basis

_MOST = 40
_HALVINGS = 12
_TIGHT = 1e-13  # of the traction, against that of the layers


class PathLaminate(PathLaw):
    """Perfectly bonded layers of laws at small strain.

    Args:
        laws: two or more laws of small strain.
        fractions: (layers,) relative thicknesses, positive with sum 1.
        normal: (3,) direction across the layers; only its direction counts.

    Raises:
        InputError: fractions or normal cannot be used, or a law is one of finite strain.

    Limits: layers thin against the scale on which the mean strain changes. NaN where Newton's method does not
        end, as in layers that soften faster than their neighbours unload.
    Cost: some Newton steps, each of one tangent a layer and a solve of 3 (layers - 1) equations.
    Source: for linear layers G. W. Milton, The Theory of Composites (2002), ch. 9.

    Example:
        >>> from scalebridge.laws.elastic import IsotropicElastic
        >>> layers = [IsotropicElastic(1.0, 0.75), IsotropicElastic(4.0, 3.0)]
        >>> law = PathLaminate(layers, [0.5, 0.5], [1.0, 0.0, 0.0])
        >>> stress, _ = law.respond(jnp.array([1.0, 0, 0, 0, 0, 0]), law.rest(), 0.0)
        >>> round(float(stress[0]), 12)  # harmonic mean of 2 and 8
        3.2
    """

    laws: tuple[PathLaw, ...]
    fractions: Float[Array, " layers"]
    across: Float[Array, "6 3"]

    symmetric: ClassVar[bool] = False

    def __init__(self, laws: Sequence[PathLaw], fractions: ArrayLike, normal: ArrayLike):
        self.laws = tuple(laws)
        finite = [type(law).__name__ for law in self.laws if law.finite]
        if finite or len(self.laws) < 2 or len(self.laws) != np.shape(fractions)[0]:
            raise InputError(
                "laws",
                got=f"{len(self.laws)} laws for {np.shape(fractions)[0]} fractions"
                + (f", {finite[0]} of finite strain" if finite else ""),
                wanted="two or more laws of small strain, one a layer",
                cure="give as many laws as fractions",
            )
        check_fractions(fractions)
        self.fractions = jnp.asarray(fractions, dtype=float)
        check_normal(normal, 3)
        direction = jnp.asarray(normal, dtype=float) / jnp.linalg.norm(jnp.asarray(normal, dtype=float))
        # Column j is the strain of a jump along axis j; its transpose takes a stress to the traction.
        self.across = jnp.einsum("aij,j->ai", mandel_basis(3), direction)

    def state_specs(self) -> dict[str, Spec]:
        """Those of the layers, as "layer0/plastic strain"."""
        return {
            f"layer{k}/{name}": spec
            for k, law in enumerate(self.laws)
            for name, spec in law.state_specs().items()
        }

    def rest(self) -> State:
        """Return the layers' rest."""
        return _joined([law.rest() for law in self.laws])

    def stiffness(self) -> Float[Array, "6 6"]:
        """Return the laminate's stiffness where all layers are elastic."""
        moduli = self.fractions[:, None, None] * jnp.stack([law.stiffness() for law in self.laws])
        spread = jnp.stack(self._spread())
        loads = jnp.einsum("kaj,kab->jb", spread, moduli)
        jumps = jnp.einsum("kaj,kab,kbi->ji", spread, moduli, spread)
        return jnp.sum(moduli, axis=0) - loads.T @ jnp.linalg.solve(jumps, loads)

    def respond(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> tuple[Array, State]:
        """Find the jumps for which all layers carry the same traction."""
        states = self._split(state)
        jumps = self._equilibrium(strain, lambda k, e: self.laws[k].respond(e, states[k], dt)[0])
        answers = [
            law.respond(layer, states[k], dt)
            for k, (law, layer) in enumerate(zip(self.laws, self._layers(strain, jumps), strict=True))
        ]
        stress = jnp.stack([answer[0] for answer in answers])
        return self.fractions @ stress, _joined([answer[1] for answer in answers])

    def free_energy(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the layers' mean energy where their states stay and the jumps make it least."""
        energies = [
            law.free_energy(layer, part)
            for law, layer, part in zip(
                self.laws, self._frozen(strain, state), self._split(state), strict=True
            )
        ]
        return self.fractions @ jnp.stack(energies)

    def margin(self, strain: Array, state: State) -> Float[Array, ""]:
        """Return the largest of the layers' margins, at the strains that they have while no state moves."""
        margins = [
            law.margin(layer, part)
            for law, layer, part in zip(
                self.laws, self._frozen(strain, state), self._split(state), strict=True
            )
        ]
        return jnp.max(jnp.stack(margins))

    def layer_strains(self, strain: Array, state: State, dt: ArrayLike = 0.0) -> Float[Array, "layers 6"]:
        """Return the layers' strains at the end of a step."""
        states = self._split(state)
        jumps = self._equilibrium(strain, lambda k, e: self.laws[k].respond(e, states[k], dt)[0])
        return jnp.stack(self._layers(strain, jumps))

    def _frozen(self, strain: Array, state: State) -> list[Array]:
        states = self._split(state)
        jumps = self._equilibrium(strain, lambda k, e: jax.grad(self.laws[k].free_energy)(e, states[k]))
        return self._layers(strain, jumps)

    def _split(self, state: State) -> list[State]:
        return [{name: state[f"layer{k}/{name}"] for name in law.rest()} for k, law in enumerate(self.laws)]

    def _spread(self) -> list[Array]:
        """Return what turns the free jumps, those of all layers but the last one, into a layer's strain."""
        free = len(self.laws) - 1
        last = -jnp.kron(self.fractions[:-1] / self.fractions[-1], self.across)
        return [jnp.kron(jnp.eye(free)[k], self.across) for k in range(free)] + [last]

    def _layers(self, strain: Array, jumps: Array) -> list[Array]:
        return [strain + spread @ jumps for spread in self._spread()]

    def _equilibrium(self, strain: Array, stress: Callable[[int, Array], Array]) -> Array:
        """Solve for the free jumps; differentiable by all that the stresses depend on."""
        spread = self._spread()

        def residual(jumps: Array) -> Array:
            parts = [
                f * s.T @ stress(k, strain + s @ jumps)
                for k, (f, s) in enumerate(zip(self.fractions, spread, strict=True))
            ]
            return jnp.sum(jnp.stack(parts), axis=0)

        scale = jnp.max(jnp.abs(jnp.stack([stress(k, strain) for k in range(len(self.laws))])))
        start = jnp.zeros(3 * (len(self.laws) - 1))
        return jax.lax.custom_root(
            residual, start, lambda f, x: _newton(f, x, _TIGHT * jax.lax.stop_gradient(scale)), _solve_linear
        )


def _joined(states: Sequence[State]) -> State:
    return {f"layer{k}/{name}": x for k, state in enumerate(states) for name, x in state.items()}


def _solve_linear(linear: Callable[[Array], Array], right: Array) -> Array:
    return jnp.linalg.solve(jax.jacfwd(linear)(jnp.zeros_like(right)), right)


def _newton(residual: Callable[[Array], Array], start: Array, enough: Array) -> Array:
    """Newton's method that halves a step until the residual falls; NaN where it does not end."""

    def size(x: Array) -> Array:
        return jnp.max(jnp.abs(residual(x)))

    def unfinished(work: tuple) -> Array:
        return (work[1] > enough) & (work[2] < _MOST)

    def step(work: tuple) -> tuple:
        x, now, count = work
        change = jnp.linalg.solve(jax.jacfwd(residual)(x), residual(x))
        shares = 0.5 ** jnp.arange(_HALVINGS)
        sizes = jax.vmap(lambda share: size(x - share * change))(shares)
        falls = sizes < now
        best = jnp.where(jnp.any(falls), jnp.argmax(falls), 0)
        better = jnp.any(falls)
        return (
            jnp.where(better, x - shares[best] * change, x),
            jnp.where(better, sizes[best], now),
            jnp.where(better, count + 1, _MOST),
        )

    x, left, _ = jax.lax.while_loop(unfinished, step, (start, size(start), 0))
    # Where rounding keeps the last steps from falling, a thousandfold of the goal is still rounding.
    return jnp.where(left <= 1e3 * enough, x, jnp.nan)
