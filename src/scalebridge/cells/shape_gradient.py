"""A permeability by the shape of the pores: jax.grad through a level set, by any of its parameters.

Pores are where phi(x; q) > 0. As parameters change, walls without slip recede into the solid by
(d phi/dq) dq / |grad phi|, and Hadamard's formula gives what that does to K with no further solve,

    dK_ij = int_walls  t_i . t_j  (d phi/dq) dq / |grad phi|,

with the tangential tractions t of the solved fields. The function phi itself is left to JAX.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import eval_context
from jaxtyping import Array

from scalebridge.cells.phases import is_traced
from scalebridge.cells.smooth_walls import piece_solver
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.grids.cut_system import CutCell
from scalebridge.grids.level_set import LevelSetPores


def level_set_permeability(
    level: Callable[[Any, Any], Any],
    edges: Sequence[float],
    cells: int | Sequence[int],
    *,
    rtol: float = 1e-8,
    max_steps: int = 2000,
) -> Callable[[Any], Array]:
    """Return the permeability of pores that a level set shapes, as a function of the level set's parameters.

    -div 2 D(w_i) + grad pi_i = e_i, div w_i = 0 where phi(x; q) > 0, w_i = 0 on phi = 0, K_ij = <w_i . e_j>.

    Args:
        level: phi(parameters, points): parameters as JAX takes them (numbers, arrays, nested), points
            (n, dim) in the unit of the edges; returns (n,), positive in the pores, periodic in the cell. An
            array of parameters may be a level set on a lattice, interpolated smoothly.
        edges: of the periodic cell, in metres (or any unit, K then in its square).
        cells: number of voxels along each axis.
        rtol: wanted relative error of the tensor, of the solver alone.
        max_steps: limit of iterations.

    Returns:
        a function of the parameters with value (dim, dim), of which JAX takes derivatives once: `jax.grad`,
        `jax.jacrev`, `jax.jvp`.

    Raises:
        ImageError: no pore, no wall, pores that lead nowhere, or a level function of another shape.
        InputError: parameters that are traced by `jax.jit`: the pores have to be known to cut the voxels.
        SolverError: the solver did not converge.

    Limits: walls without slip. The derivative is that of the continuous problem and not of the cut voxels:
        with 64 voxels along the cell within a percent, of second order.

    Cost: a solve for value and all derivatives together.

    Source: J. Hadamard, as in O. Pironneau, J. Fluid Mech. 64 (1974) 97.

    Example:
        >>> disc = lambda radius, x: jnp.linalg.norm(x - 0.5, axis=1) - radius
        >>> permeability_of = level_set_permeability(disc, (1.0, 1.0), 32)
        >>> slope = jax.grad(lambda radius: permeability_of(radius)[0, 0])(0.25)
        >>> bool(slope < 0)  # larger discs hold the fluid back
        True
    """

    def solved(parameters: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
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
            value, density = piece_solver(cell, rtol=rtol, max_steps=max_steps)(np.zeros(cell.own.size))
            points = cell.pieces.points[cell.own]
            steep = np.linalg.norm(pores.value_and_gradient(points)[1], axis=1)
        return value, density, points, steep

    @jax.custom_jvp
    def value_at(parameters: Any) -> Array:
        return jnp.asarray(solved(parameters)[0])

    @value_at.defjvp
    def _(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Array, Array]:
        value, density, points, steep = solved(primals[0])
        rate = jax.jvp(lambda changed: level(changed, points), primals, tangents)[1]
        return jnp.asarray(value), jnp.tensordot(rate / steep, density, axes=1)

    return lambda parameters: value_at(jax.tree.map(jnp.asarray, parameters))
