"""The permeability of a voxel image without matrices, wholly in JAX: for graphics processors and `jax.grad`.

The numbers are those of `permeability(image, boundary="periodic")`, whose assembled system and multigrid need
fewer steps and are what to use on a processor. Here nothing is assembled; what is differentiated is the
stationary value, in which the solved fields may be held: K = b.x + b.x - z.M z, after the implicit function
theorem without a further solve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from scalebridge.cells.phases import is_traced
from scalebridge.core.errors import ImageError, InputError, SolverError
from scalebridge.grids.percolation import isolated, percolation
from scalebridge.grids.staggered_masks import MaskedFlow, block_preconditioner, masked_flow
from scalebridge.solvers.traced_minres import minimal_residuals


def matrix_free_permeability(
    pores: np.ndarray,
    spacing: Sequence[float] | None = None,
    *,
    drag: Any = 0.0,
    rtol: float = 1e-4,
    max_steps: int = 5000,
) -> Array:
    """Compute the permeability tensor of a periodic voxel image by shifts of arrays, on JAX's device.

    -div grad w_i + grad pi_i + drag w_i = e_i and div w_i = 0 in the pores, w_i = 0 on the voxels' faces,
    K_ij = <w_i . e_j>. With drag, Brinkman's equations: pores with a finer porous filling.

    Args:
        pores: booleans, True in the pores, (x, y) or (x, y, z), periodic.
        spacing: edges of a voxel; ones, unless given.
        drag: number or (*shape) at least 0, one over the filling's own permeability; may be traced.
        rtol: wanted relative error of the tensor, of the solver alone; derivatives have its root.
        max_steps: limit of iterations.

    Returns:
        (dim, dim), in the square of the spacing's unit, on JAX's default device. `jax.grad` goes by `drag`,
        once: dK_ij/d(drag) = -<w_i . w_j> in each voxel.

    Raises:
        ImageError: no booleans, or no pore.
        InputError: edges, drag or tolerance that cannot be.
        SolverError: no convergence within `max_steps`; not where JAX traces, there the value is NaN.

    Limits: no slip, voxels as walls (see `permeability`); all components of what percolates, mirrored images
        padded by hand. In double precision.

    Cost: some dozens of arrays of the image's size, one direction after the other; more steps than with
        multigrid (170 for 36 in rock of 48^3 voxels), and more the wider the pores are.

    Example:
        >>> channel = np.zeros((2, 6), bool)
        >>> channel[:, 1:5] = True  # four voxels wide: (4^2 + 2)/12 in its open part
        >>> matrix_free_permeability(channel, rtol=1e-10)[0].round(6).tolist()
        [1.0, 0.0]
    """
    found = matrix_free_solution(pores, spacing, drag=drag, rtol=rtol, max_steps=max_steps)
    if not is_traced({0: found.done}) and not bool(found.done):
        raise SolverError(f"the permeability did not converge within {max_steps} steps")
    return jnp.where(found.done, found.value, jnp.nan)


@dataclass(frozen=True)
class MatrixFreeFlow:
    """What was solved without matrices.

    Args:
        value: (dim, dim), in its stationary form.
        means: (dim, dim), <w_i . e_j>: the error is of first order in the fields'.
        spent: (dim, dim), what viscosity and the filling take, of first order too.
        flows: of each axis along which pores lead, velocities (dim, *shape) on upper faces.
        losses: of the same, what each voxel's upper faces spend (*shape), in any unit.
        heads: of the same, pressures (*shape).
        steps: of the same.
        done: whether all converged.
    """

    value: Array
    means: Array
    spent: Array
    flows: dict[int, Array]
    losses: dict[int, Array]
    heads: dict[int, Array]
    steps: dict[int, Array]
    done: Array


def matrix_free_solution(
    pores: np.ndarray,
    spacing: Sequence[float] | None = None,
    *,
    drag: Any = 0.0,
    rtol: float = 1e-4,
    max_steps: int = 5000,
) -> MatrixFreeFlow:
    """Solve as `matrix_free_permeability` does, and return all of it, converged or not."""
    image = np.asarray(pores)
    edges = (1.0,) * image.ndim if spacing is None else tuple(float(h) for h in spacing)
    _refuse(image, edges)
    _refuse_settings(image.shape, drag, rtol)
    open_to = image & ~isolated(image, periodic=True)
    axes = [axis for axis, leads in enumerate(percolation(open_to).directions) if leads]
    flow = masked_flow(open_to, edges, drag)
    held = jax.lax.stop_gradient(flow)
    solved = {axis: _solve(held, axis, rtol, max_steps) for axis in axes}
    value, means, spent = (jnp.zeros((image.ndim,) * 2) for _ in range(3))
    for row, (first, _, _) in solved.items():
        for column, (second, _, _) in solved.items():
            powers = jnp.vdot(flow.load(row), second[0]) + jnp.vdot(flow.load(column), first[0])
            form = _product(flow, second)
            both = jnp.vdot(first[0], form[0]) + jnp.vdot(first[1], form[1])
            value = value.at[row, column].set(powers - both)
            means = means.at[row, column].set(jnp.vdot(flow.load(row), second[0]))
            spent = spent.at[row, column].set(jnp.vdot(first[0], flow.viscous(second[0])))
    volume = image.size * float(np.prod(edges))
    return MatrixFreeFlow(
        value / volume,
        means / volume,
        spent / volume,
        {axis: found[0][0] for axis, found in solved.items()},
        {axis: jnp.sum(found[0][0] * flow.viscous(found[0][0]), axis=0) for axis, found in solved.items()},
        {axis: found[0][1] for axis, found in solved.items()},
        {axis: found[1] for axis, found in solved.items()},
        jnp.stack([jnp.asarray(True), *(found[2] for found in solved.values())]).all(),
    )


def _product(flow: MaskedFlow, z: tuple[Array, Array]) -> tuple[Array, Array]:
    return flow.viscous(z[0]) - flow.push(z[1]), -flow.outflow(z[0])


@partial(jax.jit, static_argnums=(1,))
def _solve(
    flow: MaskedFlow, axis: int, rtol: float, max_steps: int
) -> tuple[tuple[Array, Array], Array, Array]:
    """Solve a unit force along an axis: velocities and pressures, steps, and whether it converged."""
    apply = block_preconditioner(flow)
    load = (flow.load(axis), jnp.zeros_like(flow.flowing))
    return minimal_residuals(partial(_product, flow), lambda r: apply(*r), load, rtol, max_steps)


def _refuse(pores: np.ndarray, edges: tuple[float, ...]) -> None:
    if pores.dtype != np.bool_ or pores.ndim not in (2, 3) or not pores.any() or pores.all():
        raise ImageError(
            "pores",
            got=f"an array of {pores.dtype}, shape {pores.shape}, with {int(pores.astype(bool).sum())} pores",
            wanted="booleans (x, y) or (x, y, z) with pores and solid",
            cure="pass labels == pore",
        )
    if len(edges) != pores.ndim or not all(0 < h < np.inf for h in edges):
        raise InputError(
            "spacing",
            got=repr(edges),
            wanted=f"{pores.ndim} positive lengths",
            cure="leave it out for squares of the voxel's edge",
        )


def _refuse_settings(shape: tuple[int, ...], drag: Any, rtol: float) -> None:
    fits = jnp.shape(drag) in ((), shape)
    if not fits or (not is_traced({0: drag}) and not bool(jnp.all(jnp.asarray(drag) >= 0))):
        raise InputError(
            "drag",
            got=f"shape {jnp.shape(drag)}" if not fits else "negative numbers",
            wanted=f"a number of at least 0, or one for each voxel, shape {shape}",
            cure="leave it out for pores without a filling",
        )
    if not 0.0 < rtol < 1.0:
        raise InputError("rtol", got=repr(rtol), wanted="a number between 0 and 1", cure="pass 1e-4")
