"""A permeability by the shape of the pores: jax.grad through a level set, by any of its parameters.

Pores are where phi(x; q) > 0. As parameters change, walls without slip recede into the solid by
(d phi/dq) dq / |grad phi|, and Hadamard's formula gives what that does to K with no further solve,

    dK_ij = int_walls  t_i . t_j  (d phi/dq) dq / |grad phi|,

with the tangential tractions t of the solved fields. Of walls that slip the same recession d enters with its
gradient along the wall, by which walls turn (`cut_recession`). The function phi itself is left to JAX.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import eval_context
from jaxtyping import Array

from scalebridge.cells.phases import is_traced
from scalebridge.cells.smooth_walls import moving_walls, piece_solver
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.grids.cut_system import CutCell
from scalebridge.grids.level_set import LevelSetPores


def level_set_permeability(
    level: Callable[[Any, Any], Any],
    edges: Sequence[float],
    cells: int | Sequence[int],
    *,
    slip_length: float = 0.0,
    rtol: float = 1e-8,
    max_steps: int = 2000,
) -> Callable[[Any], Array]:
    """Return the permeability of pores that a level set shapes, as a function of the level set's parameters.

    -div 2 D(w_i) + grad pi_i = e_i, div w_i = 0 where phi(x; q) > 0; on phi = 0 no flow through the wall and
    P w_i = -slip P 2 D(w_i) n along it; K_ij = <w_i . e_j>.

    Args:
        level: phi(parameters, points): parameters as JAX takes them (numbers, arrays, nested), points
            (n, dim) in the unit of the edges; returns (n,), positive in the pores, periodic in the cell. An
            array of parameters may be a level set on a lattice, interpolated smoothly.
        edges: of the periodic cell, in metres (or any unit, K then in its square).
        cells: number of voxels along each axis.
        slip_length: on all walls, in the unit of the edges, from 0 to infinity; walls take it along.
        rtol: wanted relative error of the tensor, of the solver alone.
        max_steps: limit of iterations.

    Returns:
        a function of the parameters with value (dim, dim), of which JAX takes derivatives once: `jax.grad`,
        `jax.jacrev`, `jax.jvp`.

    Raises:
        ImageError: no pore, no wall, pores that lead nowhere, or a level function of another shape.
        InputError: parameters that are traced by `jax.jit`: the pores have to be known to cut the voxels.
        SolverError: the solver did not converge.

    Limits: the derivative is that of the continuous problem and not of the cut voxels: without slip within a
        percent with 64 voxels along the cell, of second order. With slip it is of first order: mostly within
        4 % of the largest slope there, 12 % was seen where many walls lie along voxel faces.

    Cost: a solve for value and all derivatives together.

    Source: J. Hadamard, as in O. Pironneau, J. Fluid Mech. 64 (1974) 97.

    Example:
        >>> disc = lambda radius, x: jnp.linalg.norm(x - 0.5, axis=1) - radius
        >>> permeability_of = level_set_permeability(disc, (1.0, 1.0), 32)
        >>> slope = jax.grad(lambda radius: permeability_of(radius)[0, 0])(0.25)
        >>> bool(slope < 0)  # larger discs hold the fluid back
        True
    """

    def solved(parameters: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
        if is_traced(dict(enumerate(jax.tree.leaves(parameters)))):
            raise InputError(
                "parameters",
                got="numbers that JAX is tracing",
                wanted="known numbers: where the walls are decides which voxels they cut",
                cure="take jax.grad, jax.jvp or jax.jacrev outside of jax.jit and jax.vmap",
            )
        with eval_context():  # the host's numbers, not steps of what JAX differentiates
            pores = LevelSetPores(lambda points: level(parameters, points), edges)
            cell = CutCell(pores, cells)
            options: dict[str, Any] = {"rtol": rtol, "max_steps": max_steps}
            if slip_length == 0.0:  # Hadamard's own formula, of second order
                value, moved = piece_solver(cell, **options)(np.zeros(cell.own.size))
                turned = None
            else:
                value, moved, turned = moving_walls(cell, slip_length, **options)
        return value, moved, turned, cell.pieces.points[cell.own]

    @jax.custom_jvp
    def value_at(parameters: Any) -> Array:
        return jnp.asarray(solved(parameters)[0])

    @value_at.defjvp
    def _(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Array, Array]:
        value, moved, turned, points = solved(primals[0])

        def steepness(places: Any) -> Any:
            return jnp.linalg.norm(_gradient(level, primals[0], places), axis=1)

        steep = steepness(points)
        rate = jax.jvp(lambda changed: level(changed, points), primals, tangents)[1] / steep
        slope = jnp.tensordot(rate, moved, axes=1)
        if turned is not None:
            rise = jax.jvp(lambda changed: _gradient(level, changed, points), primals, tangents)[1]
            bend = jax.grad(lambda places: steepness(places).sum())(points)
            turn = (rise - rate[:, None] * bend) / steep[:, None]
            slope = slope + jnp.tensordot(turn, turned, axes=2)
        return jnp.asarray(value), slope

    return lambda parameters: value_at(jax.tree.map(jnp.asarray, parameters))


def _gradient(level: Callable[[Any, Any], Any], parameters: Any, points: Any) -> Any:
    """Return the level set's gradient at points (n, dim), each value from its own point."""
    return jax.grad(lambda places: level(parameters, places).sum())(points)
